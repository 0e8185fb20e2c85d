# SPDX-License-Identifier: Apache-2.0
"""BVH files, read back by the reader of training and by one of others."""

import numpy as np
import pytest

from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL, SMPL_HANDS
from hmr_ros.motion.bvh_file import NAMES, euler_zxy, write_bvh
from hmr_ros.motion.track import Y_UP
from hmr_ros.training.motion.bvh import read_bvh
from hmr_ros.training.motion.retarget import retarget
from test.motion.motion import BETAS, FPS, jumping, posed_with_fingers, track, waving
from test.ros.stubs import BODY_MODEL


@pytest.fixture
def path(tmp_path):
    write_bvh(tmp_path / "7.bvh", track(), BODY_MODEL)
    return tmp_path / "7.bvh"


def test_joints_are_where_they_were(path):
    motion, moving = read_bvh(path), track()
    pose, pelvis = moving.rotated(Y_UP)
    expected = BODY_MODEL.posed_joints(pose[:, 0], pose[:, 1:], np.tile(BETAS, (20, 1))) + pelvis[:, None]
    rows = [motion.index[name] for name in NAMES]
    assert np.abs(motion.positions[:, rows] / 100 - expected).max() < 1e-5  # m; the file is in cm
    assert motion.fps == pytest.approx(FPS, rel=1e-5)


def test_fingers_are_where_they_were_under_mixamos_names(tmp_path):
    write_bvh(tmp_path / "7.bvh", waving(), BODY_MODEL)
    motion, expected = read_bvh(tmp_path / "7.bvh"), posed_with_fingers(waving()).joints
    for name, joint in (("LeftHandIndex3", "left_index3"), ("RightHandPinky2", "right_pinky2"),
                        ("RightHandThumb1", "right_thumb1"), ("LeftHand", "left_wrist")):  # fmt: skip
        at = motion.positions[:, motion.index[name]] / 100
        assert np.abs(at - expected[:, SMPL_HANDS.index(joint)]).max() < 1e-5
    assert "LeftHandMiddle1" in motion.index
    assert len([name for name in motion.index if "Hand" in name and not name.endswith("End")]) >= 32


def test_left_is_left_and_up_is_up(path):
    rest = read_bvh(path).rest
    index = read_bvh(path).index
    assert rest[index["LeftHand"]][0] > 50 > -50 > rest[index["RightHand"]][0]
    assert rest[index["Head"]][1] > 40
    assert rest[index["LeftToeBase"]][2] > 5


def test_the_motion_prepares_as_other_recordings_do(path):
    """Its joints are Mixamo's: `hmr prepare-motion` reads it, at 0.01 m a unit."""
    pose, pelvis, leg = retarget(read_bvh(path), 0.01)
    expected, at = track().rotated(Y_UP)
    knee = SMPL.index("left_knee")
    np.testing.assert_allclose(pose[:, knee], expected[:, knee], atol=0.1)  # the rest poses differ, as the shapes do
    assert 0.6 < leg < 1.0
    assert np.abs(np.diff(pelvis - at, axis=0)).max() < 0.01  # its height is that of other legs


def test_angles_do_not_jump(tmp_path):
    write_bvh(tmp_path / "7.bvh", jumping(), BODY_MODEL)
    values = np.loadtxt((tmp_path / "7.bvh").read_text().partition("Frame Time")[2].splitlines()[1:])
    assert np.abs(np.diff(values, axis=0)).max() < 30
    motion, (pose, _) = read_bvh(tmp_path / "7.bvh"), jumping().rotated(Y_UP)
    shoulder, arm = (motion.rotations[:, motion.index[name]] for name in ("LeftShoulder", "LeftArm"))
    np.testing.assert_allclose(shoulder.swapaxes(1, 2) @ arm, rotvec_to_rotmat(pose[:, 16]), atol=1e-6)


@pytest.mark.parametrize("x", [np.pi / 2, -np.pi / 2, 1.2])
def test_a_right_angle_about_x_is_no_loss(x):
    def turned(axis, angle):
        return rotvec_to_rotmat(np.eye(3)[axis] * angle)

    rotation = turned(2, 0.7) @ turned(0, x) @ turned(1, 0.4)
    z, around_x, y = np.deg2rad(euler_zxy(rotation[None])[0])
    np.testing.assert_allclose(turned(2, z) @ turned(0, around_x) @ turned(1, y), rotation, atol=1e-6)


def test_another_library_reads_it(path):
    bvh = pytest.importorskip("bvh")
    other = bvh.Bvh(path.read_text())
    assert other.nframes == 20
    assert [name for name in other.get_joints_names()] == [
        NAMES[k] for k in (0, 1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12, 15, 13, 16, 18, 20, 22, 14, 17, 19, 21, 23)
    ]
    _, pelvis = track().rotated(Y_UP)
    assert other.frame_joint_channel(5, "Hips", "Yposition") == pytest.approx(100 * pelvis[5, 1], abs=1e-4)
    assert other.joint_offset("LeftLeg")[1] < -30
