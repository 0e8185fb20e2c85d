# SPDX-License-Identifier: Apache-2.0
"""The graph of ``make soak``: the node in a process of its own; camera, watch, clients and visitors in this one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
import rclpy
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.task import Future
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.bench.soak.camera import Fault, SoakCamera
from hmr_ros.bench.soak.scene import Scene
from hmr_ros.bench.soak.watch import Watch
from hmr_ros.ros.wire.interfaces import TF
from hmr_ros.tools.ros_process import RosProcess

NAMESPACE = "soak"
_NODE = f"/{NAMESPACE}/hmr"
_PARAMETERS = ("mesh_faces:=1000", "track_timeout_s:=0.5", "reid:=false")
"""With ``reid`` people of the script, who look alike, are known again: an id after its end would be no mistake."""
_PATIENCE_S = 60.0


class World:
    """Everything around the node of ``module``, from construction to ``close``; its log goes to ``log``."""

    def __init__(self, module: str, scene: Scene, seed: int, log: IO[bytes]) -> None:
        rclpy.init(args=["--ros-args", "-r", f"__ns:=/{NAMESPACE}"])
        self._executor = SingleThreadedExecutor()
        self.rng = np.random.default_rng(seed)
        self.node = self._joined("camera_driver")
        self.camera = SoakCamera(self.node, scene, self.rng)
        self.watch = Watch(self._joined("watch"))
        self.clock = self.node.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        self.visitors: list[Node] = []
        self.processes: list[RosProcess] = []
        self._log = log
        self._clients: dict[str, Client[Any, Any]] = {}
        self._asked: list[tuple[str, Future[Any]]] = []
        self.hmr = RosProcess(module, NAMESPACE, parameters=_PARAMETERS, log=log)
        self.camera.plug()

    def spin_until(self, due_s: float) -> None:
        """Receive until the monotonic time ``due_s``."""
        while (left_s := due_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Show an empty scene until ``condition()``. Raises RuntimeError when it does not come."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > deadline_s or not self.hmr.running:
                raise RuntimeError("the node ended, or published no bodies within a minute: its log says why")
            self.camera.take(frozenset())
            self.spin_until(time.monotonic() + 0.1)

    # Clients

    def set_parameters(self, values: Mapping[str, float | bool | str]) -> None:
        """Ask for new ``values`` by name."""
        messages = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        self._call(SetParameters, "set_parameters", SetParameters.Request(parameters=messages))

    def change_state(self, *transitions: int) -> None:
        """Ask for the lifecycle ``transitions``, in their order."""
        for transition in transitions:
            request = ChangeState.Request()
            request.transition.id = transition
            self._call(ChangeState, "change_state", request)

    def set_enabled(self, enabled: bool) -> None:
        """Enable or disable the node."""
        self._call(SetBool, "set_enabled", SetBool.Request(data=enabled))

    def reset_tracks(self) -> None:
        """Ask for new tracks."""
        self._call(Trigger, "reset_tracks", Trigger.Request())

    def _call(self, kind: type, name: str, request: object) -> None:
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, f"{_NODE}/{name}")
        self._asked.append((name, self._clients[name].call_async(request)))

    def unanswered(self) -> list[str]:
        """The services that were asked since the last time and have not answered; asks are forgotten."""
        asked, self._asked = self._asked, []
        return [name for name, future in asked if not future.done()]

    # Visitors

    def visit(self) -> None:
        """A node comes that subscribes all that RViz and a robot would."""
        node = self._joined(f"visitor{len(self.visitors)}")
        qos = QoSProfile(depth=5)
        topics = [(MarkerArray, "markers"), (Marker, "mesh"), (Image, "overlay")]
        topics += [(TF.message("TFMessage"), "/tf")] if TF.is_available else []
        topics += [(JointState, f"bodies/{name}/joint_states") for name in sorted(self.watch.ids - self.watch.lost)]
        for kind, topic in topics:
            node.create_subscription(kind, topic, _ignored, qos, raw=True)
        self.visitors.append(node)

    def rival(self) -> None:
        """A second camera comes, on the same topics."""
        node = self._joined("rival")
        node.create_publisher(Image, "image", QoSProfile(depth=2))
        node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=2))
        self.visitors.append(node)

    def leave(self) -> None:
        """All visitors go."""
        for node in self.visitors:
            self._executor.remove_node(node)
            node.destroy_node()
        self.visitors.clear()

    def start_client(self) -> None:
        """A subscriber comes in a process of its own."""
        self.processes.append(RosProcess("hmr_ros.bench.soak.client", NAMESPACE, log=self._log))

    def kill_clients(self) -> None:
        """Those processes end without a farewell."""
        for process in self.processes:
            process.kill()
        self.processes.clear()

    def tick(self, seconds: float) -> None:
        """Publish /clock, s."""
        message = Clock()
        message.clock.sec, message.clock.nanosec = int(seconds), int(seconds % 1 * 1e9)
        with contextlib.suppress(RuntimeError):  # as in SoakCamera.take
            self.clock.publish(message)

    def end(self) -> None:
        """End the node as Ctrl-C does, and receive its last messages."""
        self.camera.fault = Fault(silent=True)
        self.hmr.stop()
        self.spin_until(time.monotonic() + 1.0)

    def close(self) -> None:
        """End all processes, and leave the ROS graph."""
        self.kill_clients()
        self.hmr.stop()
        nodes = self._executor.get_nodes()
        self._executor.shutdown()
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()

    def _joined(self, name: str) -> Node:
        node = Node(name)
        self._executor.add_node(node)
        return node


def _ignored(_data: bytes) -> None:
    """What visitors do with messages."""
