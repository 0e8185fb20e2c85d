# SPDX-License-Identifier: Apache-2.0
"""``hmr_node``: a lifecycle node from a camera topic to bodies.

Two threads: the executor's receives, and its image callback only puts the newest message into a slot; the worker's
(worker.py) decodes, detects, estimates and publishes, then takes the newest image again. So the age of a published
result is bounded by one period of the camera and one processing time, at any rate of the camera.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Detections
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.switching import rebuild
from hmr_ros.perception.assemble import assemble_live
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.node import process
from hmr_ros.ros.node.diagnostics import DiagnosticsPublisher, Health
from hmr_ros.ros.node.log_bridge import logged_by
from hmr_ros.ros.node.operation import Operation
from hmr_ros.ros.node.params import declare_config, follow_config, type_problem
from hmr_ros.ros.node.services import RefusedError, offer_services
from hmr_ros.ros.output.publishers import PublisherFactory, undone_on_error
from hmr_ros.ros.output.shared import SharedOutputs
from hmr_ros.ros.wire.qos import ParameterError

_SUPERVISION_PERIOD_S = 1.0
_WARM_UP_SHAPE = (360, 640, 3)
_CONFIGURE_ERRORS = (ValueError, OSError, EngineError)

_Transition = Callable[["HmrNode", LifecycleState], TransitionCallbackReturn]


def _logged(transition: _Transition) -> _Transition:
    """Decorate ``transition`` to log what it raises: rclpy only turns it into ERROR."""

    @functools.wraps(transition)
    def logging_transition(node: HmrNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().fatal(traceback.format_exc())
            raise

    return logging_transition


class HmrNode(LifecycleNode):
    """The lifecycle node: configure loads and warms up the networks, activate subscribes and publishes, cleanup frees.

    ``build`` makes the perception pipeline; tests pass their own. Where several cameras share the process (cameras.py),
    each has its absolute ``namespace``, and their outputs have in common what is ``shared``. Raises ParameterError.
    """

    def __init__(
        self,
        build: Callable[[RobotConfig], Pipeline] = assemble_live,
        parameter_overrides: list[Parameter[Any]] | None = None,
        namespace: str = "",
        shared: SharedOutputs | None = None,
        context: Context | None = None,
    ) -> None:
        # destroy_node frees these, and ROS calls it also when a parameter is refused below.
        self._pipeline: Pipeline | None = None
        self._operation: Operation | None = None
        self._logging = contextlib.ExitStack()
        # Its own rules come before those of the process, which would give all nodes the same name.
        rules = ["--ros-args", "-r", f"__ns:={namespace}", "-r", "__node:=hmr"] if namespace else None
        super().__init__("hmr", parameter_overrides=parameter_overrides, cli_args=rules, context=context)
        self._build = build
        self._shared = shared or SharedOutputs.of(PublisherFactory(self))
        self._config = declare_config(self)
        follow_config(self, self._config, self._apply)
        self.monitor = Monitor()
        self._enabled = True
        self._presence = Presence()  # outlives the outputs: people who left while inactive are removed afterwards
        self._diagnostics = DiagnosticsPublisher(self)
        # By the steady clock: diagnostics are published and publishers looked for even while /clock stands still.
        self.create_timer(_SUPERVISION_PERIOD_S, self._supervise, clock=Clock(clock_type=ClockType.STEADY_TIME))
        offer_services(self, self)
        self._logging.enter_context(logged_by(self.get_logger()))

    def start(self) -> bool:
        """Configure and activate; False when either failed."""
        return (
            self.trigger_configure() == TransitionCallbackReturn.SUCCESS
            and self.trigger_activate() == TransitionCallbackReturn.SUCCESS
        )

    def autostart(self) -> bool:
        """Start if the parameter ``autostart`` is set; False when that failed."""
        return not self._config.autostart or self.start()

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes of this process: this one."""
        return (self,)

    @property
    def config(self) -> RobotConfig:
        """The current values of all parameters."""
        return self._config

    def destroy_node(self) -> None:
        """Stop, free all resources and leave the ROS graph."""
        self._stop()
        self._release()
        self._logging.close()
        super().destroy_node()

    def set_parameters_atomically(self, parameter_list: list[Parameter[Any]]) -> SetParametersResult:
        """Set all parameters or none; the reason of a rejection names the parameter."""
        if problem := type_problem(parameter_list):
            return SetParametersResult(successful=False, reason=problem)
        return super().set_parameters_atomically(parameter_list)

    # Lifecycle

    @_logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the networks and run them once, so that the first image is not late."""
        try:
            self._pipeline = self._build(self._config)
            self._pipeline(np.zeros(_WARM_UP_SHAPE, np.uint8), None, 0.0, detections=_warm_up_boxes(self._config))
            self._pipeline.reset()
        except _CONFIGURE_ERRORS as err:
            self._release()
            self.get_logger().error(f"cannot configure: {err}")
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(", ".join(f"{name}: {value}" for name, value in self._pipeline.facts))
        return super().on_configure(state)

    @_logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the publishers; subscribe and start the worker unless the node is disabled."""
        assert self._pipeline is not None, "activate follows configure"
        try:
            with undone_on_error(self):
                self._operation = Operation(
                    self, self._pipeline, self.monitor, self._presence, self._shared, self._config
                )
                if self._enabled:
                    self._operation.resume()
        except ParameterError as err:
            self._operation = None
            self.get_logger().error(f"cannot activate: {err}")
            return TransitionCallbackReturn.FAILURE
        return super().on_activate(state)

    @_logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, stop the worker and destroy the publishers; keep the networks."""
        self._stop()
        return super().on_deactivate(state)

    @_logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the networks."""
        self._release()
        return super().on_cleanup(state)

    @_logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free all resources, from any state."""
        self._stop()
        self._release()
        return super().on_shutdown(state)

    @_logged
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free all resources; the node can be configured again."""
        self._stop()
        self._release()
        return super().on_error(state)

    def _stop(self) -> None:
        operation, self._operation = self._operation, None  # not closed twice, whatever closing raises
        if operation is not None:
            operation.close()

    def _release(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()

    # Services (Controls)

    def set_enabled(self, enabled: bool) -> str:
        """Process images, or stop and end all tracks; kept for the next activation."""
        self._enabled = enabled
        if self._operation is None:
            return f"{'enabled' if enabled else 'disabled'}; the node is not active"
        if enabled:
            self._operation.resume()
            return "enabled"
        ended = self._operation.pause()
        return f"disabled; {ended} tracks ended"

    def reset_tracks(self) -> str:
        """End all tracks: people in the next images get new ids. Raises RefusedError."""
        if self._operation is None or not self._operation.is_running:
            raise RefusedError("no images are processed: the node is not active, or disabled")
        try:
            ended = self._operation.end_tracks()
        except TimeoutError as err:
            raise RefusedError(str(err)) from err
        return f"{ended} tracks ended"

    def rebuild_engine(self) -> str:
        """Build the TensorRT engines of this machine again. Raises RefusedError."""
        if self._pipeline is None:
            raise RefusedError("no networks are loaded: configure the node first")
        try:
            names = rebuild(self._pipeline.engines)
        except EngineError as err:
            raise RefusedError(str(err)) from err
        return f"building {', '.join(names)}; networks run on the CPU meanwhile; /diagnostics reports the progress"

    # Once a second

    def _supervise(self) -> None:
        """Follow the publishers' QoS, and publish diagnostics."""
        if self._operation is not None:
            self._operation.adapt()
        health = self._operation.health() if self._operation is not None else Health("not active")
        self._diagnostics.report(health, self.monitor.recent(), self._pipeline)

    def _apply(self, config: RobotConfig) -> None:
        """Take over the parameters that were set while the node runs."""
        self._config = config
        if self._pipeline is not None:
            self._pipeline.configure(config)
        if self._operation is not None:
            self._operation.apply(config)


def _warm_up_boxes(config: RobotConfig) -> Detections | None:
    """A box of the warm-up image, where the networks are run on boxes of another detector."""
    if config.detections.source != "boxes":
        return None
    height, width = _WARM_UP_SHAPE[:2]
    return Detections.of_boxes(np.array([[0, 0, width, height]]))


def main(args: list[str] | None = None, build: Callable[[RobotConfig], Pipeline] = assemble_live) -> int:
    """Run the node until a signal stops the process; returns its exit status."""
    return process.run("hmr_node", lambda: HmrNode(build), args)


if __name__ == "__main__":
    sys.exit(main())
