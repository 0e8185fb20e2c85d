# SPDX-License-Identifier: Apache-2.0
"""People in the world of a robot that turns and drives: the camera's own motion cancels."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import State
from hmr_ros.core.temporal.velocity import VelocityFilter
from test.perception.driving import DRIVING, PEOPLE, STANDING, STILL, SwitchedError, drive_past, nothing

SECONDS = 4.0
SETTLED_S = 0.5


def ids(images):
    return {track_id for seen in images for track_id in seen.result.bodies.ids.tolist()}


def error_m(images, state=State.TRACKED):
    """RMS in the world, once tracks have begun."""
    settled = [seen for seen in images if seen.stamp_s > SETTLED_S]
    off = [(seen.places - seen.truth)[seen.result.bodies.states == state] for seen in settled]
    return float(np.sqrt(np.square(np.concatenate(off)).sum(1).mean()))


@pytest.mark.parametrize("rate_hz", [10, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2, 3))])
def test_a_camera_that_turns_and_drives_sees_as_well_as_one_that_stands(rate_hz, seed):
    """90 degrees/s and 1 m/s: all keep their ids, also those who are out of view for a while."""
    still, driving = (drive_past(drive, rate_hz, SECONDS, seed=seed) for drive in (STILL, DRIVING))
    assert len(ids(still)) == len(ids(driving)) == len(PEOPLE)
    assert error_m(driving) < 1.2 * error_m(still)


@pytest.mark.parametrize("rate_hz", [10, pytest.param(30, marks=pytest.mark.slow)])
def test_people_who_stand_have_no_speed_in_the_world(rate_hz):
    """As `people` gets it, of nav2: below 0.1 m/s but where someone has just come into view."""
    speeds = []
    for seed in (0, 1, 2, 3) if rate_hz == 30 else (0,):
        follow = VelocityFilter()
        for seen in drive_past(DRIVING, rate_hz, SECONDS, seed=seed):
            bodies = seen.result.bodies
            tracked = bodies.states == State.TRACKED
            velocities = follow(bodies.ids, seen.places, tracked, seen.stamp_s)
            rows = tracked & np.isin(seen.walkers, STANDING) & (seen.stamp_s > 1)
            speeds += np.linalg.norm(velocities[rows], axis=1).tolist()
    assert np.median(speeds) < 0.1
    assert np.percentile(speeds, 90) < 0.3


def test_without_the_world_such_a_camera_mixes_people_up():
    with pytest.raises(SwitchedError):
        drive_past(DRIVING, 10, SECONDS, nothing)


def test_people_out_of_view_stay_where_they_are_in_the_world():
    images = drive_past(dataclasses.replace(DRIVING, people=tuple(PEOPLE[k] for k in STANDING)), 10, SECONDS)
    places = {}
    for seen in images:
        bodies = seen.result.bodies
        for track_id, place, state in zip(bodies.ids.tolist(), seen.places, bodies.states, strict=True):
            if state == State.COASTING:
                assert np.linalg.norm(place - places[track_id]) < 0.5, "no farther than a noisy velocity leads"
            else:
                places[track_id] = place
    assert any((seen.result.bodies.states == State.COASTING).any() for seen in images)


def test_the_frame_of_the_world_makes_no_difference():
    elsewhere = Transform(rotvec_to_rotmat(np.array([1.0, -2.0, 0.5])), np.array([100.0, -20, 3]))
    here = drive_past(DRIVING, 10, SECONDS)
    there = drive_past(DRIVING, 10, 2.0, lambda stamp_s, pose: elsewhere.after(pose))
    for a, b in zip(here, there, strict=False):
        np.testing.assert_allclose(a.result.bodies.cam_t, b.result.bodies.cam_t, atol=1e-6)
        np.testing.assert_allclose(a.result.bodies.joints, b.result.bodies.joints, atol=1e-5)


def test_a_world_that_stands_still_is_none():
    with_one, without = drive_past(STILL, 10, 1.0), drive_past(STILL, 10, 1.0, nothing)
    for a, b in zip(with_one, without, strict=True):
        np.testing.assert_allclose(a.result.bodies.cam_t, b.result.bodies.cam_t, atol=1e-6)
    assert all(seen.result.pose is None for seen in without)


@pytest.mark.parametrize("kind", ["late", "missing", "jumping", "leaping once"])
def test_whatever_happens_to_the_world_nobody_leaps_before_the_camera(kind):
    """People are where the camera shows them, within its errors, as without a world."""

    def world(stamp_s, pose):
        k = round(10 * stamp_s)
        aside = Transform(np.eye(3), np.array([3.0, 0, 0]))
        if kind == "late":
            return None if k % 3 == 2 else pose
        if kind == "missing":
            return None if 8 <= k < 15 else pose
        leaps = k >= 10 if kind == "jumping" else k == 10
        return aside.after(pose) if leaps else pose

    standing = dataclasses.replace(STILL, people=tuple(PEOPLE[k] for k in STANDING))
    for seen, plain in zip(drive_past(standing, 10, 2.0, world), drive_past(standing, 10, 2.0, nothing), strict=True):
        off = np.linalg.norm(seen.result.bodies.cam_t - plain.result.bodies.cam_t, axis=1)
        assert (off < 0.01).all()
        assert bool(seen.result.jump) == ("p" in kind and round(10 * seen.stamp_s) in (10, *([11] * ("once" in kind))))


def test_a_world_that_comes_back_is_as_good_as_before():
    images = drive_past(DRIVING, 10, SECONDS, lambda stamp_s, pose: None if 0.2 < stamp_s < 0.4 else pose)
    assert len(ids(images)) == len(PEOPLE)
    assert error_m(images) < 1.2 * error_m(drive_past(DRIVING, 10, SECONDS))
