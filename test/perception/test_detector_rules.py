# SPDX-License-Identifier: Apache-2.0
"""The rules of the BlazePose detector: where it looks again, what is too small, at what size it searches."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.core.config import PerceptionSettings
from hmr_ros.perception.blazepose import Poses
from hmr_ros.perception.blazepose_detector import (
    SEARCH_PIXELS,
    BlazePoseDetector,
    BlazePoseOptions,
    _are_near,
    _are_people,
    _detections,
    _distinct,
    _similarity,
)
from test.perception.test_detector import PaintedNetwork, Person, World


def looks(world: World) -> int:
    """How often the landmark network runs for the next image."""
    before = world.landmarks.runs
    world.see()
    return world.landmarks.runs - before


def followed(person: Person, *candidates: Person) -> World:
    """A world whose ``person`` is followed, and whose search, on every image, finds ``candidates`` too."""
    world = World(person, period=1)
    world.see()
    world.search.people = [person, *candidates]
    return world


def test_a_candidate_in_the_region_of_a_followed_person_is_not_looked_at() -> None:
    assert looks(followed(Person(80, 100))) == 1
    assert looks(followed(Person(80, 100), Person(88, 100))) == 1


@pytest.mark.parametrize("candidate", [Person(80, 100, height=80), Person(100, 100), Person(80, 134)])
def test_a_candidate_with_another_middle_or_another_size_is_looked_at(candidate: Person) -> None:
    world = followed(Person(80, 100))
    world.search.people = [candidate]
    assert looks(world) > 1
    assert len(world.see()) == 1, "and leads to the same person"


def test_nearness_is_measured_in_sizes_of_the_person() -> None:
    for height, near in ((60.0, True), (20.0, False)):
        world = followed(Person(100, 120, height=height))
        world.search.people = [Person(109, 120, height=height)]
        assert (looks(world) == 1) is near


@pytest.mark.parametrize(("height", "found"), [(10.0, 0), (20.0, 1)])
def test_the_smallest_people_are_left_out(height: float, found: int) -> None:
    assert len(World(Person(80, 100, height=height)).see()) == found


def test_new_people_take_only_the_room_that_followed_ones_leave() -> None:
    world = World(Person(60, 100), Person(160, 100), period=1, max_people=2)
    world.see()
    world.people.insert(0, Person(60, 200))
    world.search.people = world.people
    np.testing.assert_array_less(world.see().kp2d[..., 1].mean(1), 150)


class _Sizes(PaintedNetwork):
    """A search that finds nobody and keeps the size (height, width) of its last image."""

    seen = (0, 0)

    def _search(self, images):  # type: ignore[no-untyped-def]
        self.seen = images.shape[1:3]
        return super()._search(images)


@pytest.mark.parametrize(
    ("height", "width", "low", "high"), [(720, 1280, 0.85, 1.15), (1280, 720, 0.85, 1.15), (96, 160, 0.0, 0.4)]
)
def test_images_are_searched_at_the_asked_size_and_small_ones_are_not_blown_up(
    height: int, width: int, low: float, high: float
) -> None:
    search = _Sizes("person_boxes", [])
    BlazePoseDetector(search, PaintedNetwork("landmarks", [])).detect(np.zeros((height, width, 3), np.uint8))
    assert low <= search.seen[0] * search.seen[1] / SEARCH_PIXELS <= high
    assert (search.seen[0] < search.seen[1]) == (height < width)


def test_options_are_by_default_those_of_the_settings() -> None:
    assert BlazePoseOptions() == BlazePoseOptions.of(PerceptionSettings())
    assert BlazePoseOptions(search_pixels=SEARCH_PIXELS).search_sizes == (SEARCH_PIXELS,)
    assert BlazePoseOptions(search_pixels=SEARCH_PIXELS + 1).search_sizes == (SEARCH_PIXELS, SEARCH_PIXELS + 1)


@pytest.mark.parametrize("name", ["search_pixels", "period", "max_people"])
def test_counts_are_one_or_more(name: str) -> None:
    assert BlazePoseOptions(**{name: 1})
    with pytest.raises(ValueError, match="expected at least 1"):
        BlazePoseOptions(**{name: 0})


@pytest.mark.parametrize("presence", [0.0, 1.0, -0.1, 1.1])
def test_a_presence_lies_between_never_and_always(presence: float) -> None:
    with pytest.raises(ValueError, match="min_presence: expected between 0 and 1"):
        BlazePoseOptions(min_presence=presence)


def region(x: float, y: float, radius: float) -> np.ndarray:
    """(2, 2) px: of a person upright; its side is 2.5 times the radius."""
    return np.array([[x, y], [x, y - radius]])


def test_a_region_is_near_when_both_its_points_are_within_an_eighth_of_a_side() -> None:
    """0.12 of a side of 250 px is 30 px, for hips and head each."""
    followed = np.stack([region(300, 300, 100), region(900, 300, 10)])
    candidates = [region(329, 300, 100), region(331, 300, 100), region(300, 300, 129), region(300, 300, 131),
                  region(905, 300, 10), region(900, 302, 10)]  # fmt: skip
    assert _are_near(np.stack(candidates), followed).tolist() == [True, False, True, False, False, True]
    assert not _are_near(np.stack(candidates), followed[:0]).any()


def poses(*shifts: float, radius: float = 100.0, count: int = 33) -> Poses:
    """People at 300, 300 px, moved to the right; ``count`` of their points are seen."""
    points = np.tile(np.linspace((290, 200), (310, 400), 33), (len(shifts), 1, 1))
    points[..., 0] += np.array(shifts)[:, None]
    seen = np.tile(np.where(np.arange(33) < count, 0.3, 0.29), (len(shifts), 1))
    regions = np.stack([region(300 + shift, 300, radius) for shift in shifts])
    return Poses(points, seen, np.ones((len(shifts), 33)), np.full(len(shifts), 0.5), regions)


def test_poses_are_as_alike_as_their_points_by_the_radius_of_their_region() -> None:
    """A shift of a standard deviation: 0.1 of the radius of the region, which is 1.25 times hips to head."""
    found = _similarity(poses(0, 0), poses(12.5, 25, 0))
    np.testing.assert_allclose(found, [[np.exp(-0.5), np.exp(-2), 1]] * 2)
    larger = poses(12.5)
    larger.next_regions[0] = region(300, 300, 200)
    np.testing.assert_allclose(_similarity(poses(0), larger), [[np.exp(-1 / 8)]])
    np.testing.assert_allclose(_similarity(larger, poses(0)), [[np.exp(-0.5)]])


def test_of_poses_at_least_half_alike_the_first_is_kept() -> None:
    """A chain: the second is like the first, the third only like the second, who is gone."""
    half = 12.5 * np.sqrt(2 * np.log(2))
    assert _distinct(poses(0, half - 0.01, 2 * half - 0.02)).tolist() == [True, False, True]
    assert _distinct(poses(0, half + 0.01)).tolist() == [True, True]
    assert _distinct(poses(500, 0, 500, 0)).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("changes", "min_presence", "is_person"),
    [
        ({}, 0.5, True),
        ({}, 0.51, False),
        ({"count": 6}, 0.5, True),
        ({"count": 5}, 0.5, False),
        ({"radius": 12.8}, 0.5, True),  # a side of 32 px
        ({"radius": 12.7}, 0.5, False),
    ],
)
def test_a_person_is_present_and_large_and_seen_in_six_points(changes, min_presence, is_person) -> None:  # type: ignore[no-untyped-def]
    image = np.zeros((480, 640, 3), np.uint8)
    assert _are_people(poses(0, **changes), image, min_presence).tolist() == [is_person]


def test_points_on_the_first_pixel_are_in_the_image_and_beyond_the_last_are_not() -> None:
    one = poses(0)
    one.points[0, :6] = [[0, 0], [639.9, 479.9], [640, 10], [10, 480], [-0.1, 10], [10, -0.1]]
    found = _detections(one, np.zeros((480, 640, 3), np.uint8))
    assert (found.kp2d_score[0, :7] > 0).tolist() == [True, True, False, False, False, False, True]
    np.testing.assert_array_equal(found.kp2d, one.points)
    np.testing.assert_array_equal(found.scores, one.presence)
    assert (found.boxes[0] >= 0).all()
    assert found.ids.tolist() == [-1]
    assert found.boxes.dtype == np.float32
