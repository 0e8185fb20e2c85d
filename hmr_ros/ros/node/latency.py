"""The latency budget ``max_latency_ms``, kept image by image, and the resulting latencies on ``~/latency``."""

from __future__ import annotations

import time

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, MultiArrayLayout

from hmr_ros.core.temporal.histogram import BOUNDS_MS, Counts, LatencyHistogram
from hmr_ros.core.temporal.shedding import Costs, Shed, Shedder
from hmr_ros.perception.assemble import Assembly
from hmr_ros.perception.pipeline import Timings
from hmr_ros.ros.monitor import Drop
from hmr_ros.ros.node.admission import Rejection
from hmr_ros.ros.output.publishers import PublisherFactory, has_subscribers

_REPORT_S = 1.0
_ROWS = "upper bound [ms], images, images since the last message"


class LatencyBudget:
    """Sheds work of ``assembly`` so that images are published in time. Used by the worker thread alone."""

    def __init__(self, node: Node, assembly: Assembly) -> None:
        self._publishers = PublisherFactory(node)
        self._publisher = self._publishers.create(Float64MultiArray, "~/latency", QoSProfile(depth=1))
        self._assembly = assembly
        self._shedder = Shedder()
        self._histogram = LatencyHistogram()
        self._age_s = 0.0
        self._reported_s = time.monotonic()

    @property
    def shed(self) -> Shed:
        """The work that the current image is processed without."""
        return self._shedder.level

    def admit(self, stamp_s: float, age_s: float, max_latency_ms: float) -> Rejection | None:
        """Shed work so that an image that is ``age_s`` old is published in time; returns why to drop it, if it is."""
        self._age_s = age_s
        admitted = self._shedder.admit(stamp_s, age_s, max_latency_ms * 1e-3)
        self._assembly.shed(self._shedder.level)
        if admitted:
            return None
        expected_ms = self._shedder.expected_s * 1e3
        explanation = f"it would be {expected_ms:.0f} ms old when published, max_latency_ms is {max_latency_ms:g}"
        return Rejection(Drop.WOULD_BE_LATE, explanation)

    def done(self, stamp_s: float, latency_s: float, timings: Timings, views_s: float) -> None:
        """Learn from the image last admitted: published ``latency_s`` after its stamp; the views took ``views_s``."""
        rest_s = latency_s - self._age_s - timings.detect_s - timings.estimate_s - views_s
        self._shedder.observe(stamp_s, Costs(timings.detect_s, timings.estimate_s, views_s, max(rest_s, 0.0)))
        self._histogram.add(latency_s)
        if time.monotonic() - self._reported_s >= _REPORT_S and has_subscribers(self._publisher):
            self._reported_s = time.monotonic()
            self._publisher.publish(histogram_message(self._histogram.report()))

    def close(self) -> None:
        """Destroy the publisher, and restore all work."""
        self._assembly.shed(Shed.NOTHING)
        self._publishers.destroy(self._publisher)


def histogram_message(counts: Counts) -> Float64MultiArray:
    """``counts`` as an array (3, buckets): upper bounds in ms (the last is infinite), all images, the recent ones."""
    buckets = len(counts.total)
    layout = MultiArrayLayout(
        dim=[
            MultiArrayDimension(label=_ROWS, size=3, stride=3 * buckets),
            MultiArrayDimension(label="bucket", size=buckets, stride=buckets),
        ]
    )
    rows = np.stack([[*BOUNDS_MS, np.inf], counts.total, counts.recent])
    return Float64MultiArray(layout=layout, data=rows.ravel().tolist())
