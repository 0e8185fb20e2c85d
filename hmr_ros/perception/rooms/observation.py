# SPDX-License-Identifier: Apache-2.0
"""What one camera sees at one time, in the world."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Bodies, State
from hmr_ros.core.records import Record
from hmr_ros.core.uncertainty import stretched
from hmr_ros.perception.appearance import Look

_ALONG_FRACTION, _ACROSS_M, _JOINT_ERROR_M = 0.07, 0.014, 0.07
"""Deviations of positions where none are stated, along the line of sight as a fraction of the distance, and across it;
expected error of joints: what Pose2Mesh states in the median."""

Key = tuple[str, int]
"""A camera, and its id of a person."""


@dataclass(frozen=True, eq=False)
class Observed(Record):
    """P people whom one camera sees, in the world.

    ``tracks`` (P,) are the camera's ids; ``scores`` (P,) 0..1; ``roots`` (P, 3) m; ``bearings`` (P, 3), unit, from the
    camera; ``distances`` (P,) m; ``along`` and ``across`` (P,) m, deviations of the position; ``orientations``
    (P, 3, 3) root -> world; ``body_pose`` (P, 23, 3) rotvec; ``betas`` (P, 10) and the ``sizes`` (P,) that they mean,
    in template sizes; ``joints`` (P, 24, 3) m around the root, ``joint_error`` (P, 24) m, ``joint_covariance``
    (P, 24, 3, 3) m^2; ``looks`` of all images so far, unknown where the camera does not tell.
    """

    tracks: Ints
    scores: Floats
    roots: Floats
    bearings: Floats
    distances: Floats
    along: Floats
    across: Floats
    orientations: Floats
    body_pose: Floats
    betas: Floats
    sizes: Floats
    joints: Floats
    joint_error: Floats
    joint_covariance: Floats
    looks: Look

    @property
    def lines_of_sight(self) -> Floats:
        """(P, 3) m from the camera to the people."""
        return np.asarray(self.bearings * self.distances[:, None])

    def rotated(self, rotation: Floats, eye: Floats, aside: Floats) -> Observed:
        """As from a camera at ``eye`` (3,) m, rotated by ``rotation`` (3, 3), moved by ``aside`` (3,) m."""
        return dataclasses.replace(
            self,
            roots=(self.roots - eye) @ rotation.T + eye + aside,
            bearings=self.bearings @ rotation.T,
            orientations=rotation @ self.orientations,
            joints=self.joints @ rotation.T,
            joint_covariance=rotation @ self.joint_covariance @ rotation.T,
        )


@dataclass(frozen=True, eq=False)
class View:
    """One image of ``camera``, taken from ``eye`` (3,) m in the world at ``stamp_s`` s, and the ``people`` in it."""

    camera: str
    stamp_s: float
    eye: Floats
    people: Observed


def observed(
    bodies: Bodies,
    camera: str,
    stamp_s: float,
    world_from_optical: Transform,
    growth: Growth,
    looks: Look | None = None,
) -> View:
    """The people of ``bodies`` whom the image shows and who have a position; none who is coasting or tentative.

    ``looks`` of the ``bodies``; None: not known.
    """
    chosen: Bools = bodies.valid & (bodies.states == State.TRACKED)
    for known in (bodies.cam_t, bodies.joints, bodies.global_orient, bodies.body_pose, bodies.betas):
        chosen = chosen & np.isfinite(known).all(tuple(range(1, known.ndim)))
    eye = world_from_optical.translation
    known_looks = Look.unknown(len(bodies)) if looks is None else looks
    people = _people(bodies.take(chosen), world_from_optical, growth, known_looks.take(chosen))
    return View(camera, stamp_s, eye, people)


def _people(bodies: Bodies, world_from_optical: Transform, growth: Growth, looks: Look) -> Observed:
    rotation, cam_t = world_from_optical.rotation, bodies.cam_t.astype(np.float64)
    distances = np.linalg.norm(cam_t, axis=1)
    bearings = cam_t / np.maximum(distances, 1e-6)[:, None]
    along, across = _deviations(bodies.root_covariance.astype(np.float64), bearings, distances)
    around = (bodies.joints - bodies.joints[:, :1]).astype(np.float64)
    error, covariance = _joints(bodies, bearings)
    return Observed(
        tracks=bodies.ids,
        scores=bodies.scores.astype(np.float64),
        roots=world_from_optical(cam_t),
        bearings=bearings @ rotation.T,
        distances=distances,
        along=along,
        across=across,
        orientations=rotation @ rotvec_to_rotmat(bodies.global_orient.astype(np.float64)),
        body_pose=bodies.body_pose.astype(np.float64),
        betas=bodies.betas.astype(np.float64),
        sizes=growth.size(bodies.betas.astype(np.float64)),
        joints=around @ rotation.T,
        joint_error=error,
        joint_covariance=rotation @ covariance @ rotation.T,
        looks=looks,
    )


def _deviations(covariance: Floats, bearings: Floats, distances: Floats) -> tuple[Floats, Floats]:
    """Deviations (P,) m along the ``bearings`` and across them of ``covariance`` (P, 3, 3) m^2, NaN: not stated."""
    along = np.einsum("ni,nij,nj->n", bearings, covariance, bearings)
    across = (np.trace(covariance, axis1=1, axis2=2) - along) / 2
    assumed = (_ALONG_FRACTION * distances) ** 2, np.full(len(distances), _ACROSS_M**2)
    known = np.isfinite(along) & (along > 0) & (across > 0)
    return tuple(np.sqrt(np.where(known, *pair)) for pair in zip((along, across), assumed, strict=True))  # type: ignore[return-value]


def _joints(bodies: Bodies, bearings: Floats) -> tuple[Floats, Floats]:
    """Expected errors (P, 24) m and covariances (P, 24, 3, 3) m^2 of joints, assumed where they are not stated."""
    stated = np.isfinite(bodies.joint_error) & (bodies.joint_error > 0)
    error = np.where(stated, bodies.joint_error, _JOINT_ERROR_M).astype(np.float64)
    assumed = stretched(error**2 / 2, error**2 / 4, bearings[:, None])
    covariance = bodies.joint_covariance.astype(np.float64)
    known = np.isfinite(covariance).all((2, 3), keepdims=True)
    return error, np.where(known, covariance, assumed)
