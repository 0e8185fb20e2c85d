# SPDX-License-Identifier: Apache-2.0
"""The latency budget ``max_latency_ms``, kept image by image, and what came of it: the topic ``~/latency``."""

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
from hmr_ros.ros.output.publishers import PublisherFactory, has_subscribers

_REPORT_S = 1.0
_ROWS = "upper bound [ms], images, images since the last message"


class LatencyBudget:
    """Sheds work of ``assembly`` so that images are done in time. Used by the worker thread alone."""

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
        """What the image at hand goes without."""
        return self._shedder.level

    @property
    def expected_s(self) -> float:
        """The latency that was expected of the image asked about last."""
        return self._shedder.expected_s

    def admit(self, stamp_s: float, age_s: float, max_latency_ms: float) -> bool:
        """Whether an image that is ``age_s`` old can be done in time, with what is left of the work."""
        self._age_s = age_s
        admitted = self._shedder.admit(stamp_s, age_s, max_latency_ms * 1e-3)
        self._assembly.shed(self._shedder.level)
        return admitted

    def done(self, stamp_s: float, latency_s: float, timings: Timings, views_s: float) -> None:
        """The image last admitted is published, ``latency_s`` after its stamp; meshes and overlay took ``views_s``."""
        rest_s = latency_s - self._age_s - timings.detect_s - timings.estimate_s - views_s
        self._shedder.observe(stamp_s, Costs(timings.detect_s, timings.estimate_s, views_s, max(rest_s, 0.0)))
        self._histogram.add(latency_s)
        if time.monotonic() - self._reported_s >= _REPORT_S and has_subscribers(self._publisher):
            self._reported_s = time.monotonic()
            self._publisher.publish(histogram_message(self._histogram.report()))

    def close(self) -> None:
        """Unpublish, and leave out nothing any more."""
        self._assembly.shed(Shed.NOTHING)
        self._publishers.destroy(self._publisher)


def histogram_message(counts: Counts) -> Float64MultiArray:
    """Three rows over the buckets: upper bounds in ms (the last is infinite), and both counts."""
    buckets = len(counts.total)
    layout = MultiArrayLayout(
        dim=[
            MultiArrayDimension(label=_ROWS, size=3, stride=3 * buckets),
            MultiArrayDimension(label="bucket", size=buckets, stride=buckets),
        ]
    )
    rows = np.stack([[*BOUNDS_MS, np.inf], counts.total, counts.recent])
    return Float64MultiArray(layout=layout, data=rows.ravel().tolist())
