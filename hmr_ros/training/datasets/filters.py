# SPDX-License-Identifier: Apache-2.0
"""Fits that are not to be learned from, by the rules of Pose2Mesh (ECCV 2020) and its published code."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.geometry.crop import pad_to_aspect
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.training.datasets.annotated import AnnotatedPeople

EXTREME_BETA = 3.0
"""A shape with a larger coefficient is taken for the mean shape."""

LARGEST_3D_MM = 25.0
"""Mean distance of the fit from the measured joints, from which on it is none."""

LARGEST_2D_PX = 3.0
"""The same of projected keypoints from the annotated ones, in a square of 64 px around the person."""

_SQUARE_PX = 64.0
_BATCH = 250


def filtered(people: AnnotatedPeople, bodies: Mapping[str, BodyModel]) -> AnnotatedPeople:
    """``people`` without extreme shapes, and without the fits that are far from what was measured or annotated.

    Fits are compared in 3D where joints were measured, else in 2D. What is left of a person without a fit are its
    joints and keypoints. ``people`` have cameras and positions.
    """
    extreme = (np.abs(people.betas) > EXTREME_BETA).any(1, keepdims=True)
    people = dataclasses.replace(people, betas=np.where(extreme, np.float32(0), people.betas))
    bad = np.zeros(len(people), np.bool_)
    for gender in set(people.gender.tolist()) & set(bodies):
        rows = np.flatnonzero(people.fitted & (people.gender == gender))
        for some in np.array_split(rows, 1 + len(rows) // _BATCH):
            bad[some] = _is_bad(people.take(some), bodies[gender])
    pose = np.where(bad[:, None, None], np.float32(np.nan), people.pose)
    return dataclasses.replace(people, pose=pose, betas=np.where(bad[:, None], np.float32(np.nan), people.betas))


def _is_bad(people: AnnotatedPeople, body: BodyModel) -> Floats:
    """(N,) fits that are too far off."""
    if not len(people):
        return np.zeros(0, np.bool_)
    vertices = body.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t).vertices
    return np.where(
        people.measured,
        joint_distance_mm(vertices, people, body) > LARGEST_3D_MM,
        keypoint_distance_px(vertices, people, body) > LARGEST_2D_PX,
    )


def joint_distance_mm(vertices: Floats, people: AnnotatedPeople, body: BodyModel) -> Floats:
    """(N,) mm from the measured joints, after moving the ``vertices`` (N, V, 3) m onto them; NaN where none are."""
    joints = body.regressor("human36m") @ vertices
    difference = joints - people.human36m
    difference = difference - difference.mean(1, keepdims=True)
    return np.asarray(1000 * np.linalg.norm(difference, axis=-1).mean(1))


def keypoint_distance_px(vertices: Floats, people: AnnotatedPeople, body: BodyModel) -> Floats:
    """(N,) px from the keypoints, in the square around the projected ones; 0 where there are none."""
    points = body.regressor(JOINT_SETS[people.joint_set].name) @ vertices
    projected = points[..., :2] / np.maximum(points[..., 2:], 0.05) * people.K[:, None, [0, 1], [0, 1]]
    projected = projected + people.K[:, None, :2, 2]
    square = pad_to_aspect(np.concatenate([projected.min(1), projected.max(1)], 1), 1.0)
    px = _SQUARE_PX / np.maximum(square[:, 2] - square[:, 0], 1)
    seen = people.kp2d_score > 0
    distance = np.where(seen, np.linalg.norm(projected - people.kp2d, axis=-1), 0).sum(1)
    return np.asarray(px * distance / np.maximum(seen.sum(1), 1))


def neutral_betas(betas: Floats, of: BodyModel, neutral: BodyModel) -> Floats:
    """Shapes (N, 10) of the body ``of`` -> the nearest ones of ``neutral``, by the vertices of the rest pose."""
    if of is neutral:
        return betas
    shapes = of.v_template + np.tensordot(betas, of.shapedirs, (1, 2)) - neutral.v_template
    centred = shapes - shapes.mean(1, keepdims=True)
    directions = neutral.shapedirs - neutral.shapedirs.mean(0)
    return np.asarray(
        np.linalg.lstsq(directions.reshape(-1, BETAS), centred.reshape(len(betas), -1).T, rcond=None)[0].T
    )
