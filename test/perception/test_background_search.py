# SPDX-License-Identifier: Apache-2.0
"""Both detectors while their search runs in the background: held up until a test lets it go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from hmr_ros.core.arrays import Image
from hmr_ros.core.people import Detections
from hmr_ros.perception.blazepose_detector import BlazePoseDetector, BlazePoseOptions
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.finder import Boxes
from hmr_ros.perception.keypoint_detector import KeypointDetector, KeypointDetectorOptions
from test.perception.test_detector import BODY, PaintedNetwork, Person, painted_world
from test.perception.test_keypoint_detector import PaintedFinder, PaintedKeypoints

_Result = TypeVar("_Result")


class Gate:
    """Open at first; while it is shut, searches wait with what they have found, and ``entered`` counts them."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.entered = threading.Semaphore(0)

    def shut(self) -> None:
        self._open.clear()
        self.entered = threading.Semaphore(0)

    def let_through(self) -> None:
        self._open.set()

    def hold(self, search: Callable[[], _Result]) -> _Result:
        """What ``search`` finds now, handed over once the gate is open."""
        found = search()
        self.entered.release()
        assert self._open.wait(10)
        return found


class HeldFinder(PaintedFinder):
    def __init__(self, people: list[Person], gate: Gate) -> None:
        super().__init__(people)
        self._gate = gate

    def find(self, image: Image) -> Boxes:
        return self._gate.hold(lambda: super(HeldFinder, self).find(image))


class HeldSearch(PaintedNetwork):
    def __init__(self, people: list[Person], gate: Gate) -> None:
        super().__init__("person_boxes", people)
        self._gate = gate

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return self._gate.hold(lambda: super(HeldSearch, self).run(inputs))


def _refining(people: list[Person], gate: Gate) -> Detector:
    return KeypointDetector(
        HeldFinder(people, gate),  # type: ignore[arg-type]
        PaintedKeypoints(people),
        PaintedNetwork("landmarks", people),
        KeypointDetectorOptions(period=1),
        background_search=True,
    )


def _blazepose(people: list[Person], gate: Gate) -> Detector:
    landmarks = PaintedNetwork("landmarks", people)
    return BlazePoseDetector(HeldSearch(people, gate), landmarks, BlazePoseOptions(period=1), background_search=True)


class Scene:
    """One person who is followed, and another who comes while the search is held up."""

    def __init__(self, make: Callable[[list[Person], Gate], Detector]) -> None:
        self.people, self.gate = [Person(80, 100)], Gate()
        self.detector = make(self.people, self.gate)
        assert len(self.see()) == 1, "with no person to follow, the first image waits for the search"
        self.see()  # takes what is under way
        self.gate.shut()

    def see(self) -> Detections:
        return self.detector.detect(painted_world())

    def until(self, number: int) -> Detections:
        """The first detections of ``number`` people."""
        for _ in range(500):
            if len(found := self.see()) == number:
                return found
            threading.Event().wait(0.002)
        raise AssertionError(f"never saw {number} people")


@pytest.fixture(params=[_refining, _blazepose])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    scene = Scene(request.param)
    yield scene
    scene.gate.let_through()
    scene.detector.close()


def test_followed_people_do_not_wait_for_the_search(scene: Scene) -> None:
    for k in range(5):
        scene.people[0].x = 80 + 3 * k
        found = scene.see()
        assert len(found) == 1
        np.testing.assert_allclose(found.kp2d[0], BODY * 40 + (80 + 3 * k, 100), atol=3)


def test_whom_it_finds_joins_where_they_are_by_then(scene: Scene) -> None:
    scene.people.append(Person(160, 120))
    while not scene.gate.entered.acquire(blocking=False):
        assert len(scene.see()) <= 2
    scene.people[1].x = 168
    scene.gate.let_through()
    found = scene.until(2)
    np.testing.assert_allclose(found.kp2d[1], BODY * 40 + (168, 120), atol=3)


def test_a_search_that_ends_finds_the_followed_person_no_second_time(scene: Scene) -> None:
    scene.see()
    scene.people[0].x += 6
    scene.gate.let_through()
    for _ in range(20):
        assert len(scene.see()) == 1
        threading.Event().wait(0.002)
