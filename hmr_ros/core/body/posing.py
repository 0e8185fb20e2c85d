# SPDX-License-Identifier: Apache-2.0
"""Estimates to bodies with meshes: the last step, as only published people need a mesh."""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.people import Bodies, Detections, Estimates


def pose_bodies(detections: Detections, estimates: Estimates, body_model: BodyModel) -> Bodies:
    """Bodies of the P people of ``detections`` and, in the same rows, ``estimates``; metres, optical frame."""
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


def with_meshes(bodies: Bodies, body_model: BodyModel) -> Bodies:
    """``bodies`` with the ``vertices`` (P, V, 3) m that their SMPL parameters give; NaN where ``valid`` is False."""
    rows = np.flatnonzero(bodies.valid)
    known = bodies.take(rows)
    posed = body_model.posed(known.global_orient, known.body_pose, known.betas, known.cam_t)
    unknown = np.full((len(bodies), body_model.vertex_count, 3), np.nan, np.float32)
    return dataclasses.replace(bodies, vertices=_filled(unknown, rows, posed.vertices))


def _filled(column: Floats, rows: Ints, values: Floats) -> Floats:
    """``column`` (P, ...) with ``rows`` (N,) replaced by ``values`` (N, ...); ``values`` itself where N is P."""
    if len(rows) == len(column):
        return values
    column[rows] = values
    return column
