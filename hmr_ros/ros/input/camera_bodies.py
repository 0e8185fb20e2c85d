# SPDX-License-Identifier: Apache-2.0
"""The ``bodies`` of several cameras, each with its camera's pose in the world at their stamp."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile

from hmr_ros.core.geometry.frames import NoTransformError, NotYetError, Transform
from hmr_ros.core.people import Bodies
from hmr_ros.ros.input.fixed_frames import Listener
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.input.subscriptions import NO_EVENTS
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import kept_id
from hmr_ros.ros.wire.qos import SUBSCRIPTION, overridden
from hmr_ros.ros.wire.reading import parameters_from_message
from hmr_ros.ros.wire.types import SmplBodyArray

_WAITING = 20
"""Messages of a camera that wait for TF, at most."""

_QOS = QoSProfile(depth=5)
"""That of ``bodies``."""


@dataclass(frozen=True, eq=False)
class CameraBodies:
    """What ``camera`` saw at ``stamp``, with its ids; ``world_from_optical`` at that time."""

    camera: str
    stamp: Stamp
    bodies: Bodies
    world_from_optical: Transform


@dataclass(eq=False)
class _Camera:
    """The messages of one camera that wait for TF, each with its arrival by the monotonic clock."""

    waiting: deque[tuple[float, SmplBodyArray]] = dataclasses.field(default_factory=lambda: deque(maxlen=_WAITING))
    last_s: float = -np.inf
    problem: str = ""


class CameraBodiesInput:
    """Subscribes ``<camera>/bodies`` of all ``cameras``. Used by the executor's thread. Needs tf2_msgs for ``tf``."""

    def __init__(self, node: Node, cameras: Sequence[str], world_frame: str, body_model: str, tf: Listener) -> None:
        """``body_model`` is the name of the one that can be posed."""
        self._node, self._tf = node, tf
        self._world_frame, self._body_model = world_frame, body_model
        self._cameras = {camera: _Camera() for camera in cameras}
        self._started_s = time.monotonic()
        self._subscriptions = [self._subscribed(camera) for camera in cameras]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def ready(self, tf_timeout_s: float) -> Iterator[CameraBodies]:
        """What can be placed in the world now, of each camera in its order; what waited too long is dropped."""
        for name, camera in self._cameras.items():
            while camera.waiting:
                arrived_s, message = camera.waiting[0]
                try:
                    found = self._placed(name, message)
                except NotYetError as err:
                    if time.monotonic() - arrived_s < tf_timeout_s:
                        break
                    found, camera.problem = None, f"no place in {self._world_frame}: {err}"
                except (LookupError, ValueError) as err:
                    found, camera.problem = None, f"bodies are left out: {err}"
                camera.waiting.popleft()
                if found is not None:
                    camera.problem = ""
                    yield found

    def problem(self, camera: str, timeout_s: float) -> str:
        """Why nothing of ``camera`` is fused; "" where it is."""
        state = self._cameras[camera]
        silence_s = time.monotonic() - max(state.last_s, self._started_s)
        if silence_s > timeout_s:
            topic = self._node.resolve_topic_name(f"{camera}/bodies")
            return f"nothing on {topic} for {silence_s:.0f} s: people whom it saw last stay where they were"
        return state.problem

    def _subscribed(self, camera: str):  # type: ignore[no-untyped-def]  # rclpy's Subscription is generic in Jazzy only
        def receive(message: SmplBodyArray) -> None:
            self._cameras[camera].last_s = time.monotonic()
            self._cameras[camera].waiting.append((time.monotonic(), message))

        qos = overridden(self._node, f"{camera}/bodies", _QOS, SUBSCRIPTION)
        return self._node.create_subscription(
            SmplBodyArray, f"{camera}/bodies", receive, qos, event_callbacks=NO_EVENTS
        )

    def _placed(self, camera: str, message: SmplBodyArray) -> CameraBodies:
        """A message as bodies with a place. Raises LookupError and ValueError for what cannot be used."""
        if message.body_model != self._body_model:
            raise ValueError(
                f"they are of body model {message.body_model!r}, and {self._body_model!r} is loaded: set smpl_path"
            )
        stamp = Stamp(message.header.stamp.sec, message.header.stamp.nanosec)
        frame = bare_frame(message.header.frame_id)
        if not frame:
            raise NoTransformError("their header has no frame_id")
        bodies, names = parameters_from_message(message)
        ids = np.array([kept_id(name) for name in names], np.int64)
        to_world = (
            Transform.identity()
            if frame == self._world_frame
            else self._tf.lookup(self._world_frame, frame, stamp, 0.0)
        )
        return CameraBodies(camera, stamp, dataclasses.replace(bodies, ids=ids), to_world)
