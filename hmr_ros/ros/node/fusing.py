# SPDX-License-Identifier: Apache-2.0
"""``hmr_fuse``: one set of people from the ``bodies`` of several cameras, in the world.

::

    ros2 run hmr_ros hmr_fuse --ros-args -p cameras:="[front, back]" -p world_frame:=map

It reads ``<camera>/bodies``, of nodes in this process (``hmr_multi`` with ``fuse``) or on other machines, and TF from
the cameras to ``world_frame``; it publishes ``bodies``, TF, ROS4HRI's topics, markers, meshes, and what planners use.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import secrets
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.config.fusing import FusingConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.perception.rooms.fuser import RoomFuser
from hmr_ros.perception.rooms.options import FusingOptions
from hmr_ros.perception.rooms.room import bodies_of
from hmr_ros.ros.input.camera_bodies import CameraBodiesInput
from hmr_ros.ros.node import process
from hmr_ros.ros.node.log_bridge import logged_by
from hmr_ros.ros.node.names import camera_names
from hmr_ros.ros.node.params import declared
from hmr_ros.ros.output.looks import SharedLooks
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.publishing import Qos
from hmr_ros.ros.output.room import RoomOutputs
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import Origin
from hmr_ros.ros.wire.qos import ParameterError

METHOD = "fused"
"""``SmplBodyArray.method`` of people whom several cameras see."""

_TICK_S = 0.01
_SUPERVISION_PERIOD_S = 1.0
_LOG_EVERY_S = 10.0
_IDS = 10_000_000
_SET_BACK_S = 1.0
"""Stamps that are so far before the newest are of another time, as of a bag that starts over."""


class FuseNode(Node):
    """The node ``/hmr_fuse``. Raises ParameterError for parameters that cannot be used."""

    def __init__(
        self,
        cameras: Sequence[str] | None = None,
        parameter_overrides: list[Parameter[Any]] | None = None,
        context: Context | None = None,
        looks: SharedLooks | None = None,
    ) -> None:
        """``cameras`` are the namespaces; None: those of the parameter ``cameras``.

        ``looks`` of their people, where their nodes are in this process; None: not known.
        """
        self._looks = looks
        self._outputs: RoomOutputs | None = None  # destroy_node frees these, also when a parameter is refused below
        self._input: CameraBodiesInput | None = None
        self._logging = contextlib.ExitStack()
        super().__init__("hmr_fuse", parameter_overrides=parameter_overrides, context=context)
        self._logging.enter_context(logged_by(self.get_logger()))
        self._names = list(cameras) if cameras is not None else camera_names(self)
        self.config = declared(self, FusingConfig())
        if not self.config.world_frame:
            raise ParameterError("parameter 'world_frame': expected a frame that stands still, such as map, got ''")
        self._body_model, name = _body_model(self.config)
        self._open(name)

    def _open(self, body_model: str) -> None:
        """Publish, subscribe, and begin."""
        factory = PublisherFactory(self)
        listener = factory.listener([self.config.world_frame])
        if listener is None:
            raise ParameterError("hmr_fuse needs TF: install tf2_msgs")
        self._listener = listener
        ids = itertools.count(secrets.randbelow(_IDS))
        self._fuser = RoomFuser(self._body_model, _options(self.config), ids)
        self._outputs = RoomOutputs(
            factory, self._body_model, Origin(METHOD, body_model), self.config.of_outputs(), Presence()
        )
        self._input = CameraBodiesInput(self, self._names, self.config.world_frame, body_model, listener)
        self._diagnostics = factory.create(DiagnosticArray, "/diagnostics", Qos(1))
        self._newest, self._published_s, self._problem = Stamp(0, 0), -math.inf, ""
        self._last: Bodies | None = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_TICK_S, self._tick, clock=steady)
        self.create_timer(_SUPERVISION_PERIOD_S, self._supervise, clock=steady)
        self.create_service(Trigger, "~/reset_tracks", self._reset)

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes of this process: this one."""
        return (self,)

    def autostart(self) -> bool:
        """Nothing is left to start."""
        return True

    def destroy_node(self) -> None:
        """Report that all people ended, and free everything."""
        outputs, self._outputs = self._outputs, None
        if self._input is not None:
            self._input.close()
        if outputs is not None:
            self._end_all(outputs)
            outputs.close()
            self._listener.close()
        self._logging.close()
        super().destroy_node()

    def _tick(self) -> None:
        """Fuse; a bug ends all people, as what is remembered of them may be its cause, and not the node."""
        try:
            self._fuse()
        except Exception:
            if not self.context.ok():
                return  # the middleware was shut down: the process is ending
            self.get_logger().error(traceback.format_exc(), throttle_duration_sec=_LOG_EVERY_S)
            if self._outputs is not None:
                self._end_all(self._outputs)

    def _fuse(self) -> None:
        """Take what came into account, and publish where it is time."""
        if self._input is None or self._outputs is None:
            return
        for seen in self._input.ready(self.config.tf_timeout_s):
            if self._newest.seconds - seen.stamp.seconds > _SET_BACK_S + self.config.max_delay_s:
                self._begin_again()
            looks = None if self._looks is None else self._looks.of(seen.camera, seen.stamp, seen.bodies.ids)
            self._fuser.add(seen.bodies, seen.camera, seen.stamp.seconds, seen.world_from_optical, looks)
            if seen.stamp.nanoseconds > self._newest.nanoseconds:
                self._newest = seen.stamp
        if self._newest.seconds - self._published_s >= 0.9 / self.config.rate_hz and self._newest.nanoseconds:
            self._published_s = self._newest.seconds
            self._publish(self._outputs)

    def _publish(self, outputs: RoomOutputs) -> None:
        self._last = bodies_of(self._fuser, self._newest.seconds, self._body_model)
        published = outputs.publish_room(self._newest, self.config.world_frame, self._last, self._fuser.ended())
        self._problem = published.problem

    def _begin_again(self) -> None:
        """Time was set back: forget everyone, and transforms that move."""
        self.get_logger().warning("stamps jumped back: all people are lost, and found again under new ids")
        if self._outputs is not None:
            self._end_all(self._outputs)
        self._listener.forget_moving()
        self._newest, self._published_s = Stamp(0, 0), -math.inf

    def _end_all(self, outputs: RoomOutputs) -> int:
        """End everyone; returns how many."""
        ended = self._fuser.reset()
        if self._last is not None and self.context.ok():
            outputs.end(self._newest, self.config.world_frame, self._last)
        self._last = None
        return len(ended)

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Answer ~/reset_tracks."""
        response.success = self._outputs is not None
        ended = self._end_all(self._outputs) if self._outputs is not None else 0
        response.message = f"{ended} people ended"
        return response

    def _supervise(self) -> None:
        """Publish diagnostics; log what is wrong."""
        if self._input is None:
            return
        problems = {name: self._camera_problem(name) for name in self._names}
        report = DiagnosticArray(status=[self._people_status(problems), *self._camera_statuses(problems)])
        report.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(report)
        for name, problem in problems.items():
            if problem:
                self.get_logger().warning(f"camera {name}: {problem}", throttle_duration_sec=_LOG_EVERY_S)

    def _camera_problem(self, name: str) -> str:
        assert self._input is not None, "asked for while there is input"
        if refused := self._fuser.agreement.problems.get(name, ""):
            return f"refused: {refused}"
        return self._input.problem(name, self.config.input_timeout_s)

    def _people_status(self, problems: dict[str, str]) -> DiagnosticStatus:
        wrong = [name for name, problem in problems.items() if problem]
        level = DiagnosticStatus.ERROR if len(wrong) == len(problems) else DiagnosticStatus.WARN
        text = f"cameras with problems: {', '.join(wrong)}" if wrong else self._problem
        people = self._fuser.people
        rows = [
            ("people", len(people)),
            ("people whom several cameras see", sum(len(person.members) > 1 for person in people)),
            ("bodies that came too late", self._fuser.too_late),
        ]
        return self._status("people", level if text else DiagnosticStatus.OK, text or "running", rows)

    def _camera_statuses(self, problems: dict[str, str]) -> list[DiagnosticStatus]:
        return [
            self._status(
                f"camera {name}",
                DiagnosticStatus.WARN if text else DiagnosticStatus.OK,
                text or "fused",
                self._facts(name),
            )
            for name, text in problems.items()
        ]

    def _facts(self, name: str) -> list[tuple[str, object]]:
        """What is known of the pose of a camera."""
        state = self._fuser.cameras.get(name)
        if state is None:
            return []
        turned = math.degrees(math.hypot(*state.offset.rotation))
        return [
            ("people", len(state.tracks.people)),
            ("estimated error of its rotation [deg]", f"{turned:.2f}"),
            ("estimated error of its position [m]", f"{math.hypot(*state.offset.aside):.3f}"),
        ]

    def _status(self, part: str, level: bytes, message: str, rows: Sequence[tuple[str, object]]) -> DiagnosticStatus:
        name = self.get_fully_qualified_name().lstrip("/")
        values = [KeyValue(key=key, value=str(value)) for key, value in rows]
        return DiagnosticStatus(level=level, name=f"{name}: {part}", hardware_id=name, message=message, values=values)


def _options(config: FusingConfig) -> FusingOptions:
    return FusingOptions(
        position_deviation_m=config.camera_deviation_m,
        angle_deviation_rad=math.radians(config.camera_deviation_deg),
        clock_deviation_s=config.clock_deviation_s,
        timeout_s=config.timeout_s,
        max_delay_s=config.max_delay_s,
        learns=config.learn_offsets,
    )


def _body_model(config: FusingConfig) -> tuple[BodyModel, str]:
    """The body model and its name. Raises ParameterError."""
    path = Path(config.smpl_path) if config.smpl_path else models_dir() / "open_body.npz"
    try:
        return load_body_model(path), path.stem
    except (OSError, ValueError) as err:
        raise ParameterError(f"parameter 'smpl_path': {err}") from err


def main(args: list[str] | None = None) -> int:
    """Run the node until a signal stops the process; returns its exit status."""
    return process.run("hmr_fuse", functools.partial(FuseNode), args)


if __name__ == "__main__":
    sys.exit(main())
