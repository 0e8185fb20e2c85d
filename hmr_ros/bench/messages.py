# SPDX-License-Identifier: Apache-2.0
"""The mesh message of one body: written straight into CDR, against a Marker of Point objects that rclpy serialises."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point
from rclpy.serialization import deserialize_message, serialize_message
from visualization_msgs.msg import Marker

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.bench.timing import time_in_turns
from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Detections
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.writers import MeshWriter

RATIO_GOAL, TIME_GOAL_MS = 100.0, 0.5
_STAMP, _FRAME = Stamp(1, 2), "camera_optical_frame"


def run(options: Options) -> Row:
    """Time both ways in turns and compare their messages."""
    body_model = load_body_model(models_dir() / "open_body.npz")
    bodies = _one_body(body_model.v_template)
    writer = MeshWriter(body_model.faces)
    template = deserialize_message(writer(_STAMP, _FRAME, bodies, 0, 0.5), Marker)
    corners = body_model.faces.ravel()

    def written() -> bytes:
        return writer(_STAMP, _FRAME, bodies, 0, 0.5)

    def built() -> bytes:
        template.points = [
            Point(x=float(x), y=float(y), z=float(z)) for x, y, z in bodies.vertices[0].astype(np.float64)[corners]
        ]
        return bytes(serialize_message(template))

    same = deserialize_message(written(), Marker) == deserialize_message(built(), Marker)
    timings = time_in_turns({"Point objects": built, "straight into CDR": written}, options.repeats)
    ratio = timings.ratio("Point objects", "straight into CDR")
    medians = timings.medians_ms()
    return {
        "settings": {"points": len(corners), "bytes": len(written())},
        "medians_ms": medians,
        "figures": {"Point objects / straight into CDR": ratio},
        "goals": {
            f"at least {RATIO_GOAL:g} times faster": ratio >= RATIO_GOAL,
            f"at most {TIME_GOAL_MS} ms per body": medians["straight into CDR"] <= TIME_GOAL_MS,
            "both messages are equal": same,
        },
    }


def _one_body(vertices: Floats) -> Bodies:
    """Bodies of one person with ``vertices`` (V, 3) m."""
    empty = Detections.empty("coco17")
    one = Detections(
        np.zeros((1, 4)),
        np.ones(1),
        np.zeros((1, *empty.kp2d.shape[1:])),
        np.zeros((1, empty.kp2d.shape[1])),
        "coco17",
        np.array([1]),
    )
    bodies = Bodies.without_geometry(one, len(vertices))
    bodies.vertices[0] = vertices
    return bodies
