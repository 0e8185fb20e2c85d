# SPDX-License-Identifier: Apache-2.0
"""People whom another detector has found: which are refused, which are left out, and how the pipeline takes them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.config import DetectionsConfig, PerceptionSettings, PipelineSettings
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.perception import assemble as module
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.external import EXPLANATIONS, Fault, NoSearch, checked, faults, within_limit
from test.perception.test_pipeline import CAMERA, IMAGE, pipeline

BOX = (100.0, 50.0, 200.0, 350.0)


def boxes(*rows: tuple[float, ...], scores: list[float] | None = None, ids: list[int] | None = None) -> Detections:
    return Detections.of_boxes(
        np.array(rows, np.float32).reshape(-1, 4),
        None if scores is None else np.array(scores),
        None if ids is None else np.array(ids),
    )


def with_keypoints(given: Detections, x: float = 150.0) -> Detections:
    kp2d = np.stack([np.full(17, x), np.linspace(60, 340, 17)], -1)
    shape = (len(given), 17)
    return dataclasses.replace(given, kp2d=np.tile(kp2d, (len(given), 1, 1)), kp2d_score=np.full(shape, 0.8))


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        (BOX, None),
        ((-50, -50, 10, 10), None),
        ((630, 470, 900, 900), None),
        ((np.nan, 0, 10, 10), Fault.NOT_FINITE),
        ((0, 0, np.inf, 10), Fault.NOT_FINITE),
        ((10, 0, 10, 50), Fault.EMPTY),
        ((10, 50, 20, 40), Fault.EMPTY),
        ((640, 0, 700, 50), Fault.OUTSIDE),
        ((0, 480, 10, 500), Fault.OUTSIDE),
        ((-20, 0, 0, 50), Fault.OUTSIDE),
        ((0, -9, 10, 0), Fault.OUTSIDE),
    ],
)
def test_boxes_that_show_nothing_are_refused_by_name(box: tuple[float, ...], fault: Fault | None) -> None:
    found = faults(boxes(BOX, box), 640, 480, keep_ids=False)
    assert found == ({} if fault is None else {1: fault})


def test_a_score_that_is_no_number_is_refused() -> None:
    given = boxes(BOX, BOX, scores=[0.5, np.nan])
    assert faults(given, 640, 480, keep_ids=False) == {1: Fault.NOT_FINITE}


def test_two_detections_with_one_id_are_refused_where_ids_are_kept() -> None:
    given = boxes(*[BOX] * 5, ids=[3, 5, 3, UNTRACKED, UNTRACKED])
    assert faults(given, 640, 480, keep_ids=True) == {0: Fault.DUPLICATE_ID, 2: Fault.DUPLICATE_ID}
    assert faults(given, 640, 480, keep_ids=False) == {}


def test_every_fault_is_explained_and_the_row_named() -> None:
    assert set(EXPLANATIONS) == set(Fault)
    with pytest.raises(ValueError, match=r"row 1 \(box \[700.0, .*id -1\): its box lies outside the image: is it"):
        checked(boxes(BOX, (700, 0, 800, 50)), IMAGE, keep_ids=False)


def test_what_can_be_used_is_made_to_fit_the_image() -> None:
    given = with_keypoints(boxes((-10, 50, 700, 500), scores=[1.5]))
    given.kp2d[0, 3, 1], given.kp2d_score[0, 4], given.kp2d_score[0, 5] = np.nan, np.nan, 7.0
    ready = checked(given, IMAGE, keep_ids=False)
    assert ready.boxes.tolist() == [[0, 50, 640, 480]]
    assert ready.scores.tolist() == [1.0]
    assert np.isfinite(ready.kp2d).all()
    assert ready.kp2d_score[0, [3, 4, 5, 6]].tolist() == [0, 0, 1, pytest.approx(0.8)]


def test_of_too_many_those_who_are_tracked_stay_then_the_best() -> None:
    given = boxes(*[(60.0 * k, 0, 60.0 * k + 50, 100) for k in range(5)], scores=[0.1, 0.9, 0.3, 0.8, 0.2])
    tracked = np.array([[238.0, 0, 290, 100]])
    assert within_limit(given, tracked, 3).boxes[:, 0].tolist() == [60, 180, 240]
    assert within_limit(given, np.zeros((0, 4)), 3).boxes[:, 0].tolist() == [60, 120, 180]
    assert within_limit(given, tracked, 5) is given


def test_keypoints_of_another_detector_take_the_place_of_the_search() -> None:
    run = pipeline()
    first = run(IMAGE, CAMERA, 1.0, detections=with_keypoints(boxes(BOX)))
    second = run(IMAGE, CAMERA, 1.1, detections=with_keypoints(boxes(BOX), x=155.0))
    assert first.bodies.ids.tolist() == second.bodies.ids.tolist()
    assert second.bodies.kp2d[0, :, 0].tolist() == [155.0] * 17
    assert second.bodies.valid.all()


class Locating(Detector):
    """Puts keypoints into the boxes that are given, and remembers them; followed people are in ``BOX``."""

    def __init__(self) -> None:
        self.given: list[Detections | None] = []

    def locate(self, image: np.ndarray, given: Detections | None) -> Detections:
        self.given.append(given)
        return with_keypoints(boxes(BOX) if given is None else given)


def test_boxes_get_keypoints_and_without_boxes_people_are_followed() -> None:
    run = pipeline(detector=Locating())
    run.configure(PerceptionSettings(detections=DetectionsConfig(source="boxes")))
    first = run(IMAGE, CAMERA, 1.0, detections=boxes(BOX))
    second = run(IMAGE, CAMERA, 1.1)
    third = run(IMAGE, CAMERA, 1.2, detections=boxes())
    given = run.detector.given
    assert [None if g is None else len(g) for g in given] == [1, None, 0]
    assert first.bodies.ids.tolist() == second.bodies.ids.tolist() == third.bodies.ids.tolist()
    assert third.bodies.unseen_s.tolist() == [pytest.approx(0.1)], "an empty message: nobody is seen"


def test_the_limit_holds_for_two_hundred_boxes() -> None:
    run = pipeline(detector=Locating())
    run.configure(PerceptionSettings(max_people=3))
    grid = [(30.0 * x, 40.0 * y, 30.0 * x + 25, 40.0 * y + 35) for y in range(10) for x in range(20)]
    crowd = boxes(*grid, scores=list(np.linspace(0.1, 0.9, 200)))
    shown = run(IMAGE, CAMERA, 1.0, detections=crowd)
    assert shown.bodies.scores.tolist() == pytest.approx(np.linspace(0.1, 0.9, 200)[-3:].tolist())
    again = run(IMAGE, CAMERA, 1.1, detections=dataclasses.replace(crowd, scores=crowd.scores[::-1].copy()))
    assert again.bodies.ids.tolist() == shown.bodies.ids.tolist(), "who is tracked stays"


def test_a_detector_of_ones_own_says_that_it_has_no_boxes() -> None:
    with pytest.raises(ValueError, match="give keypoints as well"):
        pipeline(1)(IMAGE, CAMERA, 1.0, detections=boxes(BOX))


def test_detections_that_cannot_be_used_are_refused_before_anything_changes() -> None:
    run = pipeline(1)
    with pytest.raises(ValueError, match="is not finite"):
        run(IMAGE, CAMERA, 9.0, detections=boxes((np.nan, 0, 1, 1)))
    assert len(run(IMAGE, CAMERA, 1.0).bodies) == 1


def test_kept_ids_come_out_and_begin_again_after_a_jump_back_in_time() -> None:
    run = pipeline()
    run.configure(PerceptionSettings(detections=DetectionsConfig(keep_ids=True)))
    given = with_keypoints(boxes(BOX, ids=[42]))
    assert run(IMAGE, CAMERA, 5.0, detections=given).bodies.ids.tolist() == [42]
    again = run(IMAGE, CAMERA, 1.0, detections=given)
    assert (again.bodies.ids.tolist(), again.lost) == ([42], ())


def test_a_photo_takes_detections() -> None:
    assert len(pipeline().photo(IMAGE, CAMERA, detections=with_keypoints(boxes(BOX, BOX))).bodies) == 2


def test_where_keypoints_are_given_no_detector_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "open_detector", refused)
    for source in ("keypoints", "humans"):
        settings = PipelineSettings(detections=DetectionsConfig(source=source))
        opened = module._open_detector(settings, refused)
        assert isinstance(opened.detector, NoSearch)
        assert opened.engines == ()
    with pytest.raises(AssertionError):
        module._open_detector(PipelineSettings(detections=DetectionsConfig(source="boxes")), refused)


def test_without_a_search_nobody_is_found() -> None:
    search = NoSearch()
    assert len(search.detect(IMAGE)) == len(search.locate(IMAGE, None)) == 0
    given = boxes(BOX)
    assert search.locate(IMAGE, given) is given
