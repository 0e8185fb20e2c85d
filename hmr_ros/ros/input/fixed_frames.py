# SPDX-License-Identifier: Apache-2.0
"""Transforms from the camera into the frames that settings name, at the stamp of the image."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError, Transform
from hmr_ros.core.people import Bodies
from hmr_ros.ros.wire.cdr import Stamp


class Listener(Protocol):
    """All transforms that came on TF."""

    def lookup(self, target: str, source: str, stamp: Stamp, timeout_s: float) -> Transform:
        """The transform ``source`` -> ``target`` at ``stamp``, within ``timeout_s``. Raises NoTransformError."""

    def forget_moving(self) -> None:
        """Forget moving frames: time jumped back."""

    def close(self) -> None:
        """Receive no more."""


def frames_of(config: RobotConfig) -> tuple[str, ...]:
    """The frames that ``config`` names; "" is the camera's, or none."""
    return config.target_frame, config.planning.frame, config.ground_frame, config.world_frame


class FixedFrames:
    """Looks up transforms, once per image, with a ``listener``; None: only the camera's own frame is known.

    All that asks for frames of one camera shares one of these. Used by one thread.
    """

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._stamp = Stamp(0, 0)
        self._found: dict[tuple[str, str], Transform | NoTransformError] = {}

    def close(self) -> None:
        """Unsubscribe."""
        if self._listener is not None:
            self._listener.close()

    def lookup(self, target: str, source: str, stamp: Stamp, timeout_s: float) -> Transform:
        """The transform ``source`` -> ``target`` at ``stamp``, or the identity where ``target`` is "".

        Waits once per image, up to ``timeout_s``, for a transform that has not arrived. Raises NoTransformError.
        """
        if target in ("", source):
            return Transform.identity()
        self._follow_time(stamp)
        if (target, source) not in self._found:
            self._found[target, source] = self._looked_up(target, source, stamp, timeout_s)
        found = self._found[target, source]
        if isinstance(found, NoTransformError):
            raise found
        return found

    def _follow_time(self, stamp: Stamp) -> None:
        """Forget the transforms of another image, and moving frames when time jumps back, as when a bag is replayed."""
        if stamp == self._stamp:
            return
        if stamp.nanoseconds < self._stamp.nanoseconds and self._listener is not None:
            self._listener.forget_moving()
        self._stamp = stamp
        self._found.clear()

    def _looked_up(self, target: str, source: str, stamp: Stamp, timeout_s: float) -> Transform | NoTransformError:
        """The transform or the error of ``lookup``, so that a missing transform is waited for only once."""
        if self._listener is None:
            return NoTransformError("tf2_msgs is not installed")
        try:
            return self._listener.lookup(target, source, stamp, timeout_s)
        except NoTransformError as err:
            return err


def moved(bodies: Bodies, transform: Transform) -> Bodies:
    """``bodies`` with joints (P, 24, 3) m and vertices (P, V, 3) m in another frame, and where they will be there.

    Other fields, covariances among them, are unchanged.
    """
    if transform is Transform.identity():
        return bodies
    ahead = bodies.forecasts
    if ahead is not None:
        ahead = dataclasses.replace(ahead, cam_t=transform(ahead.cam_t), joints=transform(ahead.joints))
    vertices = transform(bodies.vertices)
    return dataclasses.replace(bodies, joints=transform(bodies.joints), vertices=vertices, forecasts=ahead)
