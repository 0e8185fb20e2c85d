# SPDX-License-Identifier: Apache-2.0
"""People over time: speeds, remembered angles, and URDFs that change only when they must."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Bodies, Detections, State
from hmr_ros.core.ros4hri.joints import REVOLUTE_JOINT_LIMITS, REVOLUTE_JOINTS
from hmr_ros.core.ros4hri.motion import HumanFollower
from hmr_ros.core.skeleton import SMPL

UPRIGHT = np.array([np.pi, 0.0, 0.0])
ELBOW = [revolute.name for revolute in REVOLUTE_JOINTS].index("l_elbow")


@pytest.fixture
def standing(exact_body):
    """Makes people who stand side by side, with what is given of place, pose, shape and turn."""

    def make(ids=(1,), cam_t=(0.0, 0.0, 3.0), elbow=0.5, betas=0.0, turn=0.0):
        people = len(ids)
        root = rotmat_to_rotvec(rotvec_to_rotmat(np.array([0.0, turn, 0.0])) @ rotvec_to_rotmat(UPRIGHT))
        orient, places = np.tile(root, (people, 1)), np.tile(cam_t, (people, 1)) + np.arange(people)[:, None]
        pose, shape = np.zeros((people, 23, 3)), np.zeros((people, 10))
        pose[:, SMPL.index("left_elbow") - 1, 1] = -elbow
        shape[:, 0] = betas
        posed = exact_body.posed(orient, pose, shape, places)
        keypoints, scores = np.zeros((people, 17, 2)), np.ones((people, 17))
        detections = Detections(
            np.zeros((people, 4)), np.ones(people), keypoints, scores, "coco17", np.array(ids, np.int64)
        )
        return dataclasses.replace(
            Bodies.without_geometry(detections, exact_body.vertex_count),
            global_orient=orient,
            body_pose=pose,
            betas=shape,
            cam_t=places,
            joints=posed.joints,
            vertices=posed.vertices,
            valid=np.ones(people, np.bool_),
        )

    return make


def test_speeds_are_differences(standing):
    follower = HumanFollower()
    first = follower(standing(elbow=0.5), 10.0)
    assert np.isnan(first.velocities).all()
    assert np.isnan(first.angle_rates).all()
    second = follower(standing(cam_t=(0.1, 0.0, 3.2), elbow=0.7, turn=0.05), 10.1)
    # The middle of the hips turns about the pelvis joint, 1.6 cm away.
    assert np.allclose(second.velocities, [[1.0, 0.0, 2.0]], atol=0.02)
    assert np.allclose(second.angular_velocities, [[0.0, 0.5, 0.0]], atol=1e-9)
    assert second.angle_rates[0, ELBOW] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("dt_s", [-1.0, 0.0, 0.6])
def test_after_a_pause_or_a_step_back_in_time_there_is_no_speed(standing, dt_s):
    follower = HumanFollower()
    follower(standing(), 10.0)
    again = follower(standing(), 10.0 + dt_s)
    assert np.isnan(again.velocities).all()
    assert np.isnan(again.angular_velocities).all()
    assert np.isnan(again.angle_rates).all()
    assert np.isfinite(again.angles).all()


def test_a_track_seen_again_has_no_speed_from_its_expected_position(standing):
    follower = HumanFollower()
    follower(standing(), 10.0)
    hidden = dataclasses.replace(standing(cam_t=(0.1, 0.0, 3.0)), states=np.array([State.COASTING]))
    assert follower(hidden, 10.1).velocities == pytest.approx(np.array([[1.0, 0, 0]]))
    assert np.isnan(follower(standing(cam_t=(0.5, 0.0, 3.0)), 10.2).velocities).all()
    assert follower(standing(cam_t=(0.6, 0.0, 3.0)), 10.3).velocities == pytest.approx(np.array([[1.0, 0, 0]]))


def test_a_camera_that_turns_and_drives_gives_people_who_stand_no_speed(standing):
    turn = Transform(rotvec_to_rotmat(np.array([0, 0.1, 0])), np.array([0.2, 0.0, 0.1]))
    then, now = CameraPose(Transform.identity(), 0), CameraPose(turn, 0)
    here = standing(cam_t=(0.3, 0.0, 3.0))
    there = standing(cam_t=turn.inverse()(np.array([0.3, 0.0, 3.0])), turn=-0.1)
    follower = HumanFollower()
    follower(here, 10.0, then)
    second = follower(there, 10.1, now)
    assert np.allclose(second.velocities, 0, atol=1e-6)
    assert np.allclose(second.angular_velocities, 0, atol=1e-6)
    unrelated = HumanFollower()
    unrelated(here, 10.0, then)
    assert np.linalg.norm(unrelated(there, 10.1, CameraPose(turn, 1)).velocities) > 1


def test_people_are_distinguished_by_their_ids(standing):
    follower = HumanFollower()
    follower(standing(ids=(1, 2), elbow=0.5), 0.0)
    swapped = follower(standing(ids=(2, 1), elbow=0.5), 0.1)
    assert np.allclose(swapped.velocities[0], [-10, -10, -10], atol=1e-6)  # they changed places
    assert np.allclose(swapped.velocities[1], [10, 10, 10], atol=1e-6)


def test_a_track_that_left_is_forgotten(standing):
    follower = HumanFollower()
    follower(standing(), 0.0)
    follower.forget([1, 99])
    again = follower(standing(), 0.1)
    assert again.reshaped.all()
    assert np.isnan(again.velocities).all()


def test_a_shape_is_held_until_it_is_clearly_wrong(standing):
    follower = HumanFollower()
    first = follower(standing(betas=0.0), 0.0)
    assert first.reshaped.all()
    settling = follower(standing(betas=0.02), 0.1)
    assert not settling.reshaped.any()
    assert np.array_equal(settling.urdf_origins, first.urdf_origins)
    grown = follower(standing(betas=2.0), 0.2)
    assert grown.reshaped.all()
    assert not np.allclose(grown.urdf_origins, first.urdf_origins)


def test_only_people_with_a_position_are_followed(standing):
    bodies = standing(ids=(1, 2))
    bodies = dataclasses.replace(bodies, valid=np.array([False, True]))
    assert HumanFollower()(bodies, 0.0).ids.tolist() == [2]


def test_no_people(standing):
    humans = HumanFollower()(standing(ids=()), 0.0)
    assert len(humans) == 0
    assert humans.angles.shape == (0, 20)
    assert humans.link_origins.shape == (0, 26, 3)
    assert humans.limit_violations == 0


def test_clamped_angles_are_within_the_limits(standing):
    humans = HumanFollower()(standing(elbow=3.0), 0.0)
    assert humans.limit_violations == 1
    clamped = humans.clamped()
    assert clamped.limit_violations == 0
    assert clamped.angles[0, ELBOW] == REVOLUTE_JOINT_LIMITS[ELBOW, 1]
    others = np.arange(len(REVOLUTE_JOINTS)) != ELBOW
    assert np.array_equal(clamped.angles[:, others], humans.angles[:, others])
    assert not np.allclose(clamped.link_rotations, humans.link_rotations)


@pytest.mark.parametrize(("dt_s", "moves"), [(0.5, True), (0.51, False)])
def test_speeds_are_told_over_half_a_second_and_not_longer(standing, dt_s, moves):
    follower = HumanFollower()
    follower(standing(), 10.0)
    again = follower(standing(cam_t=(0.2, 0.0, 3.0)), 10.0 + dt_s)
    assert np.isfinite(again.velocities).all() == moves
    assert np.isfinite(again.angle_rates).all() == moves


def test_rates_of_angles_go_the_short_way_round(standing):
    """An angle that passes from pi to -pi moved by little; limits are kept on both sides."""
    follower = HumanFollower()
    last = follower(standing(), 0.0)
    follower._memories[1].angles[:] = last.angles[0] + 2 * np.pi - 0.1
    again = follower(standing(), 0.1)
    assert np.allclose(again.angle_rates, 1.0, atol=0.05)


def test_angles_below_and_above_their_limits_are_counted_and_clamped(standing):
    humans = HumanFollower()(standing(), 0.0)
    low, high = REVOLUTE_JOINT_LIMITS.T
    angles = humans.angles.copy()
    angles[0, :3] = low[0] - 0.1, high[1] + 0.1, low[2]
    off = dataclasses.replace(humans, angles=angles)
    assert off.limit_violations == 2
    assert off.clamped().angles[0, :3].tolist() == [low[0], high[1], low[2]]
