# SPDX-License-Identifier: Apache-2.0
"""Estimates to bodies with meshes: the last step, as only published people need a mesh."""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.people import Bodies, Detections, Estimates, State


def pose_bodies(detections: Detections, estimates: Estimates, body_model: BodyModel) -> Bodies:
    """Bodies of the P people of ``detections`` and, in the same rows, ``estimates``; metres, optical frame."""
    known, seen = estimates.take(estimates.valid), detections
    posed = body_model.posed(known.global_orient, known.body_pose, known.betas, known.cam_t)
    return Bodies(
        ids=seen.ids,
        states=np.full(len(seen), State.TRACKED, np.uint8),
        unseen_s=np.zeros(len(seen), np.float32),
        scores=seen.scores,
        kp2d=seen.kp2d,
        kp2d_score=seen.kp2d_score,
        joint_set=seen.joint_set,
        joints=_of_all(posed.joints, estimates.valid),
        vertices=_of_all(posed.vertices, estimates.valid),
        **vars(estimates),
    )


def with_meshes(bodies: Bodies, body_model: BodyModel) -> Bodies:
    """``bodies`` with the ``vertices`` (P, V, 3) m that their SMPL parameters give; NaN where ``valid`` is False."""
    known = bodies.take(bodies.valid)
    posed = body_model.posed(known.global_orient, known.body_pose, known.betas, known.cam_t)
    return dataclasses.replace(bodies, vertices=_of_all(posed.vertices, bodies.valid))


def _of_all(values: Floats, valid: Bools) -> Floats:
    """``values`` (N, ...) of the people who are ``valid`` (P,), NaN for the others; themselves where all are valid."""
    if len(values) == len(valid):
        return values
    out = np.full((len(valid), *values.shape[1:]), np.nan, np.float32)
    out[valid] = values
    return out
