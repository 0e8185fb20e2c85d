# SPDX-License-Identifier: Apache-2.0
"""The parts of the active node: publishers and, unless it is disabled, the camera's topics and the worker."""

from __future__ import annotations

import time

from rclpy.node import Node

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.ros.input.inputs import CameraInput
from hmr_ros.ros.monitor import STAMP_DROPS, Monitor, Processed
from hmr_ros.ros.node.diagnostics import Health
from hmr_ros.ros.node.worker import Worker
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.shared import SharedOutputs
from hmr_ros.ros.wire.endpoints import several
from hmr_ros.ros.wire.messages import Origin

_LONGEST_IMAGE_S = 2.0
"""An image that takes longer means that the worker hangs; nav2's Collision Monitor stops the robot after this time."""

_MIN_UNMEASURED, _UNMEASURED_S = 5, 1.0
"""Images with people, and the time that they span, after which depth should have measured someone."""


class Operation:
    """Publishes from construction to ``close``, and processes images between ``resume`` and ``pause``."""

    def __init__(
        self,
        node: Node,
        pipeline: Pipeline,
        monitor: Monitor,
        presence: Presence,
        shared: SharedOutputs,
        config: RobotConfig,
    ) -> None:
        self._node = node
        self._pipeline = pipeline
        self._monitor = monitor
        self._config = config
        self._looks = shared.looks
        origin = Origin(pipeline.method, pipeline.body_model_name, pipeline.calibration)
        self._outputs = Outputs(
            PublisherFactory(node), pipeline.body_model, origin, config, presence, shared, pipeline.hand_model
        )
        self._input: CameraInput | None = None
        self._worker: Worker | None = None
        self._resumed_s = 0.0

    @property
    def is_running(self) -> bool:
        """Whether images are processed."""
        return self._worker is not None

    def resume(self) -> None:
        """Subscribe, and process images."""
        if self._worker is None:
            self._input = CameraInput(self._node, self._config, self._monitor, self._outputs.frames)
            self._resumed_s = time.monotonic()
            self._worker = Worker(
                self._node, self._input, self._outputs, self._pipeline, self._monitor, self._config, self._looks
            )

    def pause(self) -> int:
        """Unsubscribe, finish the current image and end all tracks; returns how many."""
        worker = self._halted()
        return worker.end_tracks() if worker is not None else 0

    def end_tracks(self) -> int:
        """End all tracks, and go on with new ones; returns how many ended. Raises TimeoutError."""
        return self._worker.end_tracks() if self._worker is not None else 0

    def close(self) -> None:
        """Stop, report the end of all tracks, and destroy all publishers."""
        worker = self._halted()
        try:
            if worker is not None and self._node.context.ok():
                worker.end_tracks()
        finally:
            self._outputs.close()
            self._pipeline.reset()

    def apply(self, config: RobotConfig) -> None:
        """Take over the parameters that were set while the node runs."""
        self._config = config
        self._outputs.apply(config)
        if self._worker is not None:
            self._worker.config = config

    def adapt(self) -> None:
        """Follow changes of the publishers' QoS; call about once a second."""
        if self._input is not None:
            self._input.adapt()

    def health(self) -> Health:
        """The most important problem: what makes results stale or missing comes before what makes them worse."""
        if self._input is None:
            return Health("disabled")
        if fatal := self._input.problem(self._config.input_timeout_s) or self._staleness() or self._last_problem():
            return Health(fatal, fatal=True)
        return Health(
            self._input.calibration_problem()
            or self._stamp_problem()
            or self._unmeasured()
            or self._disagreement()
            or self._rivals()
        )

    def _halted(self) -> Worker | None:
        """Unsubscribe, and stop the worker; returns it, after its last image, if there was one."""
        if self._input is not None:
            self._input.close()
        if self._worker is not None:
            self._worker.join()
        worker, self._input, self._worker = self._worker, None, None
        return worker

    def _last_processed(self) -> Processed | None:
        """The last image that was processed since ``resume``; None before the first."""
        last = self._monitor.last_processed()
        return last if last is not None and last.at_s >= self._resumed_s else None

    def _staleness(self) -> str:
        """The problem when images arrive, but none is processed, as the worker hangs or drops them all; else ""."""
        last = self._last_processed()
        silence_s = time.monotonic() - (last.at_s if last is not None else self._resumed_s)
        if silence_s <= longest_silence_s(self._config):
            return ""
        dropped = self._monitor.last_explained()
        cause = f"; {dropped}" if dropped is not None else ""
        return f"no image was processed for {silence_s:.0f} s: what was published is stale{cause}"

    def _stamp_problem(self) -> str:
        """What is wrong with stamps of the last seconds; "" when nothing."""
        dropped = self._monitor.last_explained()
        return str(dropped) if dropped is not None and dropped.reason in STAMP_DROPS else ""

    def _last_problem(self) -> str:
        """Which output of the last image was not published, and why, or why it was published late; "" when neither."""
        last = self._last_processed()
        return last.output_problem or last.latency_problem if last is not None else ""

    def _rivals(self) -> str:
        """The problem when another node publishes ``bodies``, too, as one that was started twice; else ""."""
        topic = self._node.resolve_topic_name("bodies")
        found = several(topic, self._node.get_publishers_info_by_topic(topic))
        return f"{found}: subscribers get people of both; end one of them, or give each a namespace" if found else ""

    def _unmeasured(self) -> str:
        """The problem when depth comes, but measures none of the people that are seen; else ""."""
        seen = [p for p in self._monitor.recent().processed if p.metric and p.at_s >= self._resumed_s]
        if not self._config.use_depth or len(seen) < _MIN_UNMEASURED or any(p.measured for p in seen):
            return ""
        if (seconds := seen[-1].at_s - seen[0].at_s) < _UNMEASURED_S:
            return ""
        return (
            f"depth measured no person in {seconds:.0f} s with people in view: check its unit (32FC1 in m, depth_scale "
            "for integers), and that it is registered to the images"
        )

    def _disagreement(self) -> str:
        """The problem when two methods run and their joints lie too far apart; else ""."""
        distance_m, limit_m = self._monitor.recent().disagreement_m, self._config.max_disagreement_m
        if not distance_m > limit_m:
            return ""
        return f"the two methods disagree by {distance_m:.2f} m per joint, max_disagreement_m is {limit_m:g}"


def longest_silence_s(config: RobotConfig) -> float:
    """Longest time between two processed images of a working node, s: a slow image, or the pause of max_rate_hz."""
    pause_s = 1 / config.max_rate_hz if config.max_rate_hz else 0.0
    return pause_s + max(config.input_timeout_s, _LONGEST_IMAGE_S)
