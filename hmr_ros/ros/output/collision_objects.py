# SPDX-License-Identifier: Apache-2.0
"""People in MoveIt's planning scene: one moveit_msgs/CollisionObject each, of spheres and cylinders.

ADD brings a person into the scene, MOVE with one pose per shape moves the limbs (MoveIt of Jazzy and later), REMOVE
takes out a person who left. Missing information removes nothing: MoveIt has no time-out, so the scene keeps the last
known state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.capsules import CapsuleAxes, Capsules
from hmr_ros.core.config import PlanningConfig
from hmr_ros.ros.output.publishing import Publishers, Qos
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.interfaces import COLLISION_OBJECTS, SHAPES
from hmr_ros.ros.wire.messages import person_name, point
from hmr_ros.ros.wire.types import Header, Pose, Quaternion

_DEPTH = 128
"""History depth of the publisher: several updates of all people, none of which may be lost."""

_DISCOVERY_S = 1.0
"""Shapes are sent for this time after a subscriber appeared: it may miss messages until discovery is complete."""

_MAX_STRETCH_M = 0.04
"""Shapes are kept while lengths change by less: the spheres at the ends cover it, but for 3 mm of a forearm."""

_MAX_SWELLING_M = 0.01
"""Shapes are kept while radii change by less."""

_IDENTITY = Quaternion(x=0.0, y=0.0, z=0.0, w=1.0)


@dataclass(frozen=True, eq=False)
class _Shapes:
    """Lengths (C,) m and radii (C,) m of a person's capsules, as added to the scene at ``added_s``."""

    lengths: Floats
    radii: Floats
    added_s: float

    def fit(self, now: _Shapes) -> bool:
        """Whether these shapes can stay in the scene for a person whose shapes are ``now``."""
        if len(now.lengths) != len(self.lengths):
            return False
        stretch, swelling = np.abs(now.lengths - self.lengths).max(), np.abs(now.radii - self.radii).max()
        return bool(stretch <= _MAX_STRETCH_M and swelling <= _MAX_SWELLING_M)


class CollisionObjects:
    """Publishes ``collision_object``. Needs moveit_msgs."""

    def __init__(self, publishers: Publishers) -> None:
        self._publishers = publishers
        self._type: Any = COLLISION_OBJECTS.message("CollisionObject")
        self._solid: Any = SHAPES.message("SolidPrimitive")
        self._publisher = publishers.create(self._type, "collision_object", Qos(_DEPTH))
        self._in_scene: dict[int, _Shapes] = {}
        self._subscribers = 0
        self._joined_s = -np.inf  # when the last subscriber appeared

    def close(self) -> None:
        """Destroy the publisher. People stay in the scene."""
        self._publishers.destroy(self._publisher)

    def watch(self, stamp_s: float) -> bool:
        """Whether there are subscribers; call it with every image, so that new ones are noticed."""
        subscribers = self._publisher.get_subscription_count()
        if subscribers > self._subscribers:
            self._joined_s = stamp_s
        self._subscribers = subscribers
        return bool(subscribers)

    def remove(self, header: Header, ids: Iterable[int]) -> None:
        """Remove people from the scene, also those not added by this node: a planner may know more."""
        for track_id in ids:
            self._in_scene.pop(track_id, None)
            self._publisher.publish(self._object(header, track_id, self._type.REMOVE))

    def update(self, header: Header, ids: Ints, positions: Floats, capsules: Capsules, config: PlanningConfig) -> None:
        """Add or move people: ``ids`` (P,), ``positions`` (P, 3) m and capsules in the frame of ``header``."""
        stamp_s = Stamp(header.stamp.sec, header.stamp.nanosec).seconds
        axes = capsules.axes()
        for row, track_id in enumerate(ids.tolist()):
            shapes = _Shapes(axes.lengths[row], capsules.radii[row], stamp_s)
            message = self._object(header, track_id, self._type.MOVE)
            message.pose = Pose(position=point(positions[row]), orientation=_IDENTITY)
            message.primitive_poses = _poses(axes, capsules, positions[row], row)
            if self._must_add(self._in_scene.get(track_id), shapes, config.refresh_s):
                self._in_scene[track_id] = shapes
                message.operation = self._type.ADD
                message.primitives = _primitives(self._solid, shapes)
            self._publisher.publish(message)

    def _must_add(self, added: _Shapes | None, now: _Shapes, refresh_s: float) -> bool:
        """Whether to send shapes: of a new or changed person, to a new subscriber, and every ``refresh_s``."""
        if added is None or not added.fit(now) or 0 <= now.added_s - self._joined_s <= _DISCOVERY_S:
            return True
        return refresh_s > 0 and now.added_s - added.added_s >= refresh_s

    def _object(self, header: Header, track_id: int, operation: bytes) -> Any:
        return self._type(header=header, id=f"human_{person_name(track_id)}", operation=operation)


def _primitives(solid: Any, shapes: _Shapes) -> list[Any]:
    """Per capsule a cylinder (height, radius) and the two spheres at its ends, m."""
    primitives = []
    for length, radius in zip(shapes.lengths.tolist(), shapes.radii.tolist(), strict=True):
        sphere = solid(type=solid.SPHERE, dimensions=[radius])
        cylinder = solid(type=solid.CYLINDER, dimensions=[length, radius])
        primitives += [cylinder, sphere, sphere]
    return primitives


def _poses(axes: CapsuleAxes, capsules: Capsules, origin: Floats, row: int) -> list[Pose]:
    """The poses of ``_primitives`` of person ``row``, relative to ``origin`` (3,) m."""
    poses = []
    centers, starts, ends = axes.centers[row] - origin, capsules.starts[row] - origin, capsules.ends[row] - origin
    for center, rotation, start, end in zip(centers, axes.rotations[row].tolist(), starts, ends, strict=True):
        x, y, z, w = rotation
        poses.append(Pose(position=point(center), orientation=Quaternion(x=x, y=y, z=z, w=w)))
        poses += [Pose(position=point(tip), orientation=_IDENTITY) for tip in (start, end)]
    return poses
