# SPDX-License-Identifier: Apache-2.0
"""Estimated parameters -> bodies: the last step, as only what is published needs a mesh."""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.people import Bodies, Detections, Estimates


def pose_bodies(detections: Detections, estimates: Estimates, body_model: BodyModel) -> Bodies:
    """The people of ``detections`` with the bodies that ``estimates``, in the same rows, give them."""
    rows = np.flatnonzero(estimates.valid)
    known = estimates.take(rows)
    posed = body_model.posed(known.global_orient, known.body_pose, known.betas, known.cam_t)
    bodies = Bodies.without_geometry(detections, body_model.vertex_count)
    return dataclasses.replace(
        bodies,
        **vars(estimates),
        joints=_filled(bodies.joints, rows, posed.joints),
        vertices=_filled(bodies.vertices, rows, posed.vertices),
    )


def _filled(column: Floats, rows: Ints, values: Floats) -> Floats:
    """``column`` with ``rows`` replaced by ``values``, which are not copied where they are all."""
    if len(rows) == len(column):
        return values
    column[rows] = values
    return column
