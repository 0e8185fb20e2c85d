# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import PerceptionSettings, SmoothingConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import UNTRACKED, Camera, Detections, Estimates, State
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.hands import Hands
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.tracker import Tracker, TrackerOptions
from test.engines.test_switching import FakeEngine

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
IMAGE = np.zeros((480, 640, 3), np.uint8)


class Script(Detector):
    """A detector that sees what it is told, image by image."""

    def __init__(self, people):
        self._people = iter(people)
        self.resets = 0

    def detect(self, image, shed=Shed.NOTHING):
        self.shed = shed
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

    def configure(self, settings):
        self.settings = settings


class Flat(BodyEstimator):
    """Estimates that all people stand 3 m ahead."""

    method = "flat"
    calibration = None

    def __init__(self):
        self.calls = 0

    def estimate(self, image, detections, camera, shed=Shed.NOTHING):
        self.calls += 1
        self.shed = shed
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

    def configure(self, settings):
        self.settings = settings


class Walker(Flat):
    """Estimates that a person crosses the view at 1 m/s, 4 m ahead, at 30 images a second."""

    def estimate(self, image, detections, camera, shed=Shed.NOTHING):
        found = super().estimate(image, detections, camera, shed)
        return dataclasses.replace(found, cam_t=np.tile([self.calls / 30 - 2, 0.0, 4.0], (len(detections), 1)))


class Plain(BodySmoother):
    def calibration(self, of_estimator):
        return of_estimator

    def __init__(self):
        super().__init__(BODY_MODEL)
        self.resets, self.read = 0, []

    def __call__(self, ids, estimates, stamp_s, measured=None, pose=None, faces=None, keypoints=None):
        self.read.append(keypoints)
        return estimates

    def sizes(self):
        return {}

    def coasted(self, ids, stamp_s, ground=None):
        return Estimates.unknown(len(ids))

    def forget(self, ids):
        pass

    def reset(self):
        self.resets += 1


def pipeline(*people, detector=None, smoother=None, hand_detector=None):
    tracker = Tracker(TrackerOptions(timeout_s=0.15, hits_to_confirm=1))
    found_by = detector or Script(people)
    return Pipeline(found_by, tracker, Flat(), smoother or Plain(), BODY_MODEL, hand_detector=hand_detector)


def test_people_keep_their_ids_and_get_positions():
    run = pipeline(2, 2)
    first, second = run(IMAGE, CAMERA, 1.0), run(IMAGE, CAMERA, 1.1)
    assert first.bodies.ids.tolist() == second.bodies.ids.tolist()
    assert second.bodies.valid.all()
    assert np.allclose(second.bodies.joints[:, 0], 3.0)
    assert np.isfinite(second.bodies.vertices).all()
    assert run.estimator.image is IMAGE
    assert second.lost == ()


def test_a_smoother_reads_the_keypoints_that_it_asks_for():
    asking, silent = Plain(), Plain()
    asking.joint_set = JOINT_SETS["coco_feet"]
    for smoother in (asking, silent):
        run = pipeline(2, 2, smoother=smoother)
        run(IMAGE, CAMERA, 1.0)
        run(IMAGE, None, 1.1)
    keypoints = asking.read[0]
    assert keypoints.score.shape == (2, JOINT_SETS["coco_feet"].size)
    np.testing.assert_allclose(CAMERA.K[:2] @ [*keypoints.normalized[0, 0], 1], [0, 50], atol=1e-3)  # the first nose
    assert [*asking.read[1:], *silent.read] == [None, None, None]


class Gloves:
    """A hand detector that keeps whom it was asked about."""

    def __init__(self):
        self.asked, self.resets = [], 0

    def __call__(self, image, people):
        self.asked.append(people.ids.tolist())
        return Hands.unseen(people.ids)

    def reset(self):
        self.resets += 1


def test_hands_are_looked_for_where_there_is_a_detector_and_no_hurry():
    assert pipeline(2)(IMAGE, CAMERA, 1.0).hands is None
    run = pipeline(2, 2, 2, 0, hand_detector=Gloves())
    found = run(IMAGE, CAMERA, 1.0)
    assert found.hands.ids.tolist() == found.bodies.ids.tolist()
    assert 0 < found.timings.hands_s <= found.timings.total_s
    assert run(IMAGE, CAMERA, 1.1, shed=Shed.VIEWS).hands is None
    assert run.hand_detector.resets == 1
    assert run(IMAGE, CAMERA, 1.2, shed=Shed(Shed.VIEWS - 1)).hands is not None
    assert len(run(IMAGE, CAMERA, 1.25).hands) == 0  # coasting people are not seen
    assert run.hand_detector.asked == [[1, 2], [1, 2], []]


def test_hands_are_forgotten_with_the_people_and_after_a_gap():
    run = pipeline(1, 1, 1, hand_detector=Gloves())
    for stamp_s in (1.0, 1.1, 3.0):
        run(IMAGE, CAMERA, stamp_s)
    assert run.hand_detector.resets == 1
    run.reset()
    assert run.hand_detector.resets == 2


def test_without_a_camera_there_is_2d_only():
    run = pipeline(2)
    bodies = run(IMAGE, None, 1.0).bodies
    assert len(bodies) == 2
    assert not bodies.valid.any()
    assert run.estimator.calls == 0


def test_no_detections_are_a_normal_value():
    run = pipeline(0, 0)
    assert len(run(IMAGE, CAMERA, 1.0).bodies) == 0
    assert len(run(IMAGE, None, 1.1).bodies) == 0
    assert run.estimator.calls == 0


@pytest.mark.parametrize(
    "image", [IMAGE[..., 0], IMAGE[:0], np.zeros((4, 4, 4), np.uint8), IMAGE.astype(np.float32)], ids=lambda i: i.shape
)
def test_arrays_that_are_no_image_are_refused(image):
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8 RGB"):
        pipeline(1)(image, CAMERA, 1.0)


def test_a_camera_of_another_image_size_is_refused():
    with pytest.raises(ValueError, match="640 x 480 px, got one for 1280 x 720"):
        pipeline(1)(IMAGE, Camera.pinhole(600, 1280, 720), 1.0)


def test_a_lost_track_is_reported_once():
    run = pipeline(2, 1, 1, 1, 1)
    first = run(IMAGE, CAMERA, 1.0)
    lost = [run(IMAGE, CAMERA, stamp).lost for stamp in (1.1, 1.2, 1.3, 1.4)]
    assert sum(lost, ()) == (first.bodies.ids[1],)


def real_smoother(*people):
    return pipeline(*people, smoother=BodySmoother(BODY_MODEL))


def test_a_hidden_person_coasts_with_an_age_and_then_is_lost():
    run = real_smoother(2, 1, 1, 1)
    run.configure(PerceptionSettings(track_timeout_s=0.15, reid=False))
    first = run(IMAGE, CAMERA, 1.0).bodies
    hidden = run(IMAGE, CAMERA, 1.1).bodies
    assert hidden.ids.tolist() == first.ids.tolist()
    assert hidden.states.tolist() == [State.TRACKED, State.COASTING]
    assert hidden.unseen_s == pytest.approx([0, 0.1])
    assert hidden.valid.all()
    assert np.allclose(hidden.joints[1], first.joints[1], atol=1e-5)  # nothing moved
    assert (hidden.kp2d_score[1] == 0).all()
    assert hidden.scores[1] < first.scores[1]
    gone = run(IMAGE, CAMERA, 1.2)
    assert gone.bodies.ids.tolist() == first.ids[:1].tolist()
    assert gone.lost == (first.ids[1],)
    assert run.smoother.coasted(first.ids, 1.3).valid.tolist() == [True, False]


def test_a_lost_person_is_forgotten_when_they_cannot_be_known_again():
    run = real_smoother(2, *[1] * 4)
    first = run(IMAGE, CAMERA, 1.0).bodies
    assert run(IMAGE, CAMERA, 1.5).lost == (first.ids[1],)
    assert run.smoother.coasted(first.ids, 1.5).valid.all()
    assert run(IMAGE, CAMERA, 10.9).lost == ()
    assert run.smoother.coasted(first.ids, 10.9).valid.all()
    run(IMAGE, CAMERA, 11.1)
    assert run.smoother.coasted(first.ids, 11.1).valid.tolist() == [True, False]


def test_all_tracks_may_coast():
    run = real_smoother(1, 0, 1)
    first, hidden, again = (run(IMAGE, CAMERA, stamp).bodies for stamp in (1.0, 1.1, 1.2))
    assert hidden.ids.tolist() == again.ids.tolist() == first.ids.tolist()
    assert (hidden.states[0], again.states[0]) == (State.COASTING, State.TRACKED)
    assert again.unseen_s.tolist() == [0]


def test_a_track_that_never_had_a_position_coasts_without_one():
    run = real_smoother(1, 0)
    run(IMAGE, None, 1.0)
    hidden = run(IMAGE, CAMERA, 1.1).bodies
    assert hidden.states.tolist() == [State.COASTING]
    assert not hidden.valid.any()


def test_new_people_are_tentative_and_a_false_detection_is_lost_at_once():
    run = real_smoother(1, 1, 2, 1)
    run.tracker.options = TrackerOptions(timeout_s=0.15, hits_to_confirm=2)
    states = [run(IMAGE, CAMERA, stamp).bodies.states.tolist() for stamp in (1.0, 1.1, 1.2)]
    assert states == [[State.TENTATIVE], [State.TRACKED], [State.TRACKED, State.TENTATIVE]]
    last = run(IMAGE, CAMERA, 1.3)
    assert last.bodies.states.tolist() == [State.TRACKED]
    assert last.lost == (2,)


def test_a_stamp_that_jumps_back_starts_again_with_new_ids():
    run = pipeline(1, 1, 1)
    old = run(IMAGE, CAMERA, 100.0)
    new = run(IMAGE, CAMERA, 1.0)
    assert old.bodies.ids.tolist() != new.bodies.ids.tolist()
    assert list(new.lost) == old.bodies.ids.tolist()
    assert (run.detector.resets, run.smoother.resets) == (1, 1)
    assert run(IMAGE, CAMERA, 1.1).lost == ()


def test_the_detector_searches_again_after_a_pause():
    run = pipeline(1, 1, 1)
    run(IMAGE, CAMERA, 1.0)
    run(IMAGE, CAMERA, 1.9)
    assert run.detector.resets == 0
    run(IMAGE, CAMERA, 3.0)
    assert run.detector.resets == 1
    assert run.smoother.resets == 0


def test_people_of_a_photo_count_at_once_and_are_forgotten():
    run = real_smoother(1, 2, 2, 1)
    run.tracker.options = TrackerOptions(hits_to_confirm=2)
    video = run(IMAGE, CAMERA, 100.0).bodies
    assert video.states.tolist() == [State.TENTATIVE]
    photos = [run.photo(IMAGE, CAMERA) for _ in range(2)]
    assert [photo.bodies.states.tolist() for photo in photos] == [[State.TRACKED] * 2] * 2
    assert all(photo.bodies.valid.all() and photo.lost == () for photo in photos)
    after = run(IMAGE, CAMERA, 1.0)
    assert after.bodies.states.tolist() == [State.TENTATIVE]
    ids = [video.ids, *(photo.bodies.ids for photo in photos), after.bodies.ids]
    assert len(set(np.concatenate(ids).tolist())) == 6


def test_detector_and_estimator_are_given_the_work_to_leave_out():
    run = pipeline(1, 1)
    run(IMAGE, CAMERA, 1.0)
    assert (run.detector.shed, run.estimator.shed) == (Shed.NOTHING, Shed.NOTHING)
    run(IMAGE, CAMERA, 1.1, shed=Shed.SEARCHES)
    assert (run.detector.shed, run.estimator.shed) == (Shed.SEARCHES, Shed.SEARCHES)


def test_settings_reach_every_part():
    run = real_smoother(1)
    settings = PerceptionSettings(track_timeout_s=7.0, smoothing=SmoothingConfig(beta=2.0))
    run.configure(settings)
    assert run.detector.settings is run.estimator.settings is settings
    assert run.tracker.options == TrackerOptions(timeout_s=7.0, hits_to_confirm=1)
    assert run.smoother.config.beta == 2.0


def test_timings_are_those_of_the_image():
    timings = pipeline(1)(IMAGE, CAMERA, 1.0).timings
    steps = dataclasses.asdict(timings)
    assert set(steps) == {"detect_s", "track_s", "estimate_s", "smooth_s", "hands_s"}
    assert timings.total_s == sum(steps.values()) > 0


def test_a_pipeline_lists_and_closes_its_networks():
    engine = FakeEngine(1)
    with Pipeline(Script([]), Tracker(), Flat(), Plain(), BODY_MODEL, (engine,), "mine", "auto") as run:
        assert run.faces is BODY_MODEL.faces
        assert (run.method, run.calibration) == ("flat", None)
        facts = dict(run.facts)
        assert (facts["method"], facts["body model"], facts["backend"]) == ("flat", "mine", "auto")
        assert facts["networks"] == engine.manifest.name
        assert engine.status in facts[engine.manifest.name]
        assert not engine.closed
    assert engine.closed


def test_forecasts_are_made_for_the_times_asked_for_and_of_no_photo():
    two = pipeline(1, 1, 1)
    usual = two(IMAGE, CAMERA, 0.0).bodies.forecasts
    assert usual.ahead_s == (0.25, 0.5, 1.0)
    two.configure(PerceptionSettings(forecast_s="0.5"))
    bodies = two(IMAGE, CAMERA, 0.1).bodies
    assert bodies.forecasts.ahead_s == (0.5,)
    assert bodies.forecasts.joints.shape == (1, 1, 24, 3)
    two.configure(PerceptionSettings(forecast_s=""))
    assert two(IMAGE, CAMERA, 0.2).bodies.forecasts is None
    assert pipeline(1).photo(IMAGE, CAMERA).bodies.forecasts is None


def test_a_person_who_walks_is_expected_where_they_go():
    """By the parts that ship: a smoother that knows no network, and a person who crosses the view at 1 m/s."""
    tracker, smoother = Tracker(TrackerOptions(hits_to_confirm=1)), BodySmoother(BODY_MODEL)
    found = Pipeline(Script([1] * 60), tracker, Walker(), smoother, BODY_MODEL)
    found.configure(PerceptionSettings(forecast_s="0.5, 1.0"))
    for number in range(60):
        bodies = found(IMAGE, CAMERA, number / 30).bodies
    way = bodies.forecasts.cam_t[0] - bodies.cam_t[0]
    assert 0.3 < way[0, 0] < 0.5
    assert way[0, 0] < way[1, 0] < 0.7
    np.testing.assert_allclose(bodies.forecasts.joints[0, 0] - bodies.joints[0], np.tile(way[0], (24, 1)), atol=1e-5)
