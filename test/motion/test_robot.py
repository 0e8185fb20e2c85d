# SPDX-License-Identifier: Apache-2.0
"""A robot that follows a person. TALOS itself: where PyPI's example-robot-data is installed."""

import importlib.metadata
import itertools
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.ros4hri.joints import REVOLUTE_JOINTS
from hmr_ros.motion.joints_file import JOINTS, joint_motion
from hmr_ros.motion.robot import read_robot
from test.motion.motion import track
from test.motion.test_joints_file import links
from test.ros.stubs import BODY_MODEL

LINKS = (
    ("shoulder", "arm_{}_3_link"),
    ("elbow", "arm_{}_4_link"),
    ("hip", "leg_{}_3_link"),
    ("knee", "leg_{}_4_link"),
)
"""Upper arms, forearms, thighs, shanks: links of the person and of TALOS."""

TALOS = Path(__file__).parents[2] / "config/talos.toml"

URDF = """<robot name="r">
  <joint name="knee" type="revolute"><limit lower="0" upper="2"/></joint>
  <joint name="wheel" type="continuous"/>
  <joint name="fixed" type="fixed"/>
</robot>"""


@pytest.fixture
def read(tmp_path):
    def read(table, urdf=URDF):
        (tmp_path / "robot.toml").write_text(table)
        (tmp_path / "robot.urdf").write_text(urdf)
        return read_robot(tmp_path / "robot.toml", tmp_path / "robot.urdf")

    return read


def angles(**joints):
    values = np.zeros((len(next(iter(joints.values()))), len(JOINTS)))
    for joint, column in joints.items():
        values[:, JOINTS.index(joint)] = column
    return values


def test_joints_take_the_angle_with_its_sign_within_their_limits(read):
    robot = read('[joints]\nknee = "-l_knee"\nwheel = "waist"\n')
    given = angles(l_knee=[0.5, -0.5, -3.0, -1.0], waist=[0.1, 4.0, 0.0, -9.0])
    np.testing.assert_allclose(robot.follow(given), [[0, 0.1], [0.5, 4 - 2 * np.pi], [2, 0], [1, 2 * np.pi - 9]])
    assert robot.held(given) == {"knee": 0.5}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", r"expected \[joints\]"),
        ("[joints", "not a TOML file"),
        ('[joints]\nknee = "l_kneee"', "knee: expected one of waist"),
        ("[joints]\nknee = 3", "knee: expected one of waist"),
        ('[joints]\nfixed = "l_knee"', r"fixed: .*robot\.urdf has no revolute joint of this name"),
    ],
)
def test_mistakes_in_the_table_are_named(read, table, words):
    with pytest.raises(ValueError, match=rf"robot\.toml: .*{words}"):
        read(table)


def test_what_is_no_urdf_is_named(read):
    with pytest.raises(ValueError, match=r"robot\.urdf: not a URDF"):
        read('[joints]\nknee = "l_knee"', "<robot>")


def talos():
    """The URDF of PyPI's example-robot-data."""
    try:
        files = importlib.metadata.files("example-robot-data") or ()
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs example-robot-data")
    return next(Path(file.locate()) for file in files if file.name == "talos_reduced.urdf")


def test_talos_has_the_limbs_of_the_person():
    urdf, motion = talos(), joint_motion(track(), BODY_MODEL)
    robot = read_robot(TALOS, urdf)
    free = robot._wanted(motion.angles)  # its limits are narrower than this motion
    text = urdf.read_text()
    for frame in (0, 9, 19):
        human = {f"{joint}_7": value for joint, value in zip(JOINTS, motion.angles[frame], strict=True)}
        person = links(motion.urdf, human, "body_7", np.eye(4))
        follower = links(text, dict(zip(robot.joints, free[frame], strict=True)), "base_link", np.eye(4))
        for (human_link, robot_link), side in itertools.product(LINKS, ("left", "right")):
            of_person = person[f"{side[0]}_{human_link}_7"][:3, :3]
            of_robot = follower[robot_link.format(side)][:3, :3]
            np.testing.assert_allclose(of_robot, of_person, atol=1e-6)


def test_the_table_of_talos_names_every_limb():
    table = TALOS.read_text()
    for joint in REVOLUTE_JOINTS:
        assert f'{joint.name}"' in table or joint.name == "r_head", joint.name
