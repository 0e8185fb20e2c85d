# SPDX-License-Identifier: Apache-2.0
"""Transforms into the frames that users want people in, at the stamp of the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rclpy.node import Node

from hmr_ros.core.geometry.frames import NoTransformError, Transform
from hmr_ros.core.people import Bodies
from hmr_ros.ros.input.transform_listener import TransformListener
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.interfaces import TF


class FixedFrames:
    """Looks up where the camera was. It listens to TF where one of ``frames`` is not "", the camera's own frame."""

    def __init__(self, node: Node, frames: Iterable[str]) -> None:
        self._listener = TransformListener(node) if any(frames) and TF.is_available else None
        self._stamp = Stamp(0, 0)
        self._found: dict[tuple[str, str], Transform | NoTransformError] = {}

    def close(self) -> None:
        """Unsubscribe."""
        if self._listener is not None:
            self._listener.close()

    def lookup(self, target: str, source: str, stamp: Stamp, timeout_s: float) -> Transform:
        """``source`` -> ``target`` at ``stamp``; waits once per image, up to ``timeout_s``, for one that is to come.

        Raises NoTransformError.
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
        """Each image has its own transforms; and bags start over."""
        if stamp == self._stamp:
            return
        if stamp.nanoseconds < self._stamp.nanoseconds and self._listener is not None:
            self._listener.forget_moving()
        self._stamp = stamp
        self._found.clear()

    def _looked_up(self, target: str, source: str, stamp: Stamp, timeout_s: float) -> Transform | NoTransformError:
        if self._listener is None:
            return NoTransformError("tf2_msgs is not installed")
        try:
            return self._listener.lookup(target, source, stamp, timeout_s)
        except NoTransformError as err:
            return err


def moved(bodies: Bodies, transform: Transform) -> Bodies:
    """``bodies`` with their joints and vertices, and nothing else, in another frame: what is drawn of them."""
    if transform is Transform.identity():
        return bodies
    return dataclasses.replace(bodies, joints=transform(bodies.joints), vertices=transform(bodies.vertices))
