# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hmr_ros.core.body.skinning import chained_joints, world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.temporal.pose_history import PoseHistory, TrackPose
from hmr_ros.core.temporal.pose_window import (
    NEWEST,
    OLDEST_S,
    WANTED_AGES_S,
    WINDOW,
    chosen_images,
    joints_in_body,
    pose_windows,
)

REST = np.cumsum(np.full((24, 3), 0.05), 0)


def ages_at(rate_hz):
    return np.arange(0, OLDEST_S, 1 / rate_hz)[None]


@pytest.mark.parametrize("rate_hz", [30.0, 60.0, 120.0])
def test_at_high_rates_the_newest_images_and_the_wanted_ages_are_found(rate_hz):
    number, filled = chosen_images(ages_at(rate_hz))
    assert filled.all()
    assert number[0, :NEWEST].tolist() == list(range(NEWEST))
    np.testing.assert_allclose(ages_at(rate_hz)[0][number[0, NEWEST:]], WANTED_AGES_S, atol=0.5 / rate_hz + 1e-9)


def test_at_low_rates_every_image_is_taken_once():
    number, filled = chosen_images(ages_at(5.0))
    assert filled.sum() == 5
    assert sorted(number[0][filled[0]]) == [0, 1, 2, 3, 4]
    assert number[0][0] == 0


def test_missing_and_old_images_are_not_taken():
    ages = np.array([[0.0, np.nan, 0.3, 1.2], [np.nan, np.nan, np.nan, 0.0]])
    number, filled = chosen_images(ages)
    assert {int(n) for n in number[0][filled[0]]} == {0, 2}
    assert number[1][filled[1]].tolist() == [3]
    assert (number[~filled] == 0).all()


def poses(count, seed=0):
    rng = np.random.default_rng(seed)
    return rotvec_to_rotmat(rng.normal(0, 0.5, (count, 24, 3)))


def test_a_person_straight_ahead_stays_in_the_optical_axes():
    rotations = np.broadcast_to(poses(1), (1, WINDOW, 24, 3, 3))
    unmoved = np.broadcast_to(np.eye(3), (1, WINDOW, 3, 3))
    given = (np.full((1, WINDOW, 24), 0.1), np.zeros((1, WINDOW)), np.ones((1, WINDOW), np.bool_), unmoved)
    windows = pose_windows(rotations, joints_in_body(rotations, REST), *given, np.array([[0.0, 0, 3]]))
    np.testing.assert_allclose(windows.rotations, rotations, atol=1e-6)
    np.testing.assert_allclose(windows.optical_from_virtual[0], np.eye(3), atol=1e-6)
    posed = chained_joints(world_rotations(rotations), REST)
    np.testing.assert_allclose(windows.joints, posed, atol=1e-6)


def test_the_line_of_sight_is_z_and_leads_back():
    rotations, cam_t = np.broadcast_to(poses(1), (1, WINDOW, 24, 3, 3)), np.array([[2.0, -0.5, 3]])
    unmoved = np.broadcast_to(np.eye(3), (1, WINDOW, 3, 3))
    given = (np.full((1, WINDOW, 24), 0.1), np.zeros((1, WINDOW)), np.ones((1, WINDOW), np.bool_), unmoved)
    windows = pose_windows(rotations, joints_in_body(rotations, REST), *given, cam_t)
    sight = cam_t[0] / np.linalg.norm(cam_t[0])
    np.testing.assert_allclose(windows.optical_from_virtual[0] @ [0, 0, 1], sight, atol=1e-6)
    back = windows.optical_from_virtual[0] @ windows.rotations[0, 0, 0]
    np.testing.assert_allclose(back, rotations[0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(windows.rotations[:, :, 1:], rotations[:, :, 1:], atol=1e-6)


def history(turns, stamps, seed=0):
    """A person who stands still before a camera that turns, known by ``turns`` (T, 3, 3) or not at all."""
    root = poses(1, seed)[0]
    made = PoseHistory()
    for turn, stamp in zip(turns, stamps, strict=True):
        rotations = root.copy()
        rotations[0] = turn @ root[0]
        known = None if stamp == 0.1 else turn
        made.add(
            7, TrackPose.of_image(float(stamp), rotations, joints_in_body(rotations, REST), np.full(24, 0.1), known)
        )
    return made


def test_the_cameras_turning_is_taken_out_where_it_is_known():
    stamps = np.array([0.0, 0.1, 0.2])
    turns = rotvec_to_rotmat(np.array([[0, 0.0, 0], [0, 0.3, 0], [0, 0.6, 0]]))
    windows, _ = history(turns, stamps).windows(np.array([7]), np.array([[0.0, 0, 3]]))
    by_age = {round(float(age), 3): root for age, root in zip(windows.age[0], windows.rotations[0, :, 0], strict=True)}
    np.testing.assert_allclose(by_age[0.2], windows.rotations[0, 0, 0], atol=1e-6)
    assert np.abs(by_age[0.1] - windows.rotations[0, 0, 0]).max() > 0.1, "unknown: as if it stood still"


def test_the_history_forgets_what_is_old_gone_or_not_before():
    made = PoseHistory()

    def seen(stamp, track_id=1):
        return made.add(track_id, TrackPose.of_image(stamp, poses(1)[0], REST, np.full(24, 0.1), None))

    assert [seen(0.0), seen(0.1), seen(0.2)] == [1, 2, 3]
    assert seen(0.2) == 3, "the same stamp again: the new one counts"
    assert seen(0.2 + OLDEST_S) == 2
    assert seen(0.0) == 1, "time began again"
    seen(0.0, 2)
    made.forget([1, 3])
    assert seen(0.1) == 1
    made.reset()
    assert seen(0.2) == 1


def test_windows_of_people_with_longer_and_shorter_histories():
    made = PoseHistory()
    for number in range(4):
        made.add(1, TrackPose.of_image(0.1 * number, poses(1, number)[0], REST, np.full(24, 0.1), None))
    made.add(2, TrackPose.of_image(0.3, poses(1, 9)[0], REST, np.full(24, 0.2), None))
    windows, published = made.windows(np.array([2, 1]), np.array([[0.0, 0, 3], [0, 0, 4]]))
    assert windows.mask.sum(1).tolist() == [1, 4]
    np.testing.assert_allclose(windows.rotations[1, 0], poses(1, 3)[0], atol=1e-6)
    inputs = windows.inputs(published)
    assert {name: array.dtype for name, array in inputs.items()} == dict.fromkeys(inputs, np.float32)


def test_what_was_published_of_older_images_is_read_in_the_axes_of_the_newest():
    stamps = np.array([0.0, 0.2])
    turns = rotvec_to_rotmat(np.array([[0, 0.0, 0], [0, 0.6, 0]]))
    made, answer = history(turns[:1], stamps[:1]), poses(1, 5)
    untouched = made.windows(np.array([7]), np.array([[0.0, 0, 3]]))[1]
    np.testing.assert_array_equal(untouched[0, 0], poses(1)[0])
    made.publish(np.array([7]), answer)
    made.add(7, TrackPose.of_image(0.2, poses(1)[0], REST, np.full(24, 0.1), turns[1]))
    windows, published = made.windows(np.array([7]), np.array([[1.0, 0, 3]]))
    np.testing.assert_array_equal(published[0, 0], answer[0])
    read = windows.inputs(published)["published"][0, 0]
    seen_now = windows.optical_from_virtual[0].T @ turns[1] @ turns[0].T @ answer[0, 0]
    np.testing.assert_allclose(read[0], seen_now, atol=1e-6)
    np.testing.assert_allclose(read[1:], answer[0, 1:], atol=1e-6)


def chosen_one_by_one(ages):
    """The slow reference of chosen_images: the nearest open image to each wanted age, one after the other."""
    numbers, filled = np.zeros((len(ages), WINDOW), np.int64), np.zeros((len(ages), WINDOW), np.bool_)
    for row, known in enumerate(ages):
        left = {k: age for k, age in enumerate(known.tolist()) if age <= OLDEST_S}
        for column, wanted in enumerate((*[0.0] * NEWEST, *WANTED_AGES_S)):
            if left:
                nearest = min(left, key=lambda k: (abs(left[k] - wanted), k))
                numbers[row, column], filled[row, column] = nearest, True
                left.pop(nearest)
    return numbers, filled


@pytest.mark.parametrize("images", [1, 3, 5, 7, 30])
def test_images_are_those_chosen_one_by_one(images):
    rng = np.random.default_rng(images)
    ages = np.where(rng.random((40, images)) < 0.2, np.nan, rng.integers(0, 24, (40, images)) / 20)
    for actual, wanted in zip(chosen_images(ages), chosen_one_by_one(ages), strict=True):
        assert_array_equal(actual, wanted)
