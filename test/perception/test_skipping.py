# SPDX-License-Identifier: Apache-2.0
"""People who are skipped: both detectors leave them as they were, the tracker holds them, the pipeline says so."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.arrays import Bools
from hmr_ros.core.config import DetectorConfig, PerceptionSettings
from hmr_ros.core.people import Camera, Detections, Estimates, State
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.keypoint_detector import _still_skipped
from hmr_ros.perception.pipeline import Pipeline, Result
from hmr_ros.perception.skeletons import Skeletons
from hmr_ros.perception.tracker import Tracker, TrackerOptions
from test.perception import test_detector as blazepose
from test.perception import test_keypoint_detector as refining
from test.perception.test_detector import BODY, Person, located
from test.perception.test_pipeline import BODY_MODEL, CAMERA, IMAGE, Flat, Gloves, Script

WORLDS = pytest.mark.parametrize("world_of", [blazepose.World, refining.World])


def two() -> tuple[Person, Person]:
    return Person(60, 100), Person(170, 120)


def rows(*skip: bool) -> Bools:
    return np.array(skip, np.bool_)


def xs(found: Detections) -> list[float]:
    """Where the people of ``found`` are, px."""
    return [round(float(x)) for x in (found.kp2d.mean(1) - BODY.mean(0) * 40)[:, 0]]


@WORLDS
def test_a_skipped_person_is_where_they_were_in_their_row_and_only_once(world_of: Any) -> None:
    world = world_of(*two(), period=100)
    before = world.see()
    assert world.detector.skipped is None
    for person in world.people:
        person.x += 8
    world.detector.skip(rows(True, False))
    now = world.see()
    assert_array_equal(now.kp2d[0], before.kp2d[0])
    assert xs(now)[1] == pytest.approx(178, abs=3)
    assert world.detector.skipped.tolist() == [True, False]
    assert xs(world.see()) == pytest.approx([68, 178], abs=3)
    assert world.detector.skipped is None


@WORLDS
def test_no_network_looks_at_those_who_are_skipped(world_of: Any) -> None:
    world = world_of(*two(), period=100)
    world.see()
    world.detector.skip(rows(True, True))
    runs = world.landmarks.runs
    assert len(world.see()) == 2
    assert world.landmarks.runs == runs


@WORLDS
def test_skipped_people_stay_though_others_leave_and_newcomers_join_behind_them(world_of: Any) -> None:
    world = world_of(*two(), period=100)
    before = world.see()
    world.detector.skip(rows(False, True))
    world.people[0] = Person(110, 60)
    found = world.see()
    assert sorted(xs(found)) == pytest.approx([110, 170], abs=3)
    assert found.take(world.detector.skipped).kp2d[:, 0, 0] == pytest.approx(before.kp2d[1:, 0, 0])


@WORLDS
def test_a_reset_and_given_boxes_end_it(world_of: Any) -> None:
    world = world_of(*two(), period=100)
    world.see()
    world.detector.skip(rows(True, True))
    world.detector.reset()
    assert len(world.see()) == 2
    assert world.detector.skipped is None
    world.detector.skip(rows(True, True))
    for person in world.people:
        person.x += 4
    given = located(world.detector, *world.people)
    assert xs(given) == pytest.approx([64, 174], abs=2)
    assert world.detector.skipped is None


def test_who_is_renewed_by_a_search_was_looked_at() -> None:
    def at(*places: float) -> Skeletons:
        one = Skeletons.empty()
        points = BODY + np.array(places)[:, None, None]
        columns = {name: np.zeros((len(places), *np.shape(value)[1:])) for name, value in vars(one).items()}
        return Skeletons(**columns | {"points": points})

    known, people = at(0, 1, 2), at(0, 5, 2, 9)
    assert _still_skipped(rows(True, True, False), known, people).tolist() == [True, False, False, False]


def shown(people: int = 3) -> Detections:
    return Script([people]).detect(IMAGE)


def test_a_track_is_held_while_it_is_skipped() -> None:
    tracker = Tracker(TrackerOptions(timeout_s=0.15, hits_to_confirm=1))
    first = tracker.update(shown(), 0.0)
    held = tracker.update(shown(), 0.1, skipped=rows(False, True, False))
    assert held.people.ids.tolist() == first.people.ids.tolist()
    assert held.states.tolist() == [State.TRACKED] * 3
    assert_allclose(held.unseen_s, [0, 0.1, 0])
    assert held.seen.ids.tolist() == [1, 3]
    assert held.unseen.ids.tolist() == [2]
    assert_array_equal(held.people.kp2d_score, shown().kp2d_score)
    longer = tracker.update(shown(), 0.2, skipped=rows(False, True, False))
    assert longer.lost == ()
    assert_allclose(longer.unseen_s, [0, 0.2, 0])
    assert tracker.update(shown(), 0.3).unseen_s.tolist() == [0, 0, 0]


def test_a_skipped_person_without_a_track_is_a_new_one() -> None:
    tracks = Tracker(TrackerOptions(hits_to_confirm=1)).update(shown(), 0.0, skipped=rows(False, True, False))
    assert tracks.people.ids.tolist() == [1, 2, 3]
    assert tracks.unseen_s.tolist() == [0, 0, 0]


class Skipping(Script):
    """A detector of people who stand, that keeps whom it was to skip."""

    def __init__(self, people: int) -> None:
        super().__init__([people] * 100)
        self.asked: list[Bools] = []
        self._to_skip = self._skipped = np.zeros(people, np.bool_)

    def detect(self, image: Any, shed: Any = None) -> Detections:
        self._skipped, self._to_skip = self._to_skip, np.zeros(len(self._to_skip), np.bool_)
        found: Detections = super().detect(image, shed)
        return found

    @property
    def skipped(self) -> Bools:
        return self._skipped

    def skip(self, rows: Bools) -> None:
        self._to_skip = rows
        self.asked.append(rows)


class Unsure(Flat):
    """Expects an error of 2 cm, and states covariances."""

    def estimate(self, image: Any, detections: Detections, camera: Camera, shed: Any = None) -> Estimates:
        estimates: Estimates = super().estimate(image, detections, camera, shed)
        people = len(detections)
        return dataclasses.replace(
            estimates,
            joint_error=np.full((people, 24), 0.02),
            joint_covariance=np.tile(4e-4 * np.eye(3), (people, 24, 1, 1)),
            root_covariance=np.tile(9e-4 * np.eye(3), (people, 1, 1)),
        )


def pipeline(people: int = 3, **parts: Any) -> Pipeline:
    tracker = Tracker(TrackerOptions(hits_to_confirm=1))
    return Pipeline(Skipping(people), tracker, Unsure(), BodySmoother(BODY_MODEL), BODY_MODEL, **parts)


def watch(run: Pipeline, images: int = 8) -> list[Result]:
    return [run(IMAGE, CAMERA, image / 10) for image in range(images)]


def settings(still_people: str) -> PerceptionSettings:
    return PerceptionSettings(detector=DetectorConfig(still_people=still_people))


@pytest.mark.parametrize(
    ("still_people", "in_turns", "skips"),
    [("auto", False, False), ("auto", True, True), ("every_image", True, False), ("in_turns", False, True)],
)
def test_turns_are_taken_where_settings_or_caller_ask_for_them(still_people: str, in_turns: bool, skips: bool) -> None:
    run = pipeline()
    run.configure(settings(still_people))
    run.in_turns = in_turns
    assert any(result.skipped for result in watch(run)) is skips


def test_bodies_of_skipped_people_are_tracked_with_their_age_and_a_larger_covariance() -> None:
    run = pipeline()
    run.configure(settings("in_turns"))
    results = watch(run)
    last = results[-1].bodies
    assert results[-1].skipped == (last.unseen_s > 0).sum() == 2
    assert last.states.tolist() == [State.TRACKED] * 3
    assert last.valid.all()
    assert_allclose(last.cam_t[:, 2], 3, atol=1e-3)
    assert (last.kp2d_score > 0).all()
    seen = last.unseen_s == 0
    assert (last.joint_error[~seen, 1:] > last.joint_error[seen, 1:]).all()
    variances = np.trace(last.joint_covariance, axis1=-2, axis2=-1)[:, 1:]
    assert (variances[~seen] > variances[seen]).all()
    roots = np.trace(last.root_covariance, axis1=-2, axis2=-1)
    assert (roots[~seen] > roots[seen]).all()
    assert last.ids.tolist() == results[0].bodies.ids.tolist()


def test_bodies_of_skipped_people_are_not_estimated() -> None:
    run = pipeline()
    run.configure(settings("in_turns"))
    asked: list[int] = []
    estimate = run.estimator.estimate
    run.estimator.estimate = lambda image, seen, *rest: asked.append(len(seen)) or estimate(image, seen, *rest)  # type: ignore[assignment,func-returns-value,method-assign]
    watch(run)
    assert asked[0] == 3
    assert asked[-1] == 1


def test_people_whose_hands_are_looked_for_are_not_skipped() -> None:
    run = pipeline(hand_detector=Gloves())
    run.configure(settings("in_turns"))
    assert not any(result.skipped for result in watch(run))


def test_after_a_pause_everybody_is_looked_at() -> None:
    run = pipeline()
    run.configure(settings("in_turns"))
    watch(run)
    assert run.detector.asked[-1].any()  # type: ignore[attr-defined]
    run(IMAGE, CAMERA, 5.0)
    assert not run.detector.asked[-1].any()  # type: ignore[attr-defined]
