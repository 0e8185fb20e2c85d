# SPDX-License-Identifier: Apache-2.0
"""The messages of every image as bytes; what messages.py says of them is the slow reference.

A writer keeps a serialised message for as long as the same people are there, and renews the numbers in it
(template.py); a mesh, which is nearly all numbers, is written again (cdr.py). The frames of people: transforms.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Ints
from hmr_ros.core.people import Bodies
from hmr_ros.core.skeleton import SMPL
from hmr_ros.ros.wire import messages
from hmr_ros.ros.wire.cdr import MeshStyle, Stamp, write_mesh_marker
from hmr_ros.ros.wire.template import KeptTemplate

_BODY_FIELDS: dict[str, Callable[[Bodies], NDArray[Any]]] = {
    "state": lambda bodies: bodies.states,
    "unseen_s": lambda bodies: bodies.unseen_s,
    "score": lambda bodies: bodies.scores,
    "keypoints": lambda bodies: bodies.kp2d,
    "keypoint_scores": lambda bodies: bodies.kp2d_score,
    "valid": lambda bodies: bodies.valid,
    "global_orient": lambda bodies: bodies.global_orient,
    "body_pose": lambda bodies: bodies.body_pose,
    "betas": lambda bodies: bodies.betas,
    "cam_t": lambda bodies: bodies.cam_t,
    "joints": lambda bodies: bodies.joints,
    "joint_error": lambda bodies: bodies.uncertainty,
    "disagreement": lambda bodies: bodies.disagreement,
    "joint_covariance": lambda bodies: bodies.joint_covariance,
    "root_covariance": lambda bodies: bodies.root_covariance,
}
"""The numbers of hmr_ros/SmplBody -> what they are of each row."""


class BodiesWriter:
    """Writes hmr_ros/SmplBodyArray: messages.smpl_body_array."""

    def __init__(self, origin: messages.Origin) -> None:
        self._origin = origin
        self._kept = KeptTemplate()

    def __call__(self, stamp: Stamp, frame_id: str, bodies: Bodies, lost: tuple[int, ...]) -> bytes:
        """Everybody in the image, and the ids that ended with it."""
        template = self._kept(
            (frame_id, tuple(bodies.ids.tolist()), bodies.joint_set, lost),
            lambda: messages.smpl_body_array(messages.header(stamp, frame_id), bodies, lost, self._origin),
        )
        template.stamp(stamp)
        for name, column_of in _BODY_FIELDS.items():
            for row, values in enumerate(column_of(bodies)):
                template[f"bodies.{row}.{name}"][:] = values.reshape(-1)
        return template.finish()


class SkeletonWriter:
    """Writes visualization_msgs/MarkerArray: messages.skeleton_markers."""

    def __init__(self) -> None:
        self._kept = KeptTemplate()

    def __call__(self, stamp: Stamp, frame_id: str, bodies: Bodies, lost: tuple[int, ...]) -> bytes:
        """Bones and joints of everybody with a position."""
        rows = np.flatnonzero(bodies.valid)
        template = self._kept(
            (frame_id, tuple(bodies.ids[rows].tolist()), tuple(bodies.states[rows].tolist()), lost),
            lambda: messages.skeleton_markers(messages.header(stamp, frame_id), bodies, lost),
        )
        markers = 2 * (len(rows) + len(lost))
        template.stamp(stamp, (f"markers.{k}.header.stamp" for k in range(markers)))
        for k, row in enumerate(rows):
            joints = bodies.joints[row]
            template[f"markers.{2 * k}.points"][:] = joints[SMPL.edge_indices].ravel()
            template[f"markers.{2 * k + 1}.points"][:] = joints.ravel()
        return template.finish()


class JointStateWriter:
    """Writes sensor_msgs/JointState of one person: messages.joint_state."""

    def __init__(self) -> None:
        self._kept = KeptTemplate()

    def __call__(self, stamp: Stamp, frame_id: str, bodies: Bodies, row: int) -> bytes:
        """The rotation vectors of SMPL's joints."""
        template = self._kept(
            (frame_id, int(bodies.ids[row])),
            lambda: messages.joint_state(messages.header(stamp, frame_id), bodies, row),
        )
        template.stamp(stamp)
        template["position"][:] = bodies.body_pose[row].ravel()
        return template.finish()


class MeshWriter:
    """Writes visualization_msgs/Marker of type TRIANGLE_LIST; keeps the buffer and the face order between calls."""

    def __init__(self, faces: Ints) -> None:
        self._corners = faces.astype(np.int64).ravel()
        self._triangles = np.empty((self._corners.size, 3))

    def __call__(self, stamp: Stamp, frame_id: str, bodies: Bodies, row: int) -> bytes:
        """One serialised visualization_msgs/Marker for the body in ``row``, which has a position."""
        track_id = int(bodies.ids[row])
        vertices = bodies.vertices[row].astype(np.float64)
        # mode="clip" lets numpy write into ``out`` directly; the faces were checked when the body model was loaded.
        np.take(vertices, self._corners, axis=0, out=self._triangles, mode="clip")
        style = MeshStyle(messages.marker_color(bodies, row), messages.MARKER_LIFETIME_S)
        return write_mesh_marker(stamp, frame_id, messages.marker_namespace(track_id), self._triangles, style)
