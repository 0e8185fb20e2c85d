# SPDX-License-Identifier: Apache-2.0
"""Estimates of one image -> bodies: smoothed over time, expected where unseen, posed with their fingers, forecast."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.forecasts import parsed_times
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.people import Bodies, Camera, Estimates
from hmr_ros.core.temporal.forecasting import forecasts
from hmr_ros.core.temporal.sizing import Measured, Sizing
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.perception.fingers import Fingers
from hmr_ros.perception.hands import Hands
from hmr_ros.perception.keypoints import KeypointOptions, face_seen, seen_keypoints
from hmr_ros.perception.tracks import Tracks


class Posing:
    """The last steps of a pipeline. Call ``smoothed``, then ``posed``, image by image in the order of their stamps."""

    def __init__(self, smoother: BodySmoother, sizing: Sizing, body_model: BodyModel, fingers: Fingers | None) -> None:
        """``fingers`` None: they rest."""
        self._smoother = smoother
        self._sizing = sizing
        self._body_model = body_model
        self._fingers = fingers
        self._keypoint_options, self._forecast_s = _of(PerceptionSettings())

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self._smoother.config = settings.smoothing
        if self._fingers is not None:
            self._fingers.configure(settings.smoothing)
        self._keypoint_options, self._forecast_s = _of(settings)

    def reset(self) -> None:
        """Forget all tracks."""
        self._smoother.reset()
        if self._fingers is not None:
            self._fingers.reset()
        self._sizing.reset()

    def forget(self, ids: Collection[int]) -> None:
        """Forget what is known of the tracks ``ids``."""
        self._smoother.forget(ids)
        self._sizing.forget(ids)

    def smoothed(
        self,
        tracks: Tracks,
        estimated: Measured,
        camera: Camera | None,
        stamp_s: float,
        pose: CameraPose | None,
        ground: Ground | None,
    ) -> Estimates:
        """The ``estimated`` bodies of the tracks that are seen, smoothed, and the expected ones of the others.

        These move along the ``ground``, where there is one, and all stand on it.
        """
        faces, keypoints = face_seen(tracks.seen, self._keypoint_options.threshold), self._keypoints(tracks, camera)
        people, estimates = tracks.seen.ids, estimated.estimates
        smoothed = self._smoother(people, estimates, stamp_s, estimated.sized, pose, faces, keypoints)
        unseen = tracks.unseen_s > 0
        if unseen.any():
            expected = self._smoother.coasted(tracks.unseen.ids, stamp_s, ground)
            joined = Estimates.unknown(len(unseen)).with_rows(~unseen, smoothed)
            smoothed = joined.with_rows(unseen, expected)
        placed, feet_seen = np.zeros(len(unseen), np.bool_), np.zeros((len(unseen), 2), np.bool_)
        placed[~unseen], feet_seen[~unseen] = estimated.by_ground, estimated.feet_seen
        return self._sizing.settled(self._sizing.resized(tracks.people.ids, smoothed), placed, feet_seen, ground)

    def _keypoints(self, tracks: Tracks, camera: Camera | None) -> Keypoints | None:
        """Those of the tracks that are seen which the smoother reads."""
        if camera is None or self._smoother.joint_set is None:
            return None
        seen = seen_keypoints(tracks.seen, camera, self._smoother.joint_set, self._keypoint_options)
        return Keypoints.of(seen.normalized, seen.placing_score)

    def posed(
        self,
        tracks: Tracks,
        estimates: Estimates,
        hands: Hands | None,
        camera: Camera | None,
        stamp_s: float,
        calibration: Calibration | None,
    ) -> Bodies:
        """The bodies of ``estimates`` with the fingers of ``hands``, and with forecasts where settings ask for any."""
        if self._fingers is None:
            bodies = pose_bodies(tracks.people, estimates, self._body_model)
        else:
            moved = self._fingers(hands, camera, tracks.people.ids, estimates, stamp_s)
            bodies = self._fingers.posed(pose_bodies(tracks.people, moved.estimates, self._body_model), moved.hands)
        bodies = dataclasses.replace(bodies, states=tracks.states, unseen_s=tracks.unseen_s)
        return self._forecast(bodies, calibration) if self._forecast_s else bodies

    def _forecast(self, bodies: Bodies, calibration: Calibration | None) -> Bodies:
        known = (self._smoother.walks(bodies.ids), self._smoother.changes(bodies.ids))
        errors = calibration.forecast if calibration and len(bodies) else None
        return dataclasses.replace(bodies, forecasts=forecasts(bodies, *known, errors, self._forecast_s))


def _of(settings: PerceptionSettings) -> tuple[KeypointOptions, tuple[float, ...]]:
    """Which keypoints are seen, and the times ahead of forecasts, s."""
    return KeypointOptions.of(settings), parsed_times(settings.forecast_s)
