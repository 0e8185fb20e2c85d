# SPDX-License-Identifier: Apache-2.0
"""What runs while the node is active: publishers, and, unless it is disabled, the camera's topics and the worker."""

from __future__ import annotations

import time

from rclpy.node import Node

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.perception.assemble import Assembly
from hmr_ros.ros.input.inputs import CameraInput
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.node.diagnostics import Health
from hmr_ros.ros.node.worker import Worker
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.output.tracked import TrackedLists
from hmr_ros.ros.wire.messages import Origin

_LONGEST_IMAGE_S = 2.0
"""Nothing takes a working machine so long; nav2's Collision Monitor waits as long before it stops the robot."""


class Operation:
    """Publishes from construction to ``close``, and processes images between ``resume`` and ``pause``."""

    def __init__(
        self,
        node: Node,
        assembly: Assembly,
        monitor: Monitor,
        presence: Presence,
        lists: TrackedLists | None,
        config: RobotConfig,
    ) -> None:
        self._node = node
        self._assembly = assembly
        self._monitor = monitor
        self._config = config
        origin = Origin(assembly.method, assembly.body_model, assembly.calibration)
        self._outputs = Outputs(node, assembly.pipeline.body_model, origin, config, presence, lists)
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
            self._input = CameraInput(self._node, self._config, self._monitor)
            self._resumed_s = time.monotonic()
            self._worker = Worker(self._node, self._input, self._outputs, self._assembly, self._monitor, self._config)

    def pause(self) -> int:
        """Unsubscribe, finish the image at hand, and say of everybody that they are lost; how many they were."""
        worker = self._halted()
        return worker.end_tracks() if worker is not None else 0

    def end_tracks(self) -> int:
        """Say of everybody that they are lost, and begin again; how many they were. Raises TimeoutError."""
        return self._worker.end_tracks() if self._worker is not None else 0

    def close(self) -> None:
        """Stop, and unpublish everything."""
        self._halted()
        self._outputs.close()
        self._assembly.pipeline.reset()

    def apply(self, config: RobotConfig) -> None:
        """Take over parameters that were set while running."""
        self._config = config
        self._outputs.apply(config)
        if self._worker is not None:
            self._worker.config = config

    def adapt(self) -> None:
        """Follow changes in what publishers offer; call about once a second."""
        if self._input is not None:
            self._input.adapt()

    def health(self) -> Health:
        """What keeps results from being of now, or else what makes them worse than they could be."""
        if self._input is None:
            return Health("disabled")
        if fatal := self._input.problem(self._config.input_timeout_s) or self._staleness() or self._outputs.problem:
            return Health(fatal, fatal=True)
        return Health(self._input.calibration_problem() or self._disagreement())

    def _halted(self) -> Worker | None:
        """The worker, if there was one, after its last image."""
        if self._input is not None:
            self._input.close()
        if self._worker is not None:
            self._worker.join()
        worker, self._input, self._worker = self._worker, None, None
        return worker

    def _staleness(self) -> str:
        """What is wrong when images come in, but nothing goes out, as the worker hangs or drops them all; else ""."""
        silence_s = time.monotonic() - max(self._monitor.last_processed_s(), self._resumed_s)
        pause_s = 1 / self._config.max_rate_hz if self._config.max_rate_hz else 0.0
        if silence_s <= pause_s + max(self._config.input_timeout_s, _LONGEST_IMAGE_S):
            return ""
        return f"no image was processed for {silence_s:.0f} s: what was published is stale"

    def _disagreement(self) -> str:
        """What is wrong with the methods, "" when they agree or one of them alone runs."""
        distance_m, limit_m = self._monitor.recent().disagreement_m, self._config.max_disagreement_m
        if not distance_m > limit_m:
            return ""
        return f"the two methods disagree by {distance_m:.2f} m per joint, max_disagreement_m is {limit_m:g}"
