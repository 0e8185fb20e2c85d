# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import UNTRACKED, Camera, Detections, Estimates, State
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.tracker import Tracker, TrackerOptions

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
IMAGE = np.zeros((480, 640, 3), np.uint8)


class Script:
    """A detector that sees what it is told, image by image."""

    def __init__(self, people):
        self._people = iter(people)
        self.resets = 0

    def detect(self, image):
        people = next(self._people)
        left = 200.0 * np.arange(people)[:, None]
        boxes = np.concatenate([left, left * 0 + 50, left + 100, left * 0 + 350], 1)
        grid = np.stack([np.linspace(0, 100, 17), np.linspace(50, 350, 17)], -1)
        return Detections(
            boxes,
            np.full(people, 0.9),
            grid + np.concatenate([left, left * 0], 1)[:, None],
            np.full((people, 17), 0.8),
            "coco17",
            np.full(people, UNTRACKED, np.int64),
        )

    def reset(self):
        self.resets += 1


class Flat:
    """Says that everybody stands 3 m ahead."""

    method = "flat"
    calibration = None

    def __init__(self):
        self.calls = 0

    def estimate(self, image, detections, camera):
        self.calls += 1
        self.image = image
        people = len(detections)
        orient, pose, betas = (np.zeros((people, *shape)) for shape in ((3,), (23, 3), (10,)))
        return dataclasses.replace(
            Estimates.unknown(people),
            global_orient=orient,
            body_pose=pose,
            betas=betas,
            cam_t=np.full((people, 3), 3.0),
            valid=np.ones(people, np.bool_),
        )


class Plain:
    def __init__(self):
        self.resets = 0

    def __call__(self, ids, estimates, stamp_s, measured=None):
        return estimates

    def coasted(self, ids, stamp_s):
        return Estimates.unknown(len(ids))

    def forget(self, ids):
        pass

    def reset(self):
        self.resets += 1


def pipeline(*people):
    tracker = Tracker(TrackerOptions(timeout_s=0.15, hits_to_confirm=1))
    return Pipeline(Script(people), tracker, Flat(), Plain(), BODY_MODEL)


def test_people_keep_their_ids_and_get_positions():
    run = pipeline(2, 2)
    first, second = run(IMAGE, CAMERA, 1.0), run(IMAGE, CAMERA, 1.1)
    assert first.ids.tolist() == second.ids.tolist()
    assert second.valid.all()
    assert np.allclose(second.joints[:, 0], 3.0)
    assert np.isfinite(second.vertices).all()
    assert run.estimator.image is IMAGE
    assert run.lost == ()


def test_without_a_camera_there_is_2d_only():
    run = pipeline(2)
    bodies = run(IMAGE, None, 1.0)
    assert len(bodies) == 2
    assert not bodies.valid.any()
    assert run.estimator.calls == 0


def test_nobody_is_a_normal_value():
    run = pipeline(0, 0)
    assert len(run(IMAGE, CAMERA, 1.0)) == 0
    assert len(run(IMAGE, None, 1.1)) == 0
    assert run.estimator.calls == 0


def test_who_is_gone_is_reported_lost_once():
    run = pipeline(2, 1, 1, 1, 1)
    first = run(IMAGE, CAMERA, 1.0)
    lost = []
    for stamp in (1.1, 1.2, 1.3, 1.4):
        run(IMAGE, CAMERA, stamp)
        lost += run.lost
    assert lost == [first.ids[1]]


def real_smoother(*people):
    run = pipeline(*people)
    run.smoother = BodySmoother(BODY_MODEL)
    return run


def test_who_is_hidden_stays_for_a_while_with_an_age():
    run = real_smoother(2, 1, 1, 1)
    first = run(IMAGE, CAMERA, 1.0)
    hidden = run(IMAGE, CAMERA, 1.1)
    assert hidden.ids.tolist() == first.ids.tolist()
    assert hidden.states.tolist() == [State.TRACKED, State.COASTING]
    assert hidden.unseen_s == pytest.approx([0, 0.1])
    assert hidden.valid.all()
    assert np.allclose(hidden.joints[1], first.joints[1], atol=1e-5)  # nobody moved
    assert (hidden.kp2d_score[1] == 0).all()
    assert hidden.scores[1] < first.scores[1]
    gone = run(IMAGE, CAMERA, 1.2)
    assert gone.ids.tolist() == first.ids[:1].tolist()
    assert run.lost == (first.ids[1],)
    assert run.smoother.coasted(first.ids, 1.3).valid.tolist() == [True, False]


def test_everybody_may_be_hidden():
    run = real_smoother(1, 0, 1)
    first, hidden, again = (run(IMAGE, CAMERA, stamp) for stamp in (1.0, 1.1, 1.2))
    assert hidden.ids.tolist() == again.ids.tolist() == first.ids.tolist()
    assert (hidden.states[0], again.states[0]) == (State.COASTING, State.TRACKED)
    assert again.unseen_s.tolist() == [0]


def test_who_was_never_placed_is_hidden_without_a_place():
    run = real_smoother(1, 0)
    run(IMAGE, None, 1.0)
    hidden = run(IMAGE, CAMERA, 1.1)
    assert hidden.states.tolist() == [State.COASTING]
    assert not hidden.valid.any()


def test_newcomers_are_tentative_and_flashes_end_as_lost():
    run = real_smoother(1, 1, 2, 1)
    run.tracker.options = TrackerOptions(timeout_s=0.15, hits_to_confirm=2)
    states = [run(IMAGE, CAMERA, stamp).states.tolist() for stamp in (1.0, 1.1, 1.2)]
    assert states == [[State.TENTATIVE], [State.TRACKED], [State.TRACKED, State.TENTATIVE]]
    assert run(IMAGE, CAMERA, 1.3).states.tolist() == [State.TRACKED]
    assert run.lost == (2,)


def test_a_jump_back_in_time_begins_anew():
    run = pipeline(1, 1, 1)
    old = run(IMAGE, CAMERA, 100.0).ids.tolist()
    new = run(IMAGE, CAMERA, 1.0).ids.tolist()
    assert old != new
    assert list(run.lost) == old
    assert (run.detector.resets, run.smoother.resets) == (1, 1)
    run(IMAGE, CAMERA, 1.1)
    assert run.lost == ()


def test_after_a_pause_the_detector_searches_anew():
    run = pipeline(1, 1, 1)
    run(IMAGE, CAMERA, 1.0)
    run(IMAGE, CAMERA, 1.9)
    assert run.detector.resets == 0
    run(IMAGE, CAMERA, 3.0)
    assert run.detector.resets == 1
    assert run.smoother.resets == 0


def test_timings_are_those_of_the_last_image():
    run = pipeline(1)
    assert run.timings.total_s == 0
    run(IMAGE, CAMERA, 1.0)
    steps = dataclasses.asdict(run.timings)
    assert set(steps) == {"detect_s", "track_s", "estimate_s", "smooth_s"}
    assert run.timings.total_s == sum(steps.values()) > 0
