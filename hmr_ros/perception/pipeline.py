# SPDX-License-Identifier: Apache-2.0
"""Image -> bodies: the steps in their order, with nothing of ROS in it, so that a script or a test can drive it."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.fitting.depth import DepthImage, DepthPlacement, Measured
from hmr_ros.core.people import Bodies, Camera, Detections, Estimates, State
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.tracker import Tracker, Tracks

_LONGEST_GAP_S = 1.0
"""After a longer pause people are not where they were: the detector searches instead of following."""


@dataclass(frozen=True)
class Timings:
    """How long the steps of one image took, s; posing belongs to smoothing."""

    detect_s: float = 0.0
    track_s: float = 0.0
    estimate_s: float = 0.0
    smooth_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All steps together."""
        return self.detect_s + self.track_s + self.estimate_s + self.smooth_s


class Pipeline:
    """Follows people from image to image. Call it with images in the order of their stamps, from one thread.

    After each call ``timings`` tells what the steps took, ``lost`` the ids that ended with this image, and ``measured``
    how many people depth has placed.
    """

    def __init__(
        self,
        detector: Detector,
        tracker: Tracker,
        estimator: BodyEstimator,
        smoother: BodySmoother,
        body_model: BodyModel,
    ) -> None:
        self.detector = detector
        self.tracker = tracker
        self.estimator = estimator
        self.smoother = smoother
        self.body_model = body_model
        self.timings = Timings()
        self.lost: tuple[int, ...] = ()
        self.measured = 0
        self._depth_placement = DepthPlacement(body_model)
        self._known: set[int] = set()
        self._last_stamp_s = -np.inf

    def __call__(self, image: Image, camera: Camera | None, stamp_s: float, depth: DepthImage | None = None) -> Bodies:
        """Bodies in ``image`` (H, W, 3) uint8 RGB, and those expected though not seen: ``Bodies.states`` tells.

        Without a ``camera`` who is seen has 2D evidence only, and is not ``valid``; who is not seen goes on coasting.
        A stamp before the last one (a bag that starts over) begins again: everybody gets a new id.
        """
        forgotten: set[int] = set()
        if stamp_s < self._last_stamp_s:
            forgotten = self._known
            self.reset()
        elif _LONGEST_GAP_S < stamp_s - self._last_stamp_s < np.inf:
            self.detector.reset()
        self._last_stamp_s = stamp_s

        clock = [time.perf_counter()]
        detections = self.detector.detect(image)
        clock.append(time.perf_counter())
        tracks = self.tracker.update(detections, stamp_s)
        self._update_known(tracks, forgotten)
        clock.append(time.perf_counter())
        estimated = self._estimate(image, tracks.seen, camera, depth)
        clock.append(time.perf_counter())
        estimates = self._smooth(tracks, estimated, stamp_s)
        bodies = pose_bodies(tracks.people, estimates, self.body_model)
        clock.append(time.perf_counter())
        self.timings = Timings(*(float(step) for step in np.diff(clock)))
        return dataclasses.replace(bodies, states=tracks.states, unseen_s=tracks.unseen_s)

    def reset(self) -> None:
        """Forget everybody."""
        self.detector.reset()
        self.tracker.reset()
        self.smoother.reset()
        self._depth_placement.reset()
        self._known = set()
        self._last_stamp_s = -np.inf

    def _update_known(self, tracks: Tracks, forgotten: set[int]) -> None:
        """Report as lost who was reported before, and nobody else."""
        ended = self._known & set(self.tracker.lost)
        self.lost = tuple(sorted(ended | forgotten))
        self.smoother.forget(self.lost)
        self._depth_placement.forget(self.lost)
        self._known = (self._known - ended) | set(tracks.people.ids.tolist())

    def _estimate(self, image: Image, seen: Detections, camera: Camera | None, depth: DepthImage | None) -> Measured:
        if camera is None or len(seen) == 0:
            measured = Measured(Estimates.unknown(len(seen)), np.zeros(len(seen), np.bool_))
        else:
            estimated = self.estimator.estimate(image, seen, camera)
            measured = self._depth_placement(seen.ids, estimated, camera, depth)
        self.measured = int(measured.used.sum())
        return measured

    def _smooth(self, tracks: Tracks, estimated: Measured, stamp_s: float) -> Estimates:
        """What was ``estimated`` of who is seen, smoothed, and what is expected of who is not."""
        smoothed = self.smoother(tracks.seen.ids, estimated.estimates, stamp_s, estimated.used)
        unseen = tracks.states == State.COASTING
        if not unseen.any():
            return smoothed
        everybody = Estimates.unknown(len(unseen)).with_rows(~unseen, smoothed)
        return everybody.with_rows(unseen, self.smoother.coasted(tracks.coasting.ids, stamp_s))
