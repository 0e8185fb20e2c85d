# SPDX-License-Identifier: Apache-2.0
"""The rules of the BlazePose detector: where it looks again, what is too small, at what size it searches."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.perception.detector import BlazePoseDetector
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


@pytest.mark.parametrize("candidate", [Person(80, 100, height=70), Person(100, 100), Person(80, 122)])
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
    ("height", "width", "low", "high"), [(720, 1280, 0.85, 1.15), (1280, 720, 0.85, 1.15), (96, 160, 0.0, 0.16)]
)
def test_images_are_searched_at_the_asked_size_and_small_ones_are_not_blown_up(
    height: int, width: int, low: float, high: float
) -> None:
    search = _Sizes("detector", [])
    BlazePoseDetector(search, PaintedNetwork("landmarks", [])).detect(np.zeros((height, width, 3), np.uint8))
    assert low <= search.seen[0] * search.seen[1] / (640 * 352) <= high
    assert (search.seen[0] < search.seen[1]) == (height < width)
