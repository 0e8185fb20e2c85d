# SPDX-License-Identifier: Apache-2.0
"""Planners as hmr_ros meets them, written from the definitions of messages and the documented behaviour alone.

They know nothing of hmr_ros.
"""

import numpy as np
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2


def rotation(q):
    """Quaternion message -> (3, 3)."""
    x, y, z, w = q.x, q.y, q.z, q.w
    assert abs(x * x + y * y + z * z + w * w - 1) < 1e-6, "a pose without a valid orientation"
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def vector(p):
    return np.array([p.x, p.y, p.z])


class SceneObject:
    """Solids around a pose, in a frame."""

    def __init__(self, message):
        self.frame_id = message.header.frame_id
        self.primitives = message.primitives
        self.place(message)

    def place(self, message):
        self.stamp = message.header.stamp
        self.pose = message.pose
        if message.primitive_poses:
            self.poses = message.primitive_poses

    def contains(self, points):
        """(N, 3) in ``frame_id`` -> (N,)."""
        points = (points - vector(self.pose.position)) @ rotation(self.pose.orientation)
        inside = np.zeros(len(points), bool)
        for primitive, pose in zip(self.primitives, self.poses, strict=True):
            local = (points - vector(pose.position)) @ rotation(pose.orientation)
            if primitive.type == primitive.SPHERE:
                inside |= np.linalg.norm(local, axis=1) <= primitive.dimensions[0]
            else:
                assert primitive.type == primitive.CYLINDER
                height, radius = primitive.dimensions
                inside |= (np.abs(local[:, 2]) <= height / 2) & (np.hypot(local[:, 0], local[:, 1]) <= radius)
        return inside


class PlanningSceneSubscriber:
    """MoveIt's planning scene: ADD replaces, MOVE needs an object with as many shapes, REMOVE with an id removes it."""

    def __init__(self, node, topic="collision_object"):
        from moveit_msgs.msg import CollisionObject

        self.kind = CollisionObject
        self.objects = {}
        self.log = []
        self.errors = []
        self.subscription = node.create_subscription(CollisionObject, topic, self._on_object, QoSProfile(depth=100))

    def _on_object(self, message):
        name, known = message.id, message.id in self.objects
        operation = {b"\x00": "ADD", b"\x01": "REMOVE", b"\x03": "MOVE"}[message.operation]
        self.log.append((operation, name))
        if not name:
            self.errors.append("an empty id: REMOVE would clear the whole scene")
        elif operation == "ADD":
            if not message.primitives or len(message.primitives) != len(message.primitive_poses):
                self.errors.append(f"{name}: added without shapes, or with other poses than shapes")
            self.objects[name] = SceneObject(message)
        elif operation == "REMOVE":
            self.objects.pop(name, None)
        elif not known:
            self.errors.append(f"{name}: moved, but is not in the scene")
        elif message.primitives or len(message.primitive_poses) != len(self.objects[name].poses):
            self.errors.append(f"{name}: moved with shapes, or with another number of poses")
        else:
            self.objects[name].place(message)


def cloud_points(message):
    """x, y, z (N, 3) of a PointCloud2, by its fields."""
    fields = {field.name: field for field in message.fields}
    assert message.width * message.height * message.point_step == len(message.data)
    assert all(fields[axis].datatype == 7 for axis in "xyz")
    raw = np.frombuffer(bytes(message.data), np.uint8).reshape(-1, message.point_step)
    columns = [raw[:, fields[a].offset : fields[a].offset + 4].copy().view("<f4") for a in "xyz"]
    return np.concatenate(columns, 1)


class ObstacleLayer:
    """nav2's: marks what the clouds of the last ``persistence_s`` hold; not current when none came in time.

    Time is that of the stamps, as given to ``update``.
    """

    def __init__(self, node, topic="mesh_points", persistence_s=0.0, timeout_s=2.0):
        self.persistence_s, self.timeout_s = persistence_s, timeout_s
        self.observations = []
        self.subscription = node.create_subscription(PointCloud2, topic, self._on_cloud, qos_profile_sensor_data)

    def _on_cloud(self, message):
        stamp_s = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        self.observations.append((stamp_s, cloud_points(message)))
        newest = self.observations[-1][0]
        self.observations = [
            o for o in self.observations if o is self.observations[-1] or newest - o[0] < self.persistence_s
        ]

    def points(self):
        """What is marked."""
        return np.concatenate([points for _, points in self.observations]) if self.observations else np.zeros((0, 3))

    def is_current(self, now_s):
        """False: the robot stops, as it does not know."""
        return bool(self.observations) and now_s - self.observations[-1][0] <= self.timeout_s
