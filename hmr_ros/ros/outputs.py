"""What the node publishes about one image, and to whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.msg import SmplBodyArray
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.ros import messages
from hmr_ros.ros.cdr import write_image
from hmr_ros.ros.images import Frame

_NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""Publishers without event handlers add nothing to the executor's wait set, so the worker thread may make them."""


class Outputs:
    """Publishers of the node. Used by the worker thread alone; bulky topics are made only when somebody listens."""

    def __init__(self, node: Node, faces: NDArray[np.integer], origin: messages.Origin) -> None:
        self._node = node
        self._faces = faces
        self._origin = origin
        self._mesh_writer = messages.MeshWriter(faces)
        self._bodies = self._publisher(SmplBodyArray, "bodies", 5)
        self._markers = self._publisher(MarkerArray, "markers", 5)
        self._mesh = self._publisher(Marker, "mesh", 32)
        self._overlay = self._publisher(Image, "overlay", 1)
        self._joint_states: dict[int, Publisher[Any]] = {}
        self._tf_type = messages.tf_message_type()
        self._tf = None if self._tf_type is None else self._publisher(self._tf_type, "/tf", 100)

    @property
    def publishes_tf(self) -> bool:
        """Whether TF can be published at all here."""
        return self._tf is not None

    def publish(
        self, frame: Frame, camera: Camera | None, bodies: Bodies, lost: tuple[int, ...], config: RobotConfig
    ) -> None:
        """Publish everything about one image, the small and urgent first."""
        header = messages.header(frame.stamp, frame.frame_id)
        self._bodies.publish(messages.smpl_body_array(header, bodies, lost, self._origin))
        if config.publish_tf != "none":
            self._publish_transforms(header, bodies)
        self._publish_joint_states(header, bodies, lost)
        if config.publish_markers and self._markers.get_subscription_count():
            self._markers.publish(messages.skeleton_markers(header, bodies, lost))
        if self._mesh.get_subscription_count():
            self._publish_meshes(frame, header, bodies, lost)
        if self._overlay.get_subscription_count():
            drawn = draw_bodies(frame.image, bodies, camera, self._faces)
            self._overlay.publish(write_image(frame.stamp, frame.frame_id, drawn, "rgb8"))

    def close(self) -> None:
        """Unpublish everything."""
        fixed = [self._bodies, self._markers, self._mesh, self._overlay]
        for publisher in [*fixed, *self._joint_states.values(), *([self._tf] if self._tf else [])]:
            self._node.destroy_publisher(publisher)
        self._joint_states.clear()

    def _publisher(self, message_type: type, topic: str, depth: int) -> Publisher[Any]:
        # Past the lifecycle's publishers: these exist only while the node is active.
        return Node.create_publisher(
            self._node, message_type, topic, QoSProfile(depth=depth), event_callbacks=_NO_EVENTS
        )

    def _publish_transforms(self, header: Header, bodies: Bodies) -> None:
        if self._tf is None or self._tf_type is None:
            return
        transforms: list[TransformStamped] = messages.transforms(header, bodies)
        if transforms:
            self._tf.publish(self._tf_type(transforms=transforms))

    def _publish_joint_states(self, header: Header, bodies: Bodies, lost: tuple[int, ...]) -> None:
        for track_id in lost:
            if publisher := self._joint_states.pop(track_id, None):
                self._node.destroy_publisher(publisher)
        for row in np.flatnonzero(bodies.valid):
            track_id = int(bodies.ids[row])
            if track_id not in self._joint_states:
                topic = f"bodies/{messages.person_name(track_id)}/joint_states"
                self._joint_states[track_id] = self._publisher(JointState, topic, 1)
            self._joint_states[track_id].publish(messages.joint_state(header, bodies, int(row)))

    def _publish_meshes(self, frame: Frame, header: Header, bodies: Bodies, lost: tuple[int, ...]) -> None:
        for row in np.flatnonzero(bodies.valid):
            self._mesh.publish(self._mesh_writer(frame.stamp, frame.frame_id, bodies, int(row)))
        for track_id in lost:
            self._mesh.publish(messages.deleted_marker(header, track_id))
