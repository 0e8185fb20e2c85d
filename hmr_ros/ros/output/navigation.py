# SPDX-License-Identifier: Apache-2.0
"""People for nav2: points of their skin for costmaps and the Collision Monitor, velocities for social layers.

Both are published with every image, also when nobody is there: to their readers silence means that nothing is known,
and an empty message that nobody is there. Who is hidden, but has not left, is where they are expected (COASTING); who
is seen, but without a position, is where they last had one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.decimation import joint_error
from hmr_ros.core.people import Bodies, State
from hmr_ros.core.temporal.velocity import VelocityFilter
from hmr_ros.ros.output.publishers import PublisherFactory, has_subscribers
from hmr_ros.ros.wire.cdr import Stamp, write_points
from hmr_ros.ros.wire.interfaces import PEOPLE
from hmr_ros.ros.wire.messages import person_name, point


class MeshPoints:
    """Publishes ``mesh_points``; best in the camera's frame, as nav2 measures obstacles' distances from there."""

    def __init__(self, publishers: PublisherFactory, body_model: BodyModel, count: int) -> None:
        self._publishers = publishers
        self._vertices = _skin_points(body_model, min(count, body_model.vertex_count))
        self._publisher = publishers.create(PointCloud2, "mesh_points", QoSProfile(depth=1))
        self._points: dict[int, Floats] = {}

    def close(self) -> None:
        """Unpublish."""
        self._publishers.destroy(self._publisher)

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody listens."""
        return has_subscribers(self._publisher)

    def forget(self, ids: Iterable[int]) -> None:
        """Forget people who left."""
        for track_id in ids:
            self._points.pop(track_id, None)

    def publish(self, stamp: Stamp, frame_id: str, bodies: Bodies) -> None:
        """Everybody's points; nothing while somebody is seen whose place was never known, such as feet at the lens."""
        placed = bodies.take(bodies.valid)
        self._points.update(zip(placed.ids.tolist(), placed.vertices[:, self._vertices], strict=True))
        if self._points.keys() >= set(bodies.ids.tolist()) and self.has_subscribers:
            points = np.concatenate([np.zeros((0, 3)), *self._points.values()]).astype(np.float32)
            self._publisher.publish(write_points(stamp, frame_id, points))


@functools.lru_cache(maxsize=1)
def _skin_points(body_model: BodyModel, count: int) -> Ints:
    """Vertices that stand for the skin; a tenth of a second's work that each activation would repeat."""
    return joint_error(body_model.v_template, count)


class PeoplePublisher:
    """Publishes ``people``. Needs people_msgs."""

    def __init__(self, publishers: PublisherFactory) -> None:
        self._publishers = publishers
        self._people: Any = PEOPLE.message("People")
        self._person: Any = PEOPLE.message("Person")
        self._publisher = publishers.create(self._people, "people", QoSProfile(depth=5))
        self._velocities = VelocityFilter()
        self._last: dict[int, Any] = {}

    def close(self) -> None:
        """Unpublish."""
        self._publishers.destroy(self._publisher)

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody listens."""
        return has_subscribers(self._publisher)

    def forget(self, ids: Iterable[int]) -> None:
        """Forget people who left."""
        ids = list(ids)
        self._velocities.forget(ids)
        for track_id in ids:
            self._last.pop(track_id, None)

    def publish(self, header: Header, bodies: Bodies, places: Floats) -> None:
        """``places`` (P, 3) m, in the frame of ``header``, of ``bodies`` that all have a position."""
        stamp_s = Stamp(header.stamp.sec, header.stamp.nanosec).seconds
        velocities = self._velocities(bodies.ids, places, bodies.states != State.COASTING, stamp_s)
        rows = zip(bodies.ids.tolist(), places, velocities, bodies.scores.tolist(), strict=True)
        for track_id, place, velocity, score in rows:
            self._last[track_id] = self._person(
                name=person_name(track_id), position=point(place), velocity=point(velocity), reliability=score
            )
        self._publisher.publish(self._people(header=header, people=list(self._last.values())))
