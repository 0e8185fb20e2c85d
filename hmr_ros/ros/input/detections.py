# SPDX-License-Identifier: Apache-2.0
"""People as another detector finds them: which detections belong to an image, and what is refused of them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum

import numpy as np
from rclpy.node import Node

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Detections
from hmr_ros.perception.external import EXPLANATIONS, faults
from hmr_ros.ros.input.detection_messages import BadDetectionsError, Reported
from hmr_ros.ros.input.detection_sources import open_source
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.wire.cdr import Stamp

_LOG_EVERY_S = 10.0
_MISSED = 64
"""Images without detections that are remembered, so that late ones are counted."""


class DetectionGap(StrEnum):
    """Why an image was processed without detections, or these came to nothing; counted by these names."""

    MISSING = "detections_missing"
    LATE = "detections_late"
    WRONG_FRAME = "detections_wrong_frame"
    UNUSABLE = "detections_unusable"


class DetectionsInput:
    """Subscribes what ``detections.source`` names; ``wake`` is called when something arrives.

    Detections belong to the image of their stamp, within ``detections.tolerance_s``. ``problem`` is why the last image
    had none, or what was refused of them; "" for nothing. Raises ParameterError.
    """

    def __init__(self, node: Node, config: RobotConfig, monitor: Monitor, wake: Callable[[], None]) -> None:
        self.problem = ""
        self._node = node
        self._config = config.detections
        self._monitor = monitor
        self._wake = wake
        self._tolerance_ns = round(config.detections.tolerance_s * 1e9)
        self._missed: deque[int] = deque(maxlen=_MISSED)
        self._last_s = time.monotonic()
        self._source = open_source(node, config, self._arrived)

    @property
    def topic(self) -> str:
        """The topic that detections are expected on."""
        return self._source.topic

    def is_ready(self, stamp: Stamp) -> bool:
        """Whether the detections of an image with ``stamp`` have arrived."""
        return self._source.nearest(stamp.nanoseconds, self._tolerance_ns, complete=True) is not None

    def of(self, frame: Frame) -> Detections | None:
        """The people in ``frame``; None, counted by its reason, when nothing usable came for it in time."""
        self.problem = ""
        height, width = frame.image.shape[:2]
        stamp_ns = self._source.nearest(frame.stamp.nanoseconds, self._tolerance_ns, complete=False)
        if stamp_ns is None:
            self._missed.append(frame.stamp.nanoseconds)
            waited = f"came for an image within detections.timeout_s = {self._config.timeout_s:g} s"
            self._miss(DetectionGap.MISSING, f"nothing on {self._source.complaint()} {waited}")
            return None
        try:
            reported = self._source.read(stamp_ns, width, height)
        except BadDetectionsError as err:
            self._miss(DetectionGap.UNUSABLE, f"{self.topic}: {err}")
            return None
        return self._accepted(reported, frame)

    def adapt(self) -> None:
        """Follow the publishers' QoS; call about once a second."""
        self._source.adapt()

    def silence(self, timeout_s: float) -> str:
        """The problem when no detections came for ``timeout_s``; else ""."""
        silence_s = time.monotonic() - self._last_s
        if silence_s <= timeout_s:
            return ""
        return f"no detections on {self._source.complaint()} for {silence_s:.0f} s: new people are not found"

    def close(self) -> None:
        """Unsubscribe."""
        self._source.close()

    def _arrived(self, stamp_ns: int) -> None:
        """Note what came, and whether its image has gone without it."""
        self._last_s = time.monotonic()
        late = [missed for missed in list(self._missed) if abs(missed - stamp_ns) <= self._tolerance_ns]
        if late:
            age_s = (self._node.get_clock().now().nanoseconds - stamp_ns) * 1e-9
            self._monitor.drop(DetectionGap.LATE)
            self._log(
                f"detections on {self.topic} came {age_s:.2f} s after their image, which was processed without: "
                f"detections.timeout_s is {self._config.timeout_s:g}"
            )
        self._wake()

    def _accepted(self, reported: Reported, frame: Frame) -> Detections | None:
        """``reported`` people without those that have to be refused; None for those of another frame."""
        others = reported.frame_ids - {frame.frame_id, ""}
        if others and frame.frame_id:
            names = ", ".join(sorted(others))
            self._miss(
                DetectionGap.WRONG_FRAME,
                f"detections on {self.topic} are in frame {names!r}, the image in {frame.frame_id!r}: subscribe "
                "those of this camera",
            )
            return None
        self.problem = reported.problem and f"{self.topic}: {reported.problem}: set detections.classes"
        return self._without_faults(reported.detections, frame)

    def _without_faults(self, detections: Detections, frame: Frame) -> Detections:
        """``detections`` but for those that cannot be used, which are counted by name."""
        height, width = frame.image.shape[:2]
        found = faults(detections, width, height, keep_ids=self._config.keep_ids)
        for fault, count in Counter(found.values()).items():
            for _ in range(count):
                self._monitor.drop(fault)
            self.problem = f"{self.topic}: {count} detections are refused ({fault}): of each, {EXPLANATIONS[fault]}"
            self._log(self.problem)
        return detections.take(np.array([row not in found for row in range(len(detections))], np.bool_))

    def _miss(self, gap: DetectionGap, explanation: str) -> None:
        """Count, keep and log why an image got no detections."""
        self.problem = explanation
        self._monitor.drop(gap)
        self._log(f"{explanation}. Known people are followed, new ones are not found")

    def _log(self, text: str) -> None:
        self._node.get_logger().warning(text, throttle_duration_sec=_LOG_EVERY_S)
