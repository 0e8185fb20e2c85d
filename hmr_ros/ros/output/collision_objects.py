# SPDX-License-Identifier: Apache-2.0
"""People in MoveIt's planning scene: one moveit_msgs/CollisionObject each, of spheres and cylinders.

ADD brings a person into the scene, MOVE with as many poses as there are shapes moves the limbs (MoveIt of Jazzy and
later; before, MOVE moved whole objects only), REMOVE takes out who left. Nothing is ever removed because nothing is
known: MoveIt has no time-out, so what stands in the scene is the last that was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose, Quaternion
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.capsules import CapsuleAxes, Capsules
from hmr_ros.core.config import PlanningConfig
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.interfaces import COLLISION_OBJECTS, SHAPES
from hmr_ros.ros.wire.messages import person_name, point

_DEPTH = 128
"""Everybody's objects at once, several times: none may be lost."""

_ANSWERING_S = 1.0
"""A new subscriber may miss what is sent while the two sides still find each other."""

_STRETCH_M = 0.04
"""A cylinder this much too short is helped out by the spheres at its ends: at most 3 mm of a forearm's are missed."""

_SWELLING_M = 0.01
"""A person whose shape turns out to be so much wider gets new shapes."""

_NO_TURN = Quaternion(x=0.0, y=0.0, z=0.0, w=1.0)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A person as the scene has them: shapes do not change until they are added again."""

    lengths: Floats
    radii: Floats
    added_s: float

    def fits(self, now: _Placed) -> bool:
        """Whether these shapes still do for a person who is as ``now``."""
        stretch, swelling = np.abs(now.lengths - self.lengths).max(), np.abs(now.radii - self.radii).max()
        return bool(stretch <= _STRETCH_M and swelling <= _SWELLING_M)


class CollisionObjects:
    """Publishes ``collision_object``. Needs moveit_msgs."""

    def __init__(self, publishers: PublisherFactory) -> None:
        self._publishers = publishers
        self._type: Any = COLLISION_OBJECTS.message("CollisionObject")
        self._solid: Any = SHAPES.message("SolidPrimitive")
        self._publisher = publishers.create(self._type, "collision_object", QoSProfile(depth=_DEPTH))
        self._placed: dict[int, _Placed] = {}
        self._listeners = 0
        self._joined_s = -np.inf

    def close(self) -> None:
        """Unpublish. People stay in the scene."""
        self._publishers.destroy(self._publisher)

    def watch(self, stamp_s: float) -> bool:
        """Whether anybody listens; call it with every image, so that newcomers are noticed."""
        listeners = self._publisher.get_subscription_count()
        if listeners > self._listeners:
            self._joined_s = stamp_s
        self._listeners = listeners
        return bool(listeners)

    def remove(self, header: Header, ids: Iterable[int]) -> None:
        """Take people out of the scene, whether or not they are known to be in it: a planner may remember more."""
        for track_id in ids:
            self._placed.pop(track_id, None)
            self._publisher.publish(self._object(header, track_id, self._type.REMOVE))

    def update(self, header: Header, ids: Ints, places: Floats, capsules: Capsules, config: PlanningConfig) -> None:
        """Put people where they are: ``ids`` (P,), ``places`` (P, 3) m and capsules in the frame of ``header``."""
        stamp_s = Stamp(header.stamp.sec, header.stamp.nanosec).seconds
        axes = capsules.axes()
        for row, track_id in enumerate(ids.tolist()):
            shapes = _Placed(axes.lengths[row], capsules.radii[row], stamp_s)
            message = self._object(header, track_id, self._type.MOVE)
            message.pose = Pose(position=point(places[row]), orientation=_NO_TURN)
            message.primitive_poses = _poses(axes, capsules, places[row], row)
            if self._must_add(self._placed.get(track_id), shapes, config.refresh_s):
                self._placed[track_id] = shapes
                message.operation = self._type.ADD
                message.primitives = _primitives(self._solid, shapes)
            self._publisher.publish(message)

    def _must_add(self, placed: _Placed | None, now: _Placed, refresh_s: float) -> bool:
        """Whether to send shapes: of somebody new or changed, and of all to a new, or perhaps forgetful, subscriber."""
        if placed is None or not placed.fits(now) or 0 <= now.added_s - self._joined_s <= _ANSWERING_S:
            return True
        return refresh_s > 0 and now.added_s - placed.added_s >= refresh_s

    def _object(self, header: Header, track_id: int, operation: bytes) -> Any:
        return self._type(header=header, id=f"human_{person_name(track_id)}", operation=operation)


def _primitives(solid: Any, placed: _Placed) -> list[Any]:
    """Per capsule a cylinder (height, radius) and the two spheres at its ends."""
    primitives = []
    for length, radius in zip(placed.lengths.tolist(), placed.radii.tolist(), strict=True):
        sphere = solid(type=solid.SPHERE, dimensions=[radius])
        cylinder = solid(type=solid.CYLINDER, dimensions=[length, radius])
        primitives += [cylinder, sphere, sphere]
    return primitives


def _poses(axes: CapsuleAxes, capsules: Capsules, place: Floats, row: int) -> list[Pose]:
    """The poses of ``_primitives`` around ``place``."""
    poses = []
    centers, starts, ends = axes.centers[row] - place, capsules.starts[row] - place, capsules.ends[row] - place
    for center, rotation, start, end in zip(centers, axes.rotations[row].tolist(), starts, ends, strict=True):
        x, y, z, w = rotation
        poses.append(Pose(position=point(center), orientation=Quaternion(x=x, y=y, z=z, w=w)))
        poses += [Pose(position=point(tip), orientation=_NO_TURN) for tip in (start, end)]
    return poses
