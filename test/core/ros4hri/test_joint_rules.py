# SPDX-License-Identifier: Apache-2.0
"""The singular cases of a person's revolute joints, with numbers worked out by hand."""

import numpy as np
import pytest

from hmr_ros.core.ros4hri.body_frame import ROS_FROM_SMPL, body_frame
from hmr_ros.core.ros4hri.joints import _head, _revolute_joints, _rotation, _shoulder, _waist, axis_slants, wrapped
from hmr_ros.core.skeleton import SMPL

SIDES = np.array([1.0, -1.0])
"""Of the y axis: left, right."""


def test_angles_are_wrapped_to_above_minus_pi_and_up_to_pi():
    pi = np.pi
    given = np.array([0, 1, pi, -1, 1.5 * pi, -1.5 * pi, 7 * pi + 0.1])
    assert np.allclose(wrapped(given), [0, 1, pi, -1, -pi / 2, pi / 2, 0.1 - pi])
    assert wrapped(np.array([-pi]))[0] == pytest.approx(pi)


def up_of(pitch, yaw=0.0):
    """(1, 2, 3) arms, mirrored: z rotated by p_shoulder and then y_shoulder, from Rz(-s y) Rx(s p)."""
    out = [_rotation(2, np.array(-s * yaw)) @ _rotation(0, np.array(s * pitch)) @ [0, 0, 1] for s in SIDES]
    return np.array(out)[None]


@pytest.mark.parametrize(("pitch", "yaw"), [(0.3, 0.4), (1.5, -2.0), (3.0, 1.0), (-0.6, 0.2)])
def test_shoulders_come_back(pitch, yaw):
    found = _shoulder(up_of(pitch, yaw), np.full((1, 2), yaw if pitch < 0 else np.nan))
    trust = np.sin(pitch) ** 2 / (np.sin(pitch) ** 2 + 0.05**2)
    assert np.allclose(found[0], yaw, atol=2 * (1 - trust) if pitch < 0 else 1e-9)
    assert np.allclose(found[1], pitch, atol=0.01 if pitch < 0 else 1e-9)


@pytest.mark.parametrize(("back", "expected"), [(0.69, (0, -0.69)), (0.71, (np.pi, 0.71))])
def test_an_arm_a_little_behind_is_a_negative_pitch(back, expected):
    yaw, pitch = _shoulder(up_of(-back), np.full((1, 2), np.nan))
    assert np.allclose(np.abs(yaw), expected[0])
    assert np.allclose(pitch, expected[1])


def test_a_yaw_near_the_singular_direction_is_believed_by_its_distance_from_it():
    """At a distance of 0.05 half of the way from 0.4 rad to the measured 0; far away nearly all."""
    last = np.full((1, 2), 0.4)
    assert np.allclose(_shoulder(up_of(np.arcsin(0.05)), last)[0], 0.2)
    assert np.allclose(_shoulder(up_of(np.pi / 2), last)[0], 0.4 / (1 + 400))


def limb(bend, sideways=0.0):
    """Arms and legs that hang down, bent as they do, in a plane ``sideways`` rad to the left of forward."""
    bends = np.array([1, 1, -1, -1])
    plane = np.array([np.cos(sideways), np.sin(sideways), 0])
    distal = np.array([b * np.sin(bend) * plane - np.cos(bend) * np.array([0, 0, 1]) for b in bends])[None]
    up, twists = np.tile([0.0, 0, 1], (1, 4, 1)), np.tile([1.0, 0, 0], (1, 4, 1))
    return _revolute_joints(up, distal, twists, np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("reach", "fraction"), [(0.04, 0.0), (0.05, 0.0), (0.075, 5 / 32), (0.1, 0.5), (0.15, 1.0), (0.5, 1.0)]
)
def test_a_limb_turns_to_the_plane_of_its_bend_as_far_as_it_is_bent(reach, fraction):
    """Smoothly, as 3 t^2 - 2 t^3 from a bend of 0.05 to one of 0.15."""
    forward, bend = limb(np.arcsin(reach), sideways=0.8)
    assert np.allclose(np.arctan2(forward[0, :, 1], forward[0, :, 0]), 0.8 * fraction)
    if fraction == 1:
        assert np.allclose(bend, np.arcsin(reach) * np.array([1, 1, -1, -1]))


@pytest.mark.parametrize(("bend", "is_over"), [(0.19, True), (0.21, False)])
def test_a_limb_bends_backwards_by_a_fifth_and_is_twisted_beyond(bend, is_over):
    forward, found = limb(-bend, sideways=0.1)
    turned = np.arctan2(forward[0, :, 1], forward[0, :, 0])
    assert np.allclose(turned, 0.1 if is_over else 0.1 - np.pi)
    assert np.allclose(found, (-bend if is_over else bend) * np.array([1, 1, -1, -1]))


def test_heads_come_back_as_roll_yaw_and_pitch():
    roll, yaw, pitch = np.array([0.3, -0.5]), np.array([0.7, 1.2]), np.array([-0.4, 0.6])
    assert np.allclose(
        _head(_rotation(0, roll) @ _rotation(2, yaw) @ _rotation(1, -pitch)), np.stack([roll, yaw, pitch], 1)
    )


def test_the_waist_leans_as_the_line_from_hips_to_shoulders():
    joints = np.zeros((1, 24, 3))
    for side, y in (("left", 0.2), ("right", -0.2)):
        joints[0, SMPL.index(f"{side}_hip")] = [1, y, 1]
        joints[0, SMPL.index(f"{side}_shoulder")] = [1 + 0.5 * np.sin(0.3), y, 1 + 0.5 * np.cos(0.3)]
    assert np.allclose(_waist(joints, np.eye(3)[None]), 0.3)
    turn = _rotation(2, np.array([1.1]))
    assert np.allclose(_waist(joints @ turn[0].T, turn), 0.3)


def test_a_forearm_that_slants_to_the_left_has_that_angle():
    rest = np.zeros((1, 24, 3))
    for side, x in (("left", 1.0), ("right", -1.0)):  # SMPL's x is left, y is up
        for slant, chain in ((0.2, "shoulder elbow wrist"), (-0.1, "hip knee ankle")):
            at = np.array([x, 0, 0])
            joints = at, at + [0, -1, 0], at + [0.5 * np.sin(slant), -1 - 0.5 * np.cos(slant), 0]
            for part, place in zip(chain.split(), joints, strict=True):
                rest[0, SMPL.index(f"{side}_{part}")] = place
    assert np.allclose(axis_slants(rest), [[0.2, 0.2, -0.1, -0.1]])


def test_a_body_frame_stands_between_the_hips_and_looks_ahead():
    joints = np.zeros((1, 24, 3))
    joints[0, SMPL.index("left_hip")], joints[0, SMPL.index("right_hip")] = [1.0, 2, 3], [3.0, 2, 5]
    origin, axes = body_frame(np.eye(3)[None], joints)
    assert np.allclose(origin, [[2, 2, 4]])
    assert np.allclose(axes[0] @ [1, 0, 0], [0, 0, 1]), "forward is SMPL's z"
    assert np.allclose(axes[0] @ [0, 1, 0], [1, 0, 0]), "left is SMPL's x"
    assert np.allclose(ROS_FROM_SMPL @ [0, 1, 0], [0, 0, 1]), "up is SMPL's y"
