# SPDX-License-Identifier: Apache-2.0
"""Fits that are not to be learned from, by the rules of Pose2Mesh (ECCV 2020) and its published code."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.geometry.crop import pad_to_aspect
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.networks.body_model import TorchBodyModel
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
        rows, fits = np.flatnonzero(people.fitted & (people.gender == gender)), _Fits(bodies[gender], people.joint_set)
        for some in np.array_split(rows, 1 + len(rows) // _BATCH):
            bad[some] = fits.are_bad(people.take(some))
    pose = np.where(bad[:, None, None], np.float32(np.nan), people.pose)
    return dataclasses.replace(people, pose=pose, betas=np.where(bad[:, None], np.float32(np.nan), people.betas))


class _Fits:
    """Poses what the keypoints of a body are made of: a tenth of its vertices."""

    def __init__(self, body: BodyModel, joint_set: str) -> None:
        regressors = (body.regressor("human36m"), body.regressor(joint_set))
        used = np.flatnonzero(np.concatenate(regressors).any(0))
        self._body = TorchBodyModel(body, used)
        self._human36m, self._keypoints = (regressor[:, used].astype(np.float32) for regressor in regressors)

    @torch.no_grad()
    def are_bad(self, people: AnnotatedPeople) -> Bools:
        """(N,) fits that are too far off."""
        if not len(people):
            return np.zeros(0, np.bool_)
        rotations = torch.from_numpy(rotvec_to_rotmat(people.pose.astype(np.float64)).astype(np.float32))
        betas = torch.from_numpy(people.betas.astype(np.float32))
        vertices = self._body.posed(rotations[:, 0], rotations[:, 1:], betas).vertices.numpy() + people.cam_t[:, None]
        return np.where(
            people.measured,
            joint_distance_mm(self._human36m @ vertices, people) > LARGEST_3D_MM,
            keypoint_distance_px(self._keypoints @ vertices, people) > LARGEST_2D_PX,
        )


def joint_distance_mm(joints: Floats, people: AnnotatedPeople) -> Floats:
    """(N,) mm of ``joints`` (N, 17, 3) m from the measured ones, after moving them there; NaN where none are."""
    difference = joints - people.human36m
    difference = difference - difference.mean(1, keepdims=True)
    return np.asarray(1000 * np.linalg.norm(difference, axis=-1).mean(1))


def keypoint_distance_px(points: Floats, people: AnnotatedPeople) -> Floats:
    """(N,) px of projected ``points`` (N, J, 3) m from the keypoints, in the square around them; 0 where none are."""
    projected = points[..., :2] / np.maximum(points[..., 2:], 0.05) * people.K[:, None, [0, 1], [0, 1]]
    projected = projected + people.K[:, None, :2, 2]
    square = pad_to_aspect(np.concatenate([projected.min(1), projected.max(1)], 1), 1.0)
    px = _SQUARE_PX / np.maximum(square[:, 2] - square[:, 0], 1)
    seen = people.kp2d_score > 0
    distance = np.where(seen, np.linalg.norm(projected - people.kp2d, axis=-1), 0).sum(1)
    return np.asarray(px * distance / np.maximum(seen.sum(1), 1))


def neutral_betas(betas: Floats, of: BodyModel, neutral: BodyModel) -> Floats:
    """Shapes (N, 10) of the body ``of`` -> the nearest ones of ``neutral``, by the vertices of the rest pose."""
    if of is neutral or not len(betas):
        return betas
    shapes = of.v_template + np.tensordot(betas, of.shapedirs, (1, 2)) - neutral.v_template
    centred = shapes - shapes.mean(1, keepdims=True)
    directions = neutral.shapedirs - neutral.shapedirs.mean(0)
    return np.asarray(
        np.linalg.lstsq(directions.reshape(-1, BETAS), centred.reshape(len(betas), -1).T, rcond=None)[0].T
    )
