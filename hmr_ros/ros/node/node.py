# SPDX-License-Identifier: Apache-2.0
"""``hmr_node``: a lifecycle node from a camera topic to bodies.

One thread receives: the executor, whose image callback only swaps the newest message into a slot. One thread works, see
worker.py: decode, detect, estimate, publish, then the newest image again. So the age of what is published is bounded by
one image and one processing time, whatever the camera's rate.
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
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.switching import rebuild
from hmr_ros.perception.assemble import Assembly, assemble
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.node import process
from hmr_ros.ros.node.diagnostics import DiagnosticsPublisher, Health
from hmr_ros.ros.node.log_bridge import logged_by
from hmr_ros.ros.node.operation import Operation
from hmr_ros.ros.node.params import declare_config, follow_config, type_problem
from hmr_ros.ros.node.services import RefusedError, offer_services
from hmr_ros.ros.output.publishers import undone_on_error
from hmr_ros.ros.output.tracked import TrackedLists
from hmr_ros.ros.wire.qos import ParameterError

_SUPERVISION_PERIOD_S = 1.0
_WARM_UP_SHAPE = (360, 640, 3)
_CONFIGURE_ERRORS = (ValueError, OSError, EngineError)

_Transition = Callable[["HmrNode", LifecycleState], TransitionCallbackReturn]


def _logged(transition: _Transition) -> _Transition:
    """Log what ``transition`` raises: rclpy only turns it into ERROR."""

    @functools.wraps(transition)
    def logging_transition(node: HmrNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().fatal(traceback.format_exc())
            raise

    return logging_transition


class HmrNode(LifecycleNode):
    """Configure loads the networks and warms them up, activate subscribes, deactivate keeps them, cleanup frees them.

    ``build`` makes the perception pipeline; tests pass their own. Where several cameras share the process (cameras.py),
    each has its ``namespace``, absolute, and they publish in the same ``lists``.
    """

    def __init__(
        self,
        build: Callable[[RobotConfig], Assembly] = assemble,
        parameter_overrides: list[Parameter[Any]] | None = None,
        namespace: str = "",
        lists: TrackedLists | None = None,
        context: Context | None = None,
    ) -> None:
        # What destroy_node frees: ROS calls it also when a parameter is refused below.
        self._assembly: Assembly | None = None
        self._operation: Operation | None = None
        self._logging = contextlib.ExitStack()
        # Rules of its own come before those of the process, which would give all its nodes one name.
        rules = ["--ros-args", "-r", f"__ns:={namespace}", "-r", "__node:=hmr"] if namespace else None
        super().__init__("hmr", parameter_overrides=parameter_overrides, cli_args=rules, context=context)
        self._build = build
        self._lists = lists
        self._config = declare_config(self)
        follow_config(self, self._config, self._apply)
        self.monitor = Monitor()
        self._enabled = True
        self._presence = Presence()  # outlives the outputs: who left while inactive is removed once active again
        self._diagnostics = DiagnosticsPublisher(self)
        # Whatever /clock does, and while it stands still, diagnostics are told and publishers are looked for.
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
        """Start if the parameter ``autostart`` says so; False when that failed."""
        return not self._config.autostart or self.start()

    @property
    def nodes(self) -> Sequence[Node]:
        """All nodes of this application: this one."""
        return (self,)

    @property
    def config(self) -> RobotConfig:
        """The parameters as they stand."""
        return self._config

    def destroy_node(self) -> None:
        """Stop, free everything and leave the graph."""
        self._stop()
        self._release()
        self._logging.close()
        super().destroy_node()

    def set_parameters_atomically(self, parameter_list: list[Parameter[Any]]) -> SetParametersResult:
        """All of them or none; the reason of a refusal names the parameter."""
        if problem := type_problem(parameter_list):
            return SetParametersResult(successful=False, reason=problem)
        return super().set_parameters_atomically(parameter_list)

    # Lifecycle

    @_logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the networks and run them once."""
        try:
            self._assembly = self._build(self._config)
            self._assembly.pipeline(np.zeros(_WARM_UP_SHAPE, np.uint8), None, 0.0)
            self._assembly.pipeline.reset()
        except _CONFIGURE_ERRORS as err:
            self._release()
            self.get_logger().error(f"cannot configure: {err}")
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(", ".join(f"{name}: {value}" for name, value in self._assembly.facts))
        return super().on_configure(state)

    @_logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Publish; subscribe and start the worker unless the node is disabled."""
        assert self._assembly is not None, "activate follows configure"
        try:
            with undone_on_error(self):
                self._operation = Operation(
                    self, self._assembly, self.monitor, self._presence, self._lists, self._config
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
        """Unsubscribe, stop the worker, keep the networks."""
        self._stop()
        return super().on_deactivate(state)

    @_logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the networks."""
        self._release()
        return super().on_cleanup(state)

    @_logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, from any state."""
        self._stop()
        self._release()
        return super().on_shutdown(state)

    @_logged
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything; the node can be configured again."""
        self._stop()
        self._release()
        return super().on_error(state)

    def _stop(self) -> None:
        operation, self._operation = self._operation, None  # whatever closing raises, it is not tried twice
        if operation is not None:
            operation.close()

    def _release(self) -> None:
        assembly, self._assembly = self._assembly, None
        if assembly is not None:
            assembly.close()

    # Services (Controls)

    def set_enabled(self, enabled: bool) -> str:
        """Process images, or stop and end all tracks. Kept for the next activation, too."""
        self._enabled = enabled
        if self._operation is None:
            return f"{'enabled' if enabled else 'disabled'}; the node is not active"
        if enabled:
            self._operation.resume()
            return "enabled"
        ended = self._operation.pause()
        return f"disabled; {ended} tracks ended"

    def reset_tracks(self) -> str:
        """Forget everybody."""
        if self._operation is None or not self._operation.is_running:
            raise RefusedError("no images are processed: the node is not active, or disabled")
        try:
            ended = self._operation.end_tracks()
        except TimeoutError as err:
            raise RefusedError(str(err)) from err
        return f"{ended} tracks ended"

    def rebuild_engine(self) -> str:
        """Build this machine's engines again."""
        if self._assembly is None:
            raise RefusedError("no networks are loaded: configure the node first")
        try:
            names = rebuild(self._assembly.engines)
        except EngineError as err:
            raise RefusedError(str(err)) from err
        return f"building {', '.join(names)}; the CPU answers meanwhile, /diagnostics tells how far it is"

    # Once a second

    def _supervise(self) -> None:
        if self._operation is not None:
            self._operation.adapt()
        health = self._operation.health() if self._operation is not None else Health("not active")
        self._diagnostics.report(health, self.monitor.recent(), self._assembly)

    def _apply(self, config: RobotConfig) -> None:
        """Take over parameters that were set while running."""
        self._config = config
        if self._assembly is not None:
            self._assembly.apply(config)
        if self._operation is not None:
            self._operation.apply(config)


def main(args: list[str] | None = None, build: Callable[[RobotConfig], Assembly] = assemble) -> int:
    """Run the node until it is told to stop."""
    return process.run("hmr_node", lambda: HmrNode(build), args)


if __name__ == "__main__":
    sys.exit(main())
