# SPDX-License-Identifier: Apache-2.0
"""Everybody's own URDF: it loads, it has the limbs of the person, and its kinematics land on the SMPL joints."""

from xml.etree import ElementTree

import numpy as np
import pytest

from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotvec_to_rotmat
from hmr_ros.core.ros4hri.body_frame import body_frame
from hmr_ros.core.ros4hri.joints import HUMAN_JOINTS, REVOLUTE_JOINTS, human_angles
from hmr_ros.core.ros4hri.urdf import (
    LINK_ON_SMPL_JOINT,
    LINKS,
    joint_origins,
    joint_rotations,
    measured_origins,
    rest_joints,
    urdf,
)
from hmr_ros.core.skeleton import SMPL
from test.core.conftest import random_parameters
from test.core.ros4hri.urdf_reader import link_poses, read_joints

PERSON = "abcde"


class People:
    """Random bodies, with all that the functions under test make of them."""

    def __init__(self, body, count, bend=0.35):
        self.parameters = p = random_parameters(count, bend=bend)
        self.joints = body.posed(p.global_orient, p.body_pose, p.betas, p.cam_t).joints
        self.world = world_rotations(rotvec_to_rotmat(np.concatenate([p.global_orient[:, None], p.body_pose], 1)))
        self.rest = rest_joints(self.world, self.joints)
        self.origins = joint_origins(self.rest)
        self.angles = human_angles(self.world, self.joints, self.rest)
        self.places, self.orientations = body_frame(self.world[:, 0], self.joints)

    def link_errors(self, row, poses):
        """m between each link's origin and its SMPL joint."""
        errors = {}
        for link, joint in LINK_ON_SMPL_JOINT.items():
            place = self.places[row] + self.orientations[row] @ poses[f"{link}_{PERSON}"][1]
            errors[link] = np.linalg.norm(place - self.joints[row, SMPL.index(joint)])
        return errors


def positions(angles):
    return {f"{revolute.name}_{PERSON}": angle for revolute, angle in zip(REVOLUTE_JOINTS, angles, strict=True)}


def test_a_posed_body_tells_its_rest_pose(exact_body):
    people = People(exact_body, 20)
    expected = exact_body.rest_joints(people.parameters.betas)
    assert np.allclose(people.rest, expected - expected[:, :1], atol=1e-9)


def test_legs_land_on_their_joints_and_arms_as_near_as_the_torso_allows(exact_body):
    people = People(exact_body, 200)
    errors = [
        people.link_errors(row, link_poses(read_joints(urdf(PERSON, origins)), positions(angles)))
        for row, (origins, angles) in enumerate(zip(people.origins, people.angles, strict=True))
    ]
    for link in LINK_ON_SMPL_JOINT:
        error = np.array([e[link] for e in errors])
        if link[2:] in ("hip", "knee"):
            assert error.max() < 1e-5, link  # six digits are written
        elif link[2:] == "ankle":
            assert np.median(error) < 1e-5, link
            assert error.max() < 0.08, link  # nearly straight and bent sideways, as no knee is
        else:  # side bend, twist and collars, here 0.35 rad per joint and axis: no revolute joint for them
            assert 0.03 < np.median(error) < 0.25, link


def test_in_the_rest_pose_every_link_is_on_its_joint(exact_body):
    people = People(exact_body, 5, bend=0.0)
    for row in range(5):
        poses = link_poses(read_joints(urdf(PERSON, people.origins[row])), positions(people.angles[row]))
        assert max(people.link_errors(row, poses).values()) < 1e-5


def test_with_measured_shoulders_and_head_all_links_are_on_their_joints(exact_body):
    """What TF publishes."""
    people = People(exact_body, 200)
    origins = measured_origins(people.origins, people.angles[:, 0], people.orientations, people.joints)
    for row in range(200):
        poses = link_poses(read_joints(urdf(PERSON, origins[row])), positions(people.angles[row]))
        errors = people.link_errors(row, poses)
        ends = [errors.pop(f"{s}_{part}") for s in "lr" for part in ("wrist", "ankle")]
        assert max(errors.values()) < 1e-5
        assert max(ends) < 0.08


def test_rotations_are_those_of_the_urdf(exact_body):
    """Transforms for TF against the XML's axes and angles, link by link."""
    people = People(exact_body, 10)
    rotations = quat_to_rotmat(joint_rotations(people.angles))
    for row in range(10):
        joints = read_joints(urdf(PERSON, people.origins[row]))
        for k, joint in enumerate(joints):
            angle = positions(people.angles[row]).get(joint.name, 0.0)
            assert np.allclose(rotations[row, k], rotvec_to_rotmat(joint.axis * angle))
            assert np.allclose(people.origins[row, k], joint.xyz, atol=1e-5)


def test_limbs_have_the_lengths_of_the_person(exact_body):
    tall, small = (
        dict(zip([j.name for j in HUMAN_JOINTS], joint_origins(exact_body.rest_joints(betas))[0], strict=True))
        for betas in (np.eye(1, 10) * 2, np.eye(1, 10) * -2)
    )
    for name in ("l_elbow", "r_wrist", "l_knee", "r_ankle"):
        lengths = -tall[name][2], -small[name][2]
        assert min(lengths) > 0.15
        assert abs(lengths[0] - lengths[1]) > 0.01, name
        assert np.allclose(tall[name][:2], 0, atol=0.05)


def test_every_name_carries_the_person(exact_body):
    text = urdf(PERSON, People(exact_body, 1).origins[0])
    joints = read_joints(text)
    assert [joint.name for joint in joints] == [f"{joint.name}_{PERSON}" for joint in HUMAN_JOINTS]
    assert {joint.child for joint in joints} | {f"body_{PERSON}"} == {f"{link}_{PERSON}" for link in LINKS}
    for joint, ours in zip(joints, HUMAN_JOINTS, strict=True):
        assert joint.kind == ("fixed" if ours.axis is None else "revolute")
        assert joint.limits == pytest.approx(ours.limits, abs=1e-4)


def test_ros_parses_it(exact_body):
    urdf_parser_py = pytest.importorskip("urdf_parser_py.urdf")
    robot = urdf_parser_py.URDF.from_xml_string(urdf(PERSON, People(exact_body, 1).origins[0]))
    robot.check_valid()
    assert robot.get_root() == f"body_{PERSON}"
    chain = robot.get_chain(f"body_{PERSON}", f"l_wrist_{PERSON}", joints=False)
    assert [link.removesuffix(f"_{PERSON}") for link in chain] == (
        "body waist torso l_y_shoulder l_p_shoulder l_shoulder l_elbow l_wrist".split()
    )
    assert sum(joint.type == "revolute" for joint in robot.joints) == 20


def shapes_of(text):
    """Link -> (kind, size, xyz, roll) of its visual."""
    shapes = {}
    for link in ElementTree.fromstring(text).iter("link"):
        if (visual := link.find("visual")) is not None:
            (shape,) = visual.find("geometry")
            size = {key: float(value) for key, value in shape.attrib.items()}
            xyz = np.array(visual.find("origin").get("xyz").split(), float)
            roll, *others = map(float, visual.find("origin").get("rpy").split())
            assert others == [0, 0]
            assert visual.find("material").get("name") == f"skin_{PERSON}"
            shapes[link.get("name").removesuffix(f"_{PERSON}")] = (shape.tag, size, xyz, roll)
    return shapes


def test_cylinders_lie_along_the_bones_and_the_trunk(exact_body):
    """Both ends of each limb's cylinder are its joints; the trunk's goes down from the shoulders to the hips."""
    origins = People(exact_body, 1).origins[0]
    at = dict(zip([joint.name for joint in HUMAN_JOINTS], origins, strict=True))
    shapes = shapes_of(urdf(PERSON, origins))
    for link, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
        for side in "lr":
            kind, size, xyz, roll = shapes.pop(f"{side}_{link}")
            axis = rotvec_to_rotmat(np.array([roll, 0, 0]))[:, 2]
            assert kind == "cylinder"
            assert np.allclose(xyz - axis * size["length"] / 2, at[f"{side}_{end}"], atol=1e-4)
            assert np.allclose(xyz + axis * size["length"] / 2, 0, atol=1e-4)
    kind, size, xyz, roll = shapes.pop("torso")
    assert (kind, roll) == ("cylinder", 0)
    assert size["length"] == pytest.approx(at["torso"][2], rel=1e-5)
    assert np.allclose(xyz, [0, 0, -size["length"] / 2])
    kind, _, xyz, _ = shapes.pop("head")
    assert (kind, *xyz) == ("sphere", 0, 0, 0)
    assert not shapes
