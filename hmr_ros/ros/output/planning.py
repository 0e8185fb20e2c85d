# SPDX-License-Identifier: Apache-2.0
"""What planners get of each image: collision objects (MoveIt), points and people (nav2). See docs/planning.md.

The rule behind all of it: a person who left is removed; a person of whom nothing is known stays. Only a processed
image, of a calibrated camera, can tell that somebody left. Without one nothing is published, no stamp is renewed, and
who listens times out.
"""

from __future__ import annotations

from rclpy.node import Node

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.capsules import CapsuleRig
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.ros4hri.body_frame import middle_of_hips
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.ros.input.fixed_frames import FixedFrames, moved
from hmr_ros.ros.output.collision_objects import CollisionObjects
from hmr_ros.ros.output.navigation import MeshPoints, PeoplePublisher
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.wire import interfaces
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header

_SLACK = 0.9
"""Cameras are not punctual: an image that comes a little early still counts."""


class PlanningOutputs:
    """Publishers for planners, used by the worker thread; ``presence`` may be older than they are.

    ``problem`` says why planners got nothing of the last image, "" when they got what they asked for.
    """

    def __init__(
        self, node: Node, body_model: BodyModel, config: RobotConfig, presence: Presence, frames: FixedFrames
    ) -> None:
        """``frames`` has the frames that ``config`` names."""
        publishers = PublisherFactory(node)
        self.problem = ""
        self._presence = presence
        self._rig: CapsuleRig | None = body_model.capsules
        self._mesh_points = MeshPoints(publishers, body_model, config.planning.mesh_points)
        self._people = PeoplePublisher(publishers) if interfaces.PEOPLE.is_available else None
        wants_objects = config.planning.collision_objects and interfaces.COLLISION_OBJECTS.is_available
        if wants_objects and self._rig is None:
            node.get_logger().warning("no collision objects: this body model has no capsules, the shipped one has")
            wants_objects = False
        self._objects = CollisionObjects(publishers) if wants_objects else None
        self._frames = frames
        self._last_stamp_s = float("-inf")
        self._last_update_s = float("-inf")

    def close(self) -> None:
        """Unpublish everything; planners keep what they have."""
        for output in (self._mesh_points, self._people, self._objects):
            if output is not None:
                output.close()

    def publish(
        self,
        stamp: Stamp,
        frame_id: str,
        camera: Camera | None,
        bodies: Bodies,
        lost: tuple[int, ...],
        config: RobotConfig,
    ) -> None:
        """Everything about one image."""
        self._follow_time(stamp.seconds)
        gone = self._presence.update(bodies.ids.tolist(), lost, stamp.seconds, config.track_timeout_s)
        self._forget(stamp, frame_id, gone)
        if camera is None:
            return  # people are seen, but not where: an empty cloud would be a lie
        try:
            self.problem = ""
            self._publish_points(stamp, frame_id, bodies, config)
            self._publish_fixed(stamp, frame_id, bodies.take(bodies.valid), config)
        except NoTransformError as err:
            self.problem = f"planners miss people: {err}"

    def _follow_time(self, stamp_s: float) -> None:
        """Bags start over."""
        if stamp_s < self._last_stamp_s:
            self._last_update_s = float("-inf")
        self._last_stamp_s = stamp_s

    def _forget(self, stamp: Stamp, frame_id: str, gone: list[int]) -> None:
        self._mesh_points.forget(gone)
        if self._people is not None:
            self._people.forget(gone)
        if self._objects is not None:
            self._objects.remove(header(stamp, frame_id), gone)

    def _publish_points(self, stamp: Stamp, frame_id: str, bodies: Bodies, config: RobotConfig) -> None:
        if config.target_frame and not self._mesh_points.has_subscribers:
            return  # nobody misses a transform
        to_target = self._frames.lookup(config.target_frame, frame_id, stamp, config.tf_timeout_s)
        self._mesh_points.publish(stamp, config.target_frame or frame_id, moved(bodies, to_target))

    def _publish_fixed(self, stamp: Stamp, frame_id: str, bodies: Bodies, config: RobotConfig) -> None:
        """What is published in the fixed frame, of ``bodies`` that all have a position."""
        people = self._people if self._people is not None and self._people.has_subscribers else None
        objects = self._objects if self._objects is not None and self._objects.watch(stamp.seconds) else None
        if people is None and objects is None:
            return
        frame = config.planning.frame or config.target_frame
        to_fixed = self._frames.lookup(frame, frame_id, stamp, config.tf_timeout_s)
        fixed = header(stamp, frame or frame_id)
        places = to_fixed(middle_of_hips(bodies.joints))
        if people is not None:
            people.publish(fixed, bodies, places)
        if objects is not None and stamp.seconds - self._last_update_s >= _SLACK / config.planning.rate_hz:
            self._last_update_s = stamp.seconds
            assert self._rig is not None, "collision objects need capsules"
            capsules = self._rig.posed(bodies.vertices, bodies.betas).padded(config.planning.padding_m)
            objects.update(fixed, bodies.ids, places, capsules.moved(to_fixed), config.planning)
