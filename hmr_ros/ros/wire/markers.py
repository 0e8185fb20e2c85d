# SPDX-License-Identifier: Apache-2.0
"""Bodies -> markers for RViz and Foxglove: skeletons and forecasts; MeshWriter makes those of meshes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.people import Bodies, State
from hmr_ros.core.skeleton import SMPL
from hmr_ros.perception.overlay import person_color
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import person_number
from hmr_ros.ros.wire.types import ColorRGBA, Duration, Header, Marker, MarkerArray, Point, Vector3

SKELETON = BONES, JOINTS, FORECAST = "bones", "joints", "forecast"
MESH = "mesh"
"""Namespaces of markers, one for each kind: RViz and Foxglove list every namespace that they ever saw."""

_COASTING_ALPHA = 0.35
"""Opacity of a person who is not seen in the image."""

_BONE_WIDTH_M = 0.03
_JOINT_SIZE_M = 0.05
_FORECAST_WIDTH_M = 0.02


def skeleton_points(bodies: Bodies, row: int) -> dict[str, Floats]:
    """By namespace the points (N, 3) m of the markers of the body in ``row``: bones, joints, and where it will be.

    The forecast is the way of the pelvis, from where it is; there is none of a body without forecasts.
    """
    joints, ahead = bodies.joints[row], bodies.forecasts
    points = {BONES: joints[SMPL.edge_indices].reshape(-1, 3), JOINTS: joints}
    if ahead is not None and np.isfinite(ahead.cam_t[row]).all():
        points[FORECAST] = np.concatenate([joints[:1], ahead.cam_t[row]])
    return points


def skeleton_markers(image_header: Header, bodies: Bodies, lost: Sequence[int], lifetime_s: float) -> MarkerArray:
    """Bones, joints and forecast of every body with a position, for ``lifetime_s``; DELETE for the ids in ``lost``."""
    shapes = {
        BONES: (Marker.LINE_LIST, _BONE_WIDTH_M),
        JOINTS: (Marker.SPHERE_LIST, _JOINT_SIZE_M),
        FORECAST: (Marker.LINE_STRIP, _FORECAST_WIDTH_M),
    }
    markers = []
    for row in np.flatnonzero(bodies.valid).tolist():
        for kind, points in skeleton_points(bodies, row).items():
            marker = _marker(image_header, bodies, row, kind, lifetime_s)
            marker.type, side = shapes[kind]
            marker.scale, marker.points = _cube(side), _points(points)
            markers.append(marker)
    markers += [deleted_marker(image_header, track_id, kind) for track_id in lost for kind in SKELETON]
    return MarkerArray(markers=markers)


def _marker(image_header: Header, bodies: Bodies, row: int, namespace: str, lifetime_s: float) -> Marker:
    """A marker of one body, without type and points."""
    r, g, b, a = marker_color(bodies, row)
    number = person_number(int(bodies.ids[row]))
    marker = Marker(header=image_header, ns=namespace, id=number, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    marker.color = ColorRGBA(r=r, g=g, b=b, a=a)
    time = duration(lifetime_s)
    marker.lifetime = Duration(sec=time.sec, nanosec=time.nanosec)
    return marker


def duration(seconds: float) -> Stamp:
    """A positive duration as the numbers of a builtin_interfaces/Duration."""
    whole, fraction = divmod(seconds, 1.0)
    return Stamp(int(whole), int(fraction * 1e9))


def marker_color(bodies: Bodies, row: int) -> tuple[float, float, float, float]:
    """RGBA 0..1 of the body in ``row``, more transparent where it is not seen."""
    alpha = _COASTING_ALPHA if bodies.states[row] == State.COASTING else 1.0
    return (*person_color(int(bodies.ids[row])), alpha)


def _cube(side_m: float) -> Vector3:
    return Vector3(x=side_m, y=side_m, z=side_m)


def _points(points: Floats) -> list[Point]:
    """``points`` (N, 3) m as messages."""
    return [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]


def deleted_marker(image_header: Header, track_id: int, namespace: str) -> Marker:
    """A marker that deletes that of a lost person in ``namespace``."""
    return Marker(header=image_header, ns=namespace, id=person_number(track_id), action=Marker.DELETE)
