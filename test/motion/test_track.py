# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.people import State
from hmr_ros.motion.collecting import rate_hz, samples_of
from hmr_ros.motion.track import Y_UP, Samples, tracks_at
from hmr_ros.motion.writing import MotionOptions, tracks_of
from hmr_ros.results.floor import Floor
from hmr_ros.results.snapshot import Snapshot
from test.results.results import HEIGHT_M, OPTICAL_FROM_LEVEL, bodies, with_fingers

FLOOR = Floor(OPTICAL_FROM_LEVEL @ np.array([0, -1.0, 0]), -HEIGHT_M)
KNEE = 4


def samples(times):
    """A pelvis that goes 1 m/s, and a knee that bends 1 rad/s."""
    times = np.asarray(times, np.float64)
    pose = np.zeros((len(times), 24, 3))
    pose[:, KNEE, 0] = times
    return Samples(
        "7", times, pose, np.stack([times, 0 * times, 0 * times], -1), np.zeros(10), np.zeros((len(times), 2, 15, 3))
    )


def snapshots(times, people=(1,), states=None):
    states = states or [State.TRACKED] * len(times)
    found = [bodies(k, people, [state] * len(people)) for k, state in enumerate(states)]
    return [Snapshot(k, t, found[k], tuple(map(str, people))) for k, t in enumerate(times)]


def test_frames_lie_between_images_where_these_are():
    (track,) = tracks_at(samples(np.arange(11) / 10), 25, 10, 0.5)
    assert len(track) == 26
    np.testing.assert_allclose(track.pelvis[:, 0], track.times, atol=1e-12)
    np.testing.assert_allclose(track.pose[:, KNEE, 0], track.times, atol=1e-12)
    assert track.filled == 0


def test_at_the_rate_of_the_images_nothing_changes():
    seen = samples(np.arange(11) / 10)
    (track,) = tracks_at(seen, 10, 10, 0.5)
    np.testing.assert_allclose(track.pose, seen.pose, atol=1e-12)
    assert (track.fps, track.start_s) == (10, 0)


def test_rotations_take_the_shorter_way():
    seen = samples([0, 1])
    seen.pose[:, KNEE] = [[3.0, 0, 0], [-3.0, 0, 0]]  # 0.28 rad apart, across the half turn
    (track,) = tracks_at(seen, 2, 1, 2)
    assert np.abs(track.pose[1, KNEE]) == pytest.approx([np.pi, 0, 0], abs=1e-6)


def test_fingers_are_interpolated_and_rest_where_they_are_not_known():
    still = samples([0.0, 0.1, 0.2])
    assert not next(tracks_at(still, 20, 10, 0.5)).has_fingers
    fingers = np.zeros((3, 2, 15, 3))
    fingers[:, 1, 4, 2] = [0.2, 0.4, 0.4]
    (track,) = tracks_at(dataclasses.replace(still, fingers=fingers), 20, 10, 0.5)
    assert track.has_fingers
    np.testing.assert_allclose(track.fingers[:, 1, 4, 2], [0.2, 0.3, 0.4, 0.4, 0.4], atol=1e-9)
    assert not track.fingers[:, 0].any()


def test_the_hands_of_bodies_are_collected():
    found = [with_fingers(bodies(0)), bodies(1)]
    images = [Snapshot(k, 0.1 * k, each, ("1",)) for k, each in enumerate(found)]
    (person,) = samples_of(images, FLOOR.floor_from_optical)
    np.testing.assert_allclose(person.fingers[0], found[0].hands.pose[0], atol=1e-7)
    assert not person.fingers[1].any()


def test_short_gaps_are_filled_and_counted_and_long_ones_part_the_track():
    times = np.array([0, 0.1, 0.2, 0.5, 0.6, 2.0, 2.1, 2.2, 9.0])
    first, second = tracks_at(samples(times), 10, 10, 0.5)
    assert (len(first), first.filled, first.start_s) == (7, 2, 0)
    assert (len(second), second.filled, second.start_s) == (3, 0, 2.0)
    np.testing.assert_allclose(first.pelvis[:, 0], np.arange(7) / 10, atol=1e-12)


def test_images_at_a_lower_rate_are_no_gaps():
    (track,) = tracks_at(samples([0, 2, 4, 6]), 1, 0.5, 0.5)
    assert (len(track), track.filled) == (7, 0)


def test_times_must_rise():
    with pytest.raises(ValueError, match="expected rising times"):
        samples([0, 0.1, 0.1])


def test_people_are_in_the_world_of_the_floor():
    (person,) = samples_of(snapshots([0, 0.1, 0.2]), FLOOR.floor_from_optical)
    np.testing.assert_allclose(person.pelvis[:, 0], 4, atol=1e-6)  # ahead
    np.testing.assert_allclose(person.pelvis[:, 1], [0, -0.1, -0.2], atol=1e-6)  # they walk to the right
    assert 0.7 < person.pelvis[0, 2] < 1.2
    np.testing.assert_allclose(person.pose[:, KNEE, 0], [0, 0.05, 0.1], atol=1e-6)


def test_with_y_up_right_is_x_and_ahead_is_away():
    ahead_left_up = np.array([4.0, 1.0, 2.0])
    np.testing.assert_allclose(Y_UP @ ahead_left_up, [-1, 2, -4])
    assert np.linalg.det(Y_UP) == pytest.approx(1)


def test_images_that_do_not_show_a_person_are_gaps():
    states = [State.TRACKED, State.COASTING, State.TENTATIVE, State.TRACKED]
    (person,) = samples_of(snapshots([0, 0.1, 0.2, 0.3], states=states), FLOOR.floor_from_optical)
    assert person.times.tolist() == [0, 0.3]


def test_time_that_jumps_back_or_stands_still_is_left_out():
    (person,) = samples_of(snapshots([0, 0.1, 0.1, 0.0, 0.2]), FLOOR.floor_from_optical)
    assert person.times.tolist() == [0, 0.1, 0.2]


def test_photos_and_single_images_are_no_motion():
    with pytest.raises(ValueError, match="photos are no motion"):
        samples_of(snapshots([np.nan]), FLOOR.floor_from_optical)
    with pytest.raises(ValueError, match="one image is no motion"):
        rate_hz(snapshots([0.5]))


def test_people_are_chosen_and_short_tracks_are_left_out():
    reports = []
    each = snapshots(np.arange(12) / 10, people=(1, 2))
    each += [dataclasses.replace(s, stamp_s=s.stamp_s + 2) for s in snapshots([0, 0.1, 0.2], people=(3,))]
    found = tracks_of(each, FLOOR.floor_from_optical, MotionOptions(), reports.append)
    assert [(t.name, len(t), t.fps) for t in found] == [("1", 12, 10), ("2", 12, 10)]
    assert reports == ["3: what is shorter than 1 s is left out (--min-seconds)"]
    (second,) = tracks_of(each, FLOOR.floor_from_optical, MotionOptions(people=["2"], fps=20), pytest.fail)
    assert (second.name, len(second)) == ("2", 23)
    with pytest.raises(ValueError, match="--person 9: not in this result; there are 1, 2, 3"):
        tracks_of(each, FLOOR.floor_from_optical, MotionOptions(people=["9"]), pytest.fail)


@pytest.mark.parametrize("wrong", [{"fps": 0.0}, {"fps": -3.0}, {"max_gap_s": float("nan")}, {"min_s": -1.0}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a positive number"):
        MotionOptions(**wrong)
