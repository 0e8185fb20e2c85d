"""``hmr_node``: a lifecycle node from a camera topic to bodies.

One thread receives: the executor, whose image callback only swaps the newest message into a slot. One thread works, see
worker.py: decode, detect, recover, publish, then the newest image again. So the age of what is published is bounded by
one image and one processing time, whatever the camera's rate.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.presence import Presence
from hmr_ros.engines.runtime import EngineError
from hmr_ros.perception.assemble import Assembly, assemble
from hmr_ros.ros import process
from hmr_ros.ros.diagnostics import Health, Monitor
from hmr_ros.ros.inputs import CameraInput
from hmr_ros.ros.log_bridge import logged_by
from hmr_ros.ros.messages import Origin
from hmr_ros.ros.outputs import Outputs
from hmr_ros.ros.params import declare_config, follow_config
from hmr_ros.ros.tracked import TrackedLists
from hmr_ros.ros.worker import Worker

_SUPERVISION_PERIOD_S = 1.0
_WARM_UP_SHAPE = (360, 640, 3)
_CONFIGURE_ERRORS = (ValueError, OSError, EngineError)
_LOG_EVERY_S = 10.0
_LONGEST_IMAGE_S = 2.0
"""Nothing takes a working machine so long; nav2's Collision Monitor waits as long before it stops the robot."""


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
        # Rules of its own come before those of the process, which would give all its nodes one name.
        rules = ["--ros-args", "-r", f"__ns:={namespace}", "-r", "__node:=hmr"] if namespace else None
        super().__init__("hmr", parameter_overrides=parameter_overrides, cli_args=rules, context=context)
        self._build = build
        self._lists = lists
        self._config = declare_config(self)
        follow_config(self, self._config, self._apply)
        self.monitor = Monitor()
        self._assembly: Assembly | None = None
        self._input: CameraInput | None = None
        self._outputs: Outputs | None = None
        self._worker: Worker | None = None
        self._activated_s = 0.0
        self._presence = Presence()  # outlives the outputs: who left while inactive is removed once active again
        self._diagnostics = Node.create_publisher(self, DiagnosticArray, "/diagnostics", QoSProfile(depth=1))
        self.create_timer(_SUPERVISION_PERIOD_S, self._supervise)
        self._logging = contextlib.ExitStack()
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

    def shut_down(self) -> None:
        """Stop, free everything and leave the graph."""
        self._stop()
        self._release()
        self._logging.close()
        self.destroy_node()

    # Lifecycle

    @_logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the networks and run them once."""
        try:
            self._assembly = self._build(self._config)
            self._assembly.pipeline(np.zeros(_WARM_UP_SHAPE, np.uint8), None, 0.0)
            self._assembly.pipeline.reset()
        except _CONFIGURE_ERRORS as err:
            self.get_logger().error(f"cannot configure: {err}")
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(", ".join(f"{name}: {value}" for name, value in self._assembly.facts))
        return super().on_configure(state)

    @_logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Publish, start the worker, subscribe."""
        assert self._assembly is not None, "activate follows configure"
        origin = Origin(self._assembly.method, self._assembly.body_model)
        body_model = self._assembly.pipeline.body_model
        self._outputs = Outputs(self, body_model, origin, self._config, self._presence, self._lists)
        self._input = CameraInput(self, self._config, self.monitor)
        self._activated_s = time.monotonic()
        self._worker = Worker(self, self._input, self._outputs, self._assembly, self.monitor, self._config)
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
        if self._input is not None:
            self._input.close()
            self._input = None
        if self._worker is not None:
            self._worker.join()
            self._worker = None
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None
        if self._assembly is not None:
            self._assembly.pipeline.reset()

    def _release(self) -> None:
        if self._assembly is not None:
            self._assembly.close()
            self._assembly = None

    # Once a second

    def _supervise(self) -> None:
        if self._input is not None:
            self._input.adapt()
        health = self._health()
        if health.fatal:
            self.get_logger().warning(health.problem, throttle_duration_sec=_LOG_EVERY_S)
        name = self.get_fully_qualified_name().lstrip("/")
        status = self.monitor.status(f"{name}: bodies", name, health)
        report = DiagnosticArray(status=[status])
        report.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(report)

    def _health(self) -> Health:
        facts = self._assembly.facts if self._assembly is not None else ()
        if self._input is None:
            return Health("not active", facts=facts)
        if problem := self._input.problem(self._config.input_timeout_s):
            return Health(problem, fatal=True, facts=facts)
        if problem := self._staleness() or (self._outputs.problem if self._outputs is not None else ""):
            return Health(problem, fatal=True, facts=facts)
        return Health(self._input.calibration_problem() or self._disagreement_problem(), facts=facts)

    def _staleness(self) -> str:
        """What is wrong when images come in, but nothing goes out, as the worker hangs or drops them all; else ""."""
        silence_s = time.monotonic() - max(self.monitor.last_processed_s(), self._activated_s)
        pause_s = 1 / self._config.max_rate_hz if self._config.max_rate_hz else 0.0
        if silence_s <= pause_s + max(self._config.input_timeout_s, _LONGEST_IMAGE_S):
            return ""
        return f"no image was processed for {silence_s:.0f} s: what was published is stale"

    def _disagreement_problem(self) -> str:
        """What is wrong with the methods, "" when they agree or one of them alone runs."""
        distance, limit = self.monitor.disagreement_m(), self._config.max_disagreement_m
        if not distance > limit:
            return ""
        return f"the two methods disagree by {distance:.2f} m per joint, max_disagreement_m is {limit:g}"

    def _apply(self, config: RobotConfig) -> None:
        """Take over parameters that were set while running."""
        self._config = config
        if self._assembly is not None:
            self._assembly.apply(config)
        if self._worker is not None:
            self._worker.config = config


def main(args: list[str] | None = None, build: Callable[[RobotConfig], Assembly] = assemble) -> int:
    """Run the node until it is told to stop."""
    return process.run("hmr_node", lambda: HmrNode(build), args)


if __name__ == "__main__":
    sys.exit(main())
