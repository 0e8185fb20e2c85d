# SPDX-License-Identifier: Apache-2.0
"""The latency budget ``max_latency_ms``, kept image by image, and the resulting latencies on ``~/latency``."""

from __future__ import annotations

import time

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, MultiArrayLayout

from hmr_ros.core.temporal.histogram import BOUNDS_MS, Counts, LatencyHistogram
from hmr_ros.core.temporal.overrun import SILENCE_S, Overrun
from hmr_ros.core.temporal.shedding import Admission, Costs, Shed, Shedder
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.publishing import Qos, has_subscribers

_REPORT_S = 1.0
_ROWS = "upper bound [ms], images, images since the last message"


class LatencyBudget:
    """Decides what work to shed for each image, and records latencies. Used by the worker thread alone."""

    def __init__(self, node: Node) -> None:
        self._publishers = PublisherFactory(node)
        self._publisher = self._publishers.create(Float64MultiArray, "~/latency", Qos(1))
        self._shedder = Shedder()
        self._overrun = Overrun()
        self._histogram = LatencyHistogram()
        self._reported_s = time.monotonic()

    def admit(self, stamp_s: float, age_s: float, max_latency_ms: float) -> Admission:
        """Decide about an image that is ``age_s`` old; ``max_latency_ms`` 0 admits all, with nothing shed."""
        limit_s = max_latency_ms * 1e-3
        return self._overrun.admitted(self._shedder.admit(stamp_s, age_s, limit_s), stamp_s, limit_s)

    def publishable(self, stamp_s: float, age_s: float, shed: Shed, max_latency_ms: float) -> Admission:
        """Decide about the bodies of an image that is ``age_s`` old by now: all, without views, or not at all."""
        return self._overrun.publishable(self._shedder.publishable(age_s, shed, max_latency_ms * 1e-3), stamp_s)

    def overrun_problem(self, max_latency_ms: float) -> str:
        """That the limit cannot be kept, so that late bodies are published; "" while it can."""
        if not self._overrun.is_on:
            return ""
        return (
            f"nothing was in time for {SILENCE_S:g} s: bodies are published later than max_latency_ms "
            f"({max_latency_ms:g}) allows; raise it above the latency p99, or use detector.preset fast"
        )

    def unpublished(self, stamp_s: float, shed: Shed, detect_s: float, estimate_s: float) -> None:
        """Record what an image took that was processed without ``shed``, and came too late to be published."""
        self._shedder.observe_unpublished(stamp_s, shed, detect_s, estimate_s)

    def done(self, stamp_s: float, shed: Shed, costs: Costs, latency_s: float) -> None:
        """Record the ``costs`` of an image processed without ``shed``, and published ``latency_s`` after its stamp."""
        self._shedder.observe(stamp_s, shed, costs)
        self._histogram.add(latency_s)
        if time.monotonic() - self._reported_s >= _REPORT_S and has_subscribers(self._publisher):
            self._reported_s = time.monotonic()
            self._publisher.publish(histogram_message(self._histogram.report()))

    def close(self) -> None:
        """Destroy the publisher."""
        self._publishers.destroy(self._publisher)


def histogram_message(counts: Counts) -> Float64MultiArray:
    """``counts`` as an array (3, buckets): upper bounds in ms, all images, the recent ones.

    The last bound is the largest float64: JSON has no infinity.
    """
    buckets = len(counts.total)
    layout = MultiArrayLayout(
        dim=[
            MultiArrayDimension(label=_ROWS, size=3, stride=3 * buckets),
            MultiArrayDimension(label="bucket", size=buckets, stride=buckets),
        ]
    )
    rows = np.stack([[*BOUNDS_MS, np.finfo(np.float64).max], counts.total, counts.recent])
    return Float64MultiArray(layout=layout, data=rows.ravel().tolist())
