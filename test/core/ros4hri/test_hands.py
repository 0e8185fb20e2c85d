# SPDX-License-Identifier: Apache-2.0
"""Hands below ROS4HRI's wrists: their kinematics land on the joints and finger tips of the mesh."""

import dataclasses
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.finger_skin import FingerSkin
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.fitting.hand_pose import finger_rotations
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies, Detections, Estimates
from hmr_ros.core.ros4hri.hands import HAND_JOINTS, HAND_REVOLUTES, HandAxes
from hmr_ros.core.ros4hri.joints import REVOLUTE_JOINTS
from hmr_ros.core.ros4hri.motion import HumanFollower, Humans
from hmr_ros.core.ros4hri.urdf import urdf
from hmr_ros.core.skeleton import MANO
from test.core.conftest import random_parameters
from test.core.ros4hri.urdf_reader import link_poses, read_joints

PERSON = "abcde"
PEOPLE = 3


@pytest.fixture(scope="module")
def bodies(exact_body: BodyModel, exact_hand: HandModel) -> Bodies:
    """Random bodies with random fingers within their limits, mirrored on both sides."""
    fields = vars(random_parameters(PEOPLE))
    estimates = dataclasses.replace(Estimates.unknown(PEOPLE), **fields, valid=np.ones(PEOPLE, np.bool_))
    detections = Detections.of_boxes(np.tile([0.0, 0, 9, 9], (PEOPLE, 1)), ids=np.arange(PEOPLE))
    low, high = (exact_hand.fingers.limits[:, :2, k] for k in (0, 1))
    angles = low + np.random.default_rng(0).random((PEOPLE, 1, 15, 2)).repeat(2, 1) * (high - low)
    axes = np.stack([exact_hand.mirrored().fingers.axes, exact_hand.fingers.axes])
    pose = rotmat_to_rotvec(finger_rotations(angles, axes))
    hands = dataclasses.replace(BodyHands.at_rest(PEOPLE), weights=np.ones((PEOPLE, 2)), angles=angles, pose=pose)
    return FingerSkin(exact_body, exact_hand).posed(pose_bodies(detections, estimates, exact_body), hands)


@pytest.fixture(scope="module")
def humans(bodies: Bodies, exact_hand: HandModel) -> Humans:
    return HumanFollower(HandAxes.of(exact_hand))(bodies, 0.0)


def positions(humans: Humans, row: int) -> dict[str, float]:
    """Angle by name of joint, as the JointStates of the person's body and hands have them."""
    named = {f"{joint.name}_{PERSON}": humans.angles[row, k] for k, joint in enumerate(REVOLUTE_JOINTS)}
    for side, letter in enumerate("lr"):
        angles = zip(HAND_REVOLUTES, humans.hands.angles[row, side], strict=True)
        named |= {f"{letter}_{joint.name}_{PERSON}": angle for joint, angle in angles}
    return named


def test_the_urdf_puts_joints_and_tips_where_the_mesh_has_them(bodies: Bodies, humans: Humans):
    for row in range(PEOPLE):
        text = urdf(PERSON, humans.link_origins[row], humans.hands.take(np.array([row])))
        poses = link_poses(read_joints(text), positions(humans, row))
        for side, letter in enumerate("lr"):
            wrist = poses[f"{letter}_hand_{PERSON}"][1]
            joints = bodies.hands.joints[row, side]
            for link, point in (("index_pip", "index2"), ("thumb_cmc_flexion", "thumb1"), ("ring_tip", "ring4")):
                place = poses[f"{letter}_{link}_{PERSON}"][1] - wrist
                wanted = (joints[MANO.index(point)] - joints[0]) @ humans.orientations[row]
                assert_allclose(place, wanted, atol=1e-6)


def test_with_the_fingers_at_rest_frames_are_aligned_and_point_along_the_hand(
    exact_body: BodyModel, exact_hand: HandModel, bodies: Bodies
):
    skin, still = FingerSkin(exact_body, exact_hand), BodyHands.at_rest(PEOPLE)
    rest = dataclasses.replace(still, weights=np.ones((PEOPLE, 2), np.float32))
    found = HumanFollower(HandAxes.of(exact_hand))(skin.posed(bodies, rest), 0.0).hands
    assert_allclose(found.angles[..., 3:], 0, atol=1e-12)
    assert_allclose(found.rotations[..., 3:, :], np.broadcast_to([0, 0, 0, 1.0], found.rotations[..., 3:, :].shape))
    row = next(k for k, joint in enumerate(HAND_JOINTS) if joint.name == "middle_mcp_abduction")
    assert (found.origins[:, :, row, 2] < -0.05).all()
    thumb = next(k for k, joint in enumerate(HAND_JOINTS) if joint.name == "thumb_cmc_abduction")
    assert (found.origins[:, :, thumb, 0] > 0.01).all()


def test_equal_angles_are_mirrored_poses(humans: Humans):
    fingers = humans.hands.angles[..., 3:]
    assert_allclose(fingers[:, 0], fingers[:, 1])
    left, right = humans.hands.axes.axes
    origins = humans.hands.origins
    assert_allclose(origins[:, 0, 4:], origins[:, 1, 4:] * [1, -1, 1], atol=4e-3)  # bodies are not quite symmetric
    assert_allclose(left[3:], right[3:] * [-1, 1, -1], atol=1e-6)


def test_angles_are_within_the_limits_of_the_urdf(humans: Humans):
    low, high = humans.hands.axes.limits.T
    fingers = humans.hands.angles[..., 3:]
    assert ((fingers >= low[3:] - 1e-9) & (fingers <= high[3:] + 1e-9)).all()
    assert np.abs(humans.hands.angles[..., 1]).max() <= np.pi / 2


def test_the_urdf_has_each_joint_once_and_cylinders_along_the_fingers(humans: Humans):
    root = ElementTree.fromstring(urdf(PERSON, humans.urdf_origins[0], humans.hands.take(np.array([0]))))
    names = [joint.get("name") for joint in root.iter("joint")]
    assert len(names) == len(set(names)) == 26 + 60
    assert {f"l_index_mcp_flexion_{PERSON}", f"r_pinky_dip_{PERSON}", f"r_thumb_ip_{PERSON}"} < set(names)
    links = {link.get("name"): link for link in root.iter("link")}
    assert len(links) == 27 + 60
    assert sum(link.find("visual") is not None for name, link in links.items() if "_index_" in name) == 6
    plain = urdf(PERSON, humans.urdf_origins[0])
    assert len(list(ElementTree.fromstring(plain).iter("joint"))) == 26


def test_people_without_hands_and_hands_without_a_model_have_none(bodies: Bodies, exact_hand: HandModel):
    assert HumanFollower()(bodies, 0.0).hands is None
    without = dataclasses.replace(bodies, hands=None)
    assert HumanFollower(HandAxes.of(exact_hand))(without, 0.0).hands is None
    none = HumanFollower(HandAxes.of(exact_hand))(bodies.take(slice(0)), 0.0).hands
    assert none.angles.shape == (0, 2, 24)
    with pytest.raises(ValueError, match=r"open_hand\.npz"):
        HandAxes.of(dataclasses.replace(exact_hand, fingers=None))
