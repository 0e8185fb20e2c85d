# SPDX-License-Identifier: Apache-2.0
"""The messages of every image as bytes; messages.py is the slow reference.

A writer keeps a serialised message while the people stay the same, and replaces the numbers in it (template.py); a
mesh, which is nearly all numbers, is serialised each time (cdr.py). TF: transforms.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Bools, Ints
from hmr_ros.core.forecasts import Forecasts
from hmr_ros.core.people import Bodies
from hmr_ros.ros.wire import markers, messages
from hmr_ros.ros.wire.cdr import MeshStyle, Stamp, write_mesh_marker
from hmr_ros.ros.wire.template import KeptTemplate, Template

_PLAIN_FIELDS: dict[str, Callable[[Bodies], NDArray[Any]]] = {
    "state": lambda bodies: bodies.states,
    "unseen_s": lambda bodies: bodies.unseen_s,
    "score": lambda bodies: bodies.scores,
    "keypoints": lambda bodies: messages.finite(bodies.kp2d),
    "keypoint_scores": lambda bodies: messages.finite(bodies.kp2d_score),
    "valid": lambda bodies: bodies.valid,
    "cam_t": lambda bodies: messages.finite(bodies.cam_t),
}
"""Field of hmr_ros/SmplBody -> its numbers, one row per body. Those of messages.METRIC_FIELDS may be empty."""


class BodiesWriter:
    """Serialises messages.smpl_body_array."""

    def __init__(self, origin: messages.Origin) -> None:
        self._origin = origin
        self._kept = KeptTemplate()

    def __call__(
        self,
        stamp: Stamp,
        frame_id: str,
        bodies: Bodies,
        lost: tuple[int, ...],
        frames: Mapping[int, str] = messages.NO_FRAMES,
    ) -> bytes:
        """The serialised message of all ``bodies`` in an image and the ids ``lost`` with it.

        ``frames``: the frames in TF of those who have one, by id.
        """
        columns, ids = messages.metric_columns(bodies), bodies.ids.tolist()
        known, ahead = messages.known_rows(bodies, columns), bodies.forecasts
        known_ahead = {} if ahead is None else messages.known_forecasts(ahead)
        layout = tuple((name, rows.tobytes()) for name, rows in (*known.items(), *known_ahead.items()))
        times = () if ahead is None else ahead.ahead_s
        names = tuple((track_id, frames.get(track_id, "")) for track_id in ids)
        template = self._kept(
            (frame_id, names, bodies.joint_set, lost, layout, times),
            lambda: messages.smpl_body_array(messages.header(stamp, frame_id), bodies, lost, self._origin, frames),
        )
        template.stamp(stamp)
        plain = {name: column_of(bodies) for name, column_of in _PLAIN_FIELDS.items()}
        plain |= {} if bodies.hands is None else messages.hand_numbers(bodies.hands)
        for name, column in plain.items():
            for row, values in enumerate(column):
                template[f"bodies.{row}.{name}"][:] = values.reshape(-1)
        for name, rows in known.items():
            for row in np.flatnonzero(rows).tolist():
                template[f"bodies.{row}.{name}"][:] = columns[name][row].reshape(-1)
        if ahead is not None:
            _write_forecasts(template, ahead, known_ahead)
        return template.finish()


def _write_forecasts(template: Template, forecasts: Forecasts, known: Mapping[str, Bools]) -> None:
    for row in np.flatnonzero(known["joints"]).tolist():
        for k in range(len(forecasts.ahead_s)):
            path = f"bodies.{row}.forecasts.{k}"
            template[f"{path}.cam_t"][:] = forecasts.cam_t[row, k]
            for name, rows in known.items():
                if rows[row]:
                    template[f"{path}.{name}"][:] = getattr(forecasts, name)[row, k].reshape(-1)


class SkeletonWriter:
    """Serialises markers.skeleton_markers."""

    def __init__(self) -> None:
        self._kept = KeptTemplate()

    def __call__(self, stamp: Stamp, frame_id: str, bodies: Bodies, lost: tuple[int, ...], lifetime_s: float) -> bytes:
        """The serialised message: what ``bodies`` with a position show, DELETE for the ids in ``lost``.

        What is drawn stays for ``lifetime_s``.
        """
        rows = np.flatnonzero(bodies.valid)
        drawn = [markers.skeleton_points(bodies, row) for row in rows.tolist()]
        sizes = tuple(len(points) for of_body in drawn for points in of_body.values())
        template = self._kept(
            (frame_id, tuple(bodies.ids[rows].tolist()), tuple(bodies.states[rows].tolist()), lost, sizes),
            lambda: markers.skeleton_markers(messages.header(stamp, frame_id), bodies, lost, lifetime_s),
        )
        deleted = len(markers.SKELETON) * len(lost)
        template.stamp(stamp, (f"markers.{k}.header.stamp" for k in range(len(sizes) + deleted)))
        template.stamp(markers.duration(lifetime_s), (f"markers.{k}.lifetime" for k in range(len(sizes))))
        for k, points in enumerate(points for of_body in drawn for points in of_body.values()):
            template[f"markers.{k}.points"][:] = points.ravel()
        return template.finish()


class JointStateWriter:
    """Serialises messages.joint_state of one person."""

    def __init__(self) -> None:
        self._kept = KeptTemplate()

    def __call__(self, stamp: Stamp, frame_id: str, bodies: Bodies, row: int) -> bytes:
        """The serialised message of the body in ``row``."""
        template = self._kept(
            (frame_id, int(bodies.ids[row])),
            lambda: messages.joint_state(messages.header(stamp, frame_id), bodies, row),
        )
        template.stamp(stamp)
        template["position"][:] = bodies.body_pose[row].ravel()
        return template.finish()


class MeshWriter:
    """Serialises visualization_msgs/Marker of type TRIANGLE_LIST for ``faces`` (F, 3); reuses its buffer."""

    def __init__(self, faces: Ints) -> None:
        self._corners = faces.astype(np.int64).ravel()
        self._triangles = np.empty((self._corners.size, 3))

    def __call__(self, stamp: Stamp, frame_id: str, bodies: Bodies, row: int, lifetime_s: float) -> bytes:
        """The serialised message of the body in ``row``, which has a position; RViz shows it for ``lifetime_s``."""
        number = messages.person_number(int(bodies.ids[row]))
        vertices = bodies.vertices[row].astype(np.float64)
        # mode="clip" lets numpy write into ``out`` directly; the faces were checked when the body model was loaded.
        np.take(vertices, self._corners, axis=0, out=self._triangles, mode="clip")
        style = MeshStyle(markers.MESH, number, markers.marker_color(bodies, row), lifetime_s)
        return write_mesh_marker(stamp, frame_id, self._triangles, style)
