# SPDX-License-Identifier: Apache-2.0
"""Image -> bodies: the steps in their order, with nothing of ROS in it, so that a script or a test can drive it."""

from __future__ import annotations

import dataclasses
from types import TracebackType

import numpy as np

from hmr_ros.core import tracepoints
from hmr_ros.core.arrays import Image, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.geometry.camera_motion import CameraMotion, CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import Camera, Detections, Estimates, State
from hmr_ros.core.temporal.ground_estimate import GroundEstimator
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.temporal.sizing import Evidence, Sizing
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.appearance import Look, appearance
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.carrying import View
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.doubting import believed
from hmr_ros.perception.external import checked
from hmr_ros.perception.fingers import Fingers
from hmr_ros.perception.hands import HandDetector
from hmr_ros.perception.looking import Looking
from hmr_ros.perception.moment import Moment
from hmr_ros.perception.placing import Placing
from hmr_ros.perception.posing import Posing
from hmr_ros.perception.reidentification import Cues
from hmr_ros.perception.result import Result as Result
from hmr_ros.perception.result import Timings as Timings
from hmr_ros.perception.tracker import Tracker, Tracks

_LONGEST_GAP_S = 1.0
"""After a longer pause people are not where they were: the detector searches instead of following."""


class Pipeline:
    """Follows people from image to image. Call it with images in the order of their stamps, from one thread.

    ``open_pipeline`` makes one of the shipped networks; the constructor takes parts of your own. Close it, or use it as
    a context manager, to free the networks.
    """

    def __init__(
        self,
        detector: Detector,
        tracker: Tracker,
        estimator: BodyEstimator,
        smoother: BodySmoother,
        body_model: BodyModel,
        engines: tuple[Engine, ...] = (),
        body_model_name: str = "open_body",
        backend: str = "none",
        hand_detector: HandDetector | None = None,
        fingers: Fingers | None = None,
    ) -> None:
        """``engines`` are closed with the pipeline; ``body_model_name`` and ``backend`` are for ``facts``.

        ``fingers`` move as the hands that ``hand_detector`` locates; None: they rest. ``in_turns`` may be set between
        images: people who hardly move are looked at in turns, where ``detector.still_people`` is auto.
        """
        self.detector = detector
        self.tracker = tracker
        self.estimator = estimator
        self.smoother = smoother
        self.body_model = body_model
        self.engines = engines
        self.body_model_name = body_model_name
        self.backend = backend
        self.hand_detector = hand_detector
        self.fingers = fingers
        self.in_turns = False
        self._looking = Looking(detector, hand_detector)
        self._sizing = Sizing(body_model)
        self._placing = Placing(self._sizing, GroundEstimator(body_model))
        self._posing = Posing(smoother, self._sizing, body_model, fingers)
        self._camera_motion = CameraMotion()
        self._known: set[int] = set()
        self._last_stamp_s = -np.inf
        self._settings = PerceptionSettings()

    @property
    def faces(self) -> Ints:
        """(F, 3) the triangles of every body: rows of ``Bodies.vertices``."""
        return self.body_model.faces

    @property
    def hand_model(self) -> HandModel | None:
        """The hand whose fingers move; None: they rest."""
        return None if self.fingers is None else self.fingers.hand

    @property
    def method(self) -> str:
        """How bodies are estimated."""
        return self.estimator.method

    @property
    def calibration(self) -> Calibration | None:
        """What the covariances of the bodies are made with; None: they are unknown."""
        return self.smoother.calibration(self.estimator.calibration)

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of the networks."""
        return tuple(engine.manifest.name for engine in self.engines)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What runs here, as names and values: method, body model, networks and what runs each of them."""
        return (
            ("method", self.method),
            ("body model", self.body_model_name),
            ("networks", ", ".join(self.networks)),
            ("backend", self.backend),
            *((engine.manifest.name, f"runs on {engine.status}") for engine in self.engines),
        )

    def __call__(
        self,
        image: Image,
        camera: Camera | None,
        stamp_s: float,
        depth: DepthImage | None = None,
        shed: Shed = Shed.NOTHING,
        detections: Detections | None = None,
        ground: Ground | None = None,
        world: Transform | None = None,
    ) -> Result:
        """Bodies in ``image`` (H, W, 3) uint8 RGB, taken at ``stamp_s`` s, and those of coasting tracks.

        ``detections`` of another detector take the place of the search: keypoints as they are, boxes
        (``Detections.of_boxes``) with keypoints of our networks; their ids are kept with ``detections.keep_ids``.
        People stand on the ``ground``, or on the one that settings let the pipeline estimate (``ground: estimate``).
        By ``world``, the transform from the optical frame into a frame that stands still, the camera's own motion
        cancels; bodies are in the optical frame all the same. None: the camera counts as still since the last image.

        Without a ``camera`` people have 2D evidence only, and are not ``valid``; tracks that are not seen go on
        coasting. A stamp before the last one (a bag that starts over) begins again, with new ids. ``shed`` is the work
        to leave out. Raises ValueError for an array that is no such image, or of another size than the
        camera's, for detections that cannot be used and a ``world`` that is none; EngineError when a network fails.
        """
        _check_image(image, camera)
        if detections is not None:
            detections = checked(detections, image, keep_ids=self.tracker.options.keep_ids)
        forgotten = self._begin(stamp_s)
        moment = Moment(image, camera, stamp_s, self._camera_motion(world, stamp_s), shed)
        steps = tracepoints.Steps()
        found = self._looking.people(image, detections, shed)
        detect_s = steps.end("detection")
        tracks = self._track(moment, found)
        skipped = self._looking.plan(tracks, stamp_s, self.in_turns)
        lost = self._update_known(tracks, forgotten)
        track_s = steps.end("tracking")
        tracks, estimates = self._estimate(moment, tracks)
        estimate_s = steps.end("estimation")
        ground = ground or self._placing.estimated_ground(tracks.seen, estimates, camera, stamp_s, moment.pose)
        placed = self._placing.measured(tracks.seen, estimates, camera, Evidence(stamp_s, depth, ground))
        estimate_s += steps.end("sizing")
        hands = self._looking.hands(image, tracks.seen, shed)
        hands_s = steps.end("hands")
        smoothed = self._posing.smoothed(tracks, placed, camera, stamp_s, moment.pose, ground)
        smooth_s = steps.end("smoothing")
        calibration = self.calibration if len(tracks.people) else None
        bodies = self._posing.posed(tracks, smoothed, hands, camera, stamp_s, calibration)
        smooth_s += steps.end("posing")
        return Result(
            bodies,
            lost,
            Timings(detect_s, track_s, estimate_s, hands_s, smooth_s),
            measured=int(placed.by_depth.sum()),
            grounded=int(placed.by_ground.sum()),
            ground=ground,
            pose=moment.pose,
            jump=self._camera_motion.jump,
            hands=hands,
            skipped=skipped,
        )

    def photo(
        self,
        image: Image,
        camera: Camera | None,
        depth: DepthImage | None = None,
        detections: Detections | None = None,
        ground: Ground | None = None,
    ) -> Result:
        """Bodies in a single ``image`` (H, W, 3) uint8 RGB: all are TRACKED at once, no track is kept or forecast.

        A video that was followed ends here without a report of its lost ids. Raises what a call raises.
        """
        self.reset()
        result = self(image, camera, 0.0, depth, detections=detections, ground=ground)
        self.reset()
        states = np.full_like(result.bodies.states, State.TRACKED)
        bodies = dataclasses.replace(result.bodies, states=states, forecasts=None)
        return dataclasses.replace(result, bodies=bodies)

    def looks(self, ids: Ints) -> Look:
        """How the people ``ids`` (P,) of the last image have looked so far; unknown where ``reid`` is off."""
        return self.tracker.looks(ids)

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self._looking.configure(settings)
        self.tracker.configure(settings)
        self.estimator.configure(settings)
        self._posing.configure(settings)
        self._placing.configure(settings)
        self._settings = settings

    def reset(self) -> None:
        """Forget all tracks."""
        self._looking.reset()
        self.tracker.reset()
        self._posing.reset()
        self._placing.reset()
        self._camera_motion.reset()
        self._known = set()
        self._last_stamp_s = -np.inf

    def close(self) -> None:
        """Free the networks; the pipeline must not be called afterwards."""
        self.detector.close()
        for engine in self.engines:
            engine.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, stamp_s: float) -> set[int]:
        """Reset what the time since the last image asks for; the ids that are lost by it."""
        forgotten: set[int] = set()
        if stamp_s < self._last_stamp_s:
            forgotten = self._known
            self.reset()
        elif _LONGEST_GAP_S < stamp_s - self._last_stamp_s < np.inf:
            self._looking.forget_image()
        self._last_stamp_s = stamp_s
        return forgotten

    def _track(self, moment: Moment, found: Detections) -> Tracks:
        view, cues = self._view(moment.camera, moment.pose), self._cues(moment.image, found)
        return self.tracker.update(found, moment.stamp_s, view, cues, self.detector.skipped)

    def _view(self, camera: Camera | None, pose: CameraPose | None) -> View | None:
        """What the tracker needs to let the camera's motion cancel; None where that is not known."""
        return None if camera is None or pose is None else View(camera, pose, self.smoother.root_depths())

    def _cues(self, image: Image, found: Detections) -> Cues | None:
        """What the tracker needs to know people again, where the settings ask for it."""
        return Cues(appearance(image, found), self.smoother.sizes) if self._settings.reid else None

    def _update_known(self, tracks: Tracks, forgotten: set[int]) -> tuple[int, ...]:
        """The ids to report as lost: those that the tracker gave up, and the ``forgotten`` ones.

        What is known of people is kept for as long as the tracker may know them again.
        """
        self._known = set(tracks.people.ids.tolist())
        lost = tuple(sorted({*tracks.lost, *forgotten} - self._known))  # a kept id may begin again at once
        self._posing.forget({*tracks.forgotten, *forgotten} - self._known)
        return lost

    def _estimate(self, moment: Moment, tracks: Tracks) -> tuple[Tracks, Estimates]:
        """The bodies of who is seen; who is not believed counts as hidden in the tracks."""
        seen, camera = tracks.seen, moment.camera
        if camera is None or len(seen) == 0:
            estimates = Estimates.unknown(len(seen))
        else:
            estimates = self.estimator.estimate(moment.image, seen, camera, moment.shed)
        return believed(tracks, estimates, self._sizing, self.smoother, moment.stamp_s, moment.pose)


def _check_image(image: Image, camera: Camera | None) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image: expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    height, width = image.shape[:2]
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise ValueError(
            f"camera: expected one for images of {width} x {height} px, got one for {camera.width} x {camera.height}"
        )
