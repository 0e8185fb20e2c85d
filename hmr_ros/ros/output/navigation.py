# SPDX-License-Identifier: Apache-2.0
"""People for nav2: points of their skin for costmaps and the Collision Monitor, velocities for social layers.

Both are published with every image, also without people: to subscribers silence means that nothing is known, and an
empty message that no person is there. A hidden person who has not left is at the expected position (COASTING); a person
who is seen without a position stays at the last one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.decimation import farthest_points
from hmr_ros.core.people import Bodies, State
from hmr_ros.core.temporal.velocity import VelocityFilter
from hmr_ros.ros.output.publishing import Publishers, Qos, has_subscribers
from hmr_ros.ros.wire.cdr import Stamp, write_points
from hmr_ros.ros.wire.interfaces import PEOPLE
from hmr_ros.ros.wire.messages import person_name, point
from hmr_ros.ros.wire.types import Header, PointCloud2


class MeshPoints:
    """Publishes ``mesh_points``; best in the camera's frame, from which nav2 measures the distance of obstacles."""

    def __init__(self, publishers: Publishers, body_model: BodyModel, count: int) -> None:
        self._publishers = publishers
        self._vertices = _skin_points(body_model, min(count, body_model.vertex_count))
        self._publisher = publishers.create(PointCloud2, "mesh_points", Qos(1))
        self._points: dict[int, Floats] = {}

    def close(self) -> None:
        """Destroy the publisher."""
        self._publishers.destroy(self._publisher)

    @property
    def has_subscribers(self) -> bool:
        """Whether there are subscribers."""
        return has_subscribers(self._publisher)

    def forget(self, ids: Iterable[int]) -> None:
        """Forget people who left."""
        for track_id in ids:
            self._points.pop(track_id, None)

    def publish(self, stamp: Stamp, frame_id: str, bodies: Bodies) -> None:
        """Publish the points of all people; nothing while one is seen who never had a position, as feet at the lens."""
        metric = bodies.take(bodies.valid)
        self._points.update(zip(metric.ids.tolist(), metric.vertices[:, self._vertices], strict=True))
        if self._points.keys() >= set(bodies.ids.tolist()) and self.has_subscribers:
            points = np.concatenate([np.zeros((0, 3)), *self._points.values()]).astype(np.float32)
            self._publisher.publish(write_points(stamp, frame_id, points))


@functools.lru_cache(maxsize=1)
def _skin_points(body_model: BodyModel, count: int) -> Ints:
    """Indices (count,) of vertices evenly over the skin; cached, as it takes a tenth of a second per activation."""
    return farthest_points(body_model.v_template, count)


class PeoplePublisher:
    """Publishes ``people``. Needs people_msgs."""

    def __init__(self, publishers: Publishers) -> None:
        self._publishers = publishers
        self._people: Any = PEOPLE.message("People")
        self._person: Any = PEOPLE.message("Person")
        self._publisher = publishers.create(self._people, "people", Qos(5))
        self._velocities = VelocityFilter()
        self._last: dict[int, Any] = {}

    def close(self) -> None:
        """Destroy the publisher."""
        self._publishers.destroy(self._publisher)

    @property
    def has_subscribers(self) -> bool:
        """Whether there are subscribers."""
        return has_subscribers(self._publisher)

    def forget(self, ids: Iterable[int]) -> None:
        """Forget people who left."""
        ids = list(ids)
        self._velocities.forget(ids)
        for track_id in ids:
            self._last.pop(track_id, None)

    def publish(self, header: Header, bodies: Bodies, positions: Floats) -> None:
        """Publish ``positions`` (P, 3) m and velocities, m/s, of ``bodies``, in the frame of ``header``."""
        stamp_s = Stamp(header.stamp.sec, header.stamp.nanosec).seconds
        velocities = self._velocities(bodies.ids, positions, bodies.states != State.COASTING, stamp_s)
        rows = zip(bodies.ids.tolist(), positions, velocities, bodies.scores.tolist(), strict=True)
        for track_id, position, velocity, score in rows:
            self._last[track_id] = self._person(
                name=person_name(track_id), position=point(position), velocity=point(velocity), reliability=score
            )
        self._publisher.publish(self._people(header=header, people=list(self._last.values())))
