# SPDX-License-Identifier: Apache-2.0
"""What the node publishes about one image, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.decimation import coarse_faces
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.core.ros4hri.motion import HumanFollower
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.msg import SmplBodyArray
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.ros.input.fixed_frames import FixedFrames, moved
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.output.humans import HumanPublishers
from hmr_ros.ros.output.planning import PlanningOutputs
from hmr_ros.ros.output.publishers import PublisherFactory, has_subscribers
from hmr_ros.ros.output.tracked import TrackedLists
from hmr_ros.ros.wire import interfaces, messages
from hmr_ros.ros.wire.cdr import Stamp, write_image
from hmr_ros.ros.wire.transforms import TransformWriter
from hmr_ros.ros.wire.writers import BodiesWriter, JointStateWriter, MeshWriter, SkeletonWriter


@dataclass(frozen=True, eq=False)
class _JointStates:
    """The joint rotations of one person: the topic, and what writes its messages."""

    publisher: Publisher[Any]
    write: JointStateWriter


class Outputs:
    """Publishers of the node. Used by one thread at a time; bulky topics are made only when somebody listens.

    ``limit_violations``: how many joint angles of the last image are beyond what joints reach.
    """

    def __init__(
        self,
        node: Node,
        body_model: BodyModel,
        origin: messages.Origin,
        config: RobotConfig,
        presence: Presence,
        lists: TrackedLists | None = None,
    ) -> None:
        self._publishers = PublisherFactory(node)
        self._body_model = body_model
        self._bodies_writer = BodiesWriter(origin)
        self._skeleton_writer = SkeletonWriter()
        self._mesh_faces = 0
        self._unplaced = ""
        self.limit_violations = 0
        self.apply(config)
        self._bodies = self._publisher(SmplBodyArray, "bodies", 5)
        self._markers = self._publisher(MarkerArray, "markers", 5)
        self._mesh = self._publisher(Marker, "mesh", 32)
        self._overlay = self._publisher(Image, "overlay", 1)
        self._new_joint_states = self._publishers.family(JointState, "bodies/{}/joint_states", QoSProfile(depth=1))
        self._joint_states: dict[int, _JointStates] = {}
        self._follower = HumanFollower()
        self._transforms = TransformWriter()
        self._tf: Publisher[Any] | None = None
        self._humans: HumanPublishers | None = None
        self._publish_optional(node, config, lists or TrackedLists(node))
        self._frames = FixedFrames(node, (config.target_frame, config.planning.frame))
        self._planning = PlanningOutputs(node, body_model, config, presence, self._frames)

    @property
    def problem(self) -> str:
        """Who got nothing of the last image, and why; "" when they got what they asked for."""
        return self._planning.problem or self._unplaced

    def apply(self, config: RobotConfig) -> None:
        """Get ready for the ``config`` of the next images; not in the worker, as making coarse meshes takes a while."""
        self._config = config
        if config.mesh_faces != self._mesh_faces:
            faces = coarse_faces(self._body_model.v_template, self._body_model.faces, config.mesh_faces)
            self._mesh_writer = MeshWriter(faces)
            self._mesh_faces = config.mesh_faces

    def publish(self, frame: Frame, camera: Camera | None, bodies: Bodies, lost: tuple[int, ...]) -> None:
        """Publish what robots use of one image, the small and urgent first."""
        self._unplaced = ""
        header = messages.header(frame.stamp, frame.frame_id)
        if has_subscribers(self._bodies):
            self._bodies.publish(self._bodies_writer(frame.stamp, frame.frame_id, bodies, lost))
        bodies = bodies.take(bodies.states != State.TENTATIVE)  # a topic or a frame for each flash would flicker
        self._publish_humans(frame, header, camera, bodies, lost)
        self._publish_joint_states(frame, bodies, lost)
        if self._config.publish_markers and has_subscribers(self._markers):
            frame_id, placed = self._placed(frame, bodies)
            self._markers.publish(self._skeleton_writer(frame.stamp, frame_id, placed, lost))
        self._planning.publish(frame.stamp, frame.frame_id, camera, bodies, lost, self._config)

    def publish_views(self, frame: Frame, camera: Camera | None, bodies: Bodies, lost: tuple[int, ...]) -> None:
        """Publish what is large and only looked at, which is why it comes last and is shed first."""
        bodies = bodies.take(bodies.states != State.TENTATIVE)
        if has_subscribers(self._mesh):
            frame_id, placed = self._placed(frame, bodies)
            self._publish_meshes(frame.stamp, frame_id, placed, lost)
        if has_subscribers(self._overlay):
            drawn = draw_bodies(frame.image, bodies, camera, self._body_model.faces)
            self._overlay.publish(write_image(frame.stamp, frame.frame_id, drawn, "rgb8"))

    def end(self, stamp: Stamp, frame_id: str, bodies: Bodies) -> None:
        """Tell that all of ``bodies``, which were published last, are no longer followed.

        Planners keep what they have: nobody has left for that (docs/planning.md).
        """
        header, lost = messages.header(stamp, frame_id), tuple(bodies.ids.tolist())
        nobody = bodies.take(np.zeros(0, np.int64))
        self._bodies.publish(self._bodies_writer(stamp, frame_id, nobody, lost))
        self._follower.forget(lost)
        if self._humans is not None:
            self._humans.update(header, nobody, lost)
        self._forget_joint_states(lost)
        self._markers.publish(self._skeleton_writer(stamp, frame_id, nobody, lost))
        for track_id in lost:
            self._mesh.publish(messages.deleted_marker(header, track_id))

    def close(self) -> None:
        """Unpublish everything."""
        fixed = [self._bodies, self._markers, self._mesh, self._overlay, *([self._tf] if self._tf else [])]
        for publisher in [*fixed, *(topic.publisher for topic in self._joint_states.values())]:
            self._publishers.destroy(publisher)
        self._joint_states.clear()
        if self._humans is not None:
            self._humans.close()
        self._planning.close()
        self._frames.close()

    def _publisher(self, message_type: type, topic: str, depth: int) -> Publisher[Any]:
        return self._publishers.create(message_type, topic, QoSProfile(depth=depth))

    def _publish_optional(self, node: Node, config: RobotConfig, lists: TrackedLists) -> None:
        """Make the publishers whose messages are installed, and log which are not."""
        wanted = [interfaces.TF, interfaces.PEOPLE] + ([interfaces.HUMANS] if config.humans.enabled else [])
        wanted += [interfaces.COLLISION_OBJECTS] if config.planning.collision_objects else []
        node.get_logger().info(interfaces.summary(wanted))
        if interfaces.TF.is_available:
            self._tf = self._publisher(interfaces.TF.message("TFMessage"), "/tf", 100)
        if interfaces.HUMANS in wanted and interfaces.HUMANS.is_available:
            self._humans = HumanPublishers(self._publishers, config.humans, lists)

    def _publish_humans(
        self, frame: Frame, header: Header, camera: Camera | None, bodies: Bodies, lost: tuple[int, ...]
    ) -> None:
        config = self._config
        self._follower.forget(lost)
        humans = self._follower(bodies, frame.stamp.seconds)
        self.limit_violations = humans.limit_violations
        if config.humans.clamp_joint_limits:
            humans = humans.clamped()
        if config.publish_tf != "none" and len(humans) and self._tf is not None and has_subscribers(self._tf):
            write = self._transforms.trees if config.publish_tf == "skeleton" else self._transforms.bodies
            self._tf.publish(write(frame.stamp, frame.frame_id, humans))
        if self._humans is not None:
            self._humans.update(header, bodies, lost)
            self._humans.publish_metric(frame, header, humans)
            seen = bodies.take(bodies.states == State.TRACKED)
            self._humans.publish_seen(frame, header, seen, camera, config.keypoint_threshold)

    def _publish_joint_states(self, frame: Frame, bodies: Bodies, lost: tuple[int, ...]) -> None:
        self._forget_joint_states(lost)
        for row in np.flatnonzero(bodies.valid):
            track_id = int(bodies.ids[row])
            if track_id not in self._joint_states:
                publisher = self._new_joint_states(messages.person_name(track_id))
                self._joint_states[track_id] = _JointStates(publisher, JointStateWriter())
            topic = self._joint_states[track_id]
            if has_subscribers(topic.publisher):
                topic.publisher.publish(topic.write(frame.stamp, frame.frame_id, bodies, int(row)))

    def _forget_joint_states(self, lost: tuple[int, ...]) -> None:
        for track_id in lost:
            if topic := self._joint_states.pop(track_id, None):
                self._publishers.destroy(topic.publisher)

    def _placed(self, frame: Frame, bodies: Bodies) -> tuple[str, Bodies]:
        """``bodies`` in the frame that they are looked at in, and its name; nobody where TF does not know it."""
        target = self._config.target_frame
        try:
            to_target = self._frames.lookup(target, frame.frame_id, frame.stamp, self._config.tf_timeout_s)
        except NoTransformError as err:
            self._unplaced = f"RViz misses people: {err}"
            return target, bodies.take(np.zeros(0, np.int64))
        return target or frame.frame_id, moved(bodies, to_target) if target else bodies

    def _publish_meshes(self, stamp: Stamp, frame_id: str, bodies: Bodies, lost: tuple[int, ...]) -> None:
        for row in np.flatnonzero(bodies.valid):
            self._mesh.publish(self._mesh_writer(stamp, frame_id, bodies, int(row)))
        for track_id in lost:
            self._mesh.publish(messages.deleted_marker(messages.header(stamp, frame_id), track_id))
