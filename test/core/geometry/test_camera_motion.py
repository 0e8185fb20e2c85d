# SPDX-License-Identifier: Apache-2.0
"""A camera's motion cancels between poses of one world, and nothing leaps where the world is missing or jumps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.camera_motion import CameraMotion, CameraPose, CameraPoses
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.records import join_rows

POINT = np.array([0.5, 0.2, 4.0])


def at(x=0.0, yaw=0.0):
    """World from optical: ``x`` m to the right, turned by ``yaw`` rad to the right."""
    return Transform(rotvec_to_rotmat(np.array([0, yaw, 0])), np.array([x, 0, 0]))


def test_a_point_that_stands_still_is_where_the_later_image_shows_it():
    follow = CameraMotion()
    then, now = follow(at(0.0, 0.0), 1.0), follow(at(0.1, 0.15), 1.1)
    world = at(0.0, 0.0)(POINT)
    assert_allclose(now.motion_from(then)(POINT), at(0.1, 0.15).inverse()(world), atol=1e-12)


def test_rows_are_carried_as_single_poses_and_unknown_ones_stay():
    follow = CameraMotion()
    then, now = follow(at(), 1.0), follow(at(0.1, 0.15), 1.1)
    poses = join_rows([CameraPoses.of(then, 1), CameraPoses.of(None, 1)])
    motions, motion = poses.motions_to(now), now.motion_from(then)
    points = motions.points(np.stack([POINT, POINT]))
    assert_allclose(points[0], motion(POINT), atol=1e-12)
    assert_allclose(points[1], POINT)
    assert_allclose(motions.directions(np.stack([POINT, POINT]))[0], motion.rotation @ POINT, atol=1e-12)
    covariance = np.diag([1.0, 2, 3])
    turned = motion.rotation @ covariance @ motion.rotation.T
    assert_allclose(motions.covariances(np.stack([covariance] * 2)), [turned, covariance], atol=1e-12)
    after = poses.replaced(now)
    assert_allclose(after.translations, [[0.1, 0, 0], [0, 0, 0]])
    assert_allclose(after.motions_to(now).points(np.stack([POINT, POINT])), [POINT, POINT], atol=1e-12)


def test_without_a_pose_there_is_no_motion():
    follow = CameraMotion()
    then = follow(at(), 1.0)
    assert follow(None, 1.1) is None
    assert then.motion_from(None) is None
    assert CameraPoses.of(then, 2).motions_to(None) is None
    assert CameraPoses.of(None, 2).motions_to(then) is None
    assert follow(at(0.2), 1.2).motion_from(then) is not None, "the world of before the gap is known again"


@pytest.mark.parametrize("period_s", [1 / 60, 1 / 10, 1 / 5])
def test_a_robot_that_turns_and_drives_does_not_jump(period_s):
    """90 degrees/s to and fro, at once, and 1 m/s."""
    follow, last = CameraMotion(), None
    for k in range(round(4 / period_s)):
        t = k * period_s
        pose = follow(at(t, np.radians(45) * (4 * abs((t / 2 + 0.25) % 1 - 0.5) - 1)), t)
        assert follow.jump == ""
        assert last is None or pose.motion_from(last) is not None
        last = pose


@pytest.mark.parametrize(("x", "yaw", "words"), [(2.0, 0.0, "by 2.00 m"), (0.0, 1.0, "57 degrees")])
def test_a_world_that_jumps_begins_again_at_once(x, yaw, words):
    follow = CameraMotion()
    first, second = follow(at(), 1.0), follow(at(), 1.1)
    third = follow(at(x, yaw), 1.2)
    assert words in follow.jump
    assert third.motion_from(second) is None
    assert second.motion_from(first) is not None
    fourth = follow(at(x + 0.1, yaw), 1.3)
    assert follow.jump == ""
    assert_allclose(fourth.motion_from(third).translation, -at(0, yaw).rotation.T[:, 0] * 0.1, atol=1e-12)


def test_another_world_begins_after_a_reset_and_time_may_start_over():
    follow = CameraMotion()
    then = follow(at(), 1.0)
    assert follow(at(5.0), 0.5).motion_from(then) is not None, "an earlier stamp says nothing about speed"
    follow.reset()
    assert follow(at(), 1.1).motion_from(then) is None


@pytest.mark.parametrize(
    ("rotation", "translation"),
    [
        (np.diag([1.0, 1, -1]), np.zeros(3)),
        (2 * np.eye(3), np.zeros(3)),
        (np.full((3, 3), np.nan), np.zeros(3)),
        (np.eye(3), np.array([0, np.inf, 0])),
        (np.eye(4), np.zeros(3)),
        (np.eye(3), np.zeros(4)),
    ],
)
def test_a_transform_that_is_none_is_refused(rotation, translation):
    with pytest.raises(ValueError, match="world: expected a Transform from the optical frame"):
        CameraMotion()(Transform(rotation, translation), 0.0)


def test_poses_of_different_segments_are_not_compared():
    assert CameraPose(at(), 1).motion_from(CameraPose(at(), 2)) is None
