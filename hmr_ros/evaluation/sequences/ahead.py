# SPDX-License-Identifier: Apache-2.0
"""Forecasts of synthetic people beside where they went, image by image: for the report and the calibration."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.forecasts import HORIZONS_S, ForecastCalibration, Forecasts
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Bodies, Detections, Estimates
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.temporal.forecasting import STOPPING_S, JointChanges, Walks, forecasts
from hmr_ros.perception.fusion import FusingSmoother
from hmr_ros.training.synthetic.sequences import Sequences

_VELOCITY_S = 0.2
"""Over which the velocities of joints are taken that forecasts are compared with."""

_SPEED_S = 0.25

STANDING_M_S, WALKING_M_S = 0.1, 0.5
"""True speeds of the pelvis over the last _SPEED_S: who is slower stands, who is faster walks."""


@dataclass(frozen=True, eq=False)
class Ahead(Record):
    """N images of people who were seen before; metres, axes of the first image, which do not turn with the camera.

    ``bodies`` as published, ``walks`` and ``changes`` (core/temporal/forecasting.py); ``velocity`` (N, 3) m/s of the
    root's filter, ``joint_velocity`` (N, 24, 3) m/s around the pelvis, NaN: unknown. The truth: ``cam_t`` (N, 3) now,
    ``later`` (N, 3, 3) at HORIZONS_S, ``joints`` (N, 3, 24, 3) around the pelvis then, ``known`` (N, 3): the motion
    goes on so far; ``speed`` (N,) m/s over the last quarter of a second, NaN: unknown; ``clip`` (N,) of the motion.
    """

    bodies: Bodies
    walks: Walks
    changes: JointChanges
    velocity: Floats
    joint_velocity: Floats
    cam_t: Floats
    later: Floats
    joints: Floats
    known: Bools
    speed: Floats
    clip: Ints

    def forecasts(self, calibration: ForecastCalibration | None) -> Forecasts:
        """What the robot publishes, with ``calibration``."""
        return forecasts(self.bodies, self.walks, self.changes, calibration, HORIZONS_S)

    def root_errors(self) -> dict[str, Floats]:
        """Vectors (N, 3, 3) m from the true way of the root to what is expected, at each horizon.

        From where it is now, true or estimated: most of a position's error is the person's size, and goes along.
        """
        times, way = np.array(HORIZONS_S), self.later - self.cam_t[:, None]
        stopping = -STOPPING_S * np.expm1(-times / STOPPING_S)
        expected = self.forecasts(None).cam_t - self.bodies.cam_t[:, None]
        return {
            "hold": -way,
            "velocity": self.velocity[:, None] * times[:, None] - way,
            "damped": self.velocity[:, None] * stopping[:, None] - way,
            "forecast": expected - way,
        }

    def joint_errors(self) -> dict[str, Floats]:
        """Vectors (N, 3, 24, 3) m from the true joints around the pelvis to the expected ones, at each horizon."""
        ahead, now = self.forecasts(None), (self.bodies.joints - self.bodies.cam_t[:, None])[:, None]
        return {
            "hold": now - self.joints,
            "velocity": now + self.joint_velocity[:, None] * np.array(HORIZONS_S)[:, None, None] - self.joints,
            "forecast": ahead.joints - ahead.cam_t[:, :, None] - self.joints,
        }


def people_ahead(images: Sequence[Estimates], truth: Sequences, smoother: FusingSmoother, body: BodyModel) -> Ahead:
    """What ``smoother`` makes of S people image by image, beside the ``truth``; the camera's turning is known."""
    found = [_of_image(images[k], truth, k, smoother, body) for k in range(len(images))]
    back = max(1, round(_VELOCITY_S / float(truth.stamps[0, 1] - truth.stamps[0, 0])))
    around = [a.bodies.joints - a.bodies.cam_t[:, None] for a in found]
    seconds = back * float(truth.stamps[0, 1] - truth.stamps[0, 0])
    moved = [(around[k] - around[k - back]) / seconds if k >= back else a.joint_velocity for k, a in enumerate(found)]
    every = join_rows([dataclasses.replace(a, joint_velocity=m) for a, m in zip(found, moved, strict=True)])
    return every.take(np.flatnonzero(every.bodies.valid & np.isfinite(every.changes.error).all((1, 2))))


def _of_image(estimates: Estimates, truth: Sequences, image: int, smoother: FusingSmoother, body: BodyModel) -> Ahead:
    """All S people in one image."""
    fixed, ids = _fixed_from_optical(truth, image), np.arange(len(truth))
    smoothed = smoother(ids, rotated(estimates, fixed), float(truth.stamps[0, image]))
    bodies, walks = _bodies(smoothed, body), smoother.walks(ids)
    now, later = (_in_fixed(places, fixed) for places in (truth.pelvis[:, image], truth.future_pelvis[:, image]))
    return Ahead(
        bodies=bodies,
        walks=walks,
        changes=smoother.changes(ids),
        velocity=smoother.velocities(ids),
        joint_velocity=np.full((len(ids), *bodies.joints.shape[1:]), np.nan),
        cam_t=now,
        later=later,
        joints=truth.future[:, image] @ fixed[:, None].swapaxes(-1, -2),
        known=truth.known[:, image, :1] & truth.known[:, image, 1:],
        speed=_true_speed(truth, image),
        clip=truth.clip,
    )


def rotated(estimates: Estimates, rotations: Floats) -> Estimates:
    """``estimates`` of P people in axes that ``rotations`` (P, 3, 3) lead to from the optical ones."""
    back, orient = rotations.swapaxes(-1, -2), rotvec_to_rotmat(np.nan_to_num(estimates.global_orient))
    return dataclasses.replace(
        estimates,
        global_orient=np.where(estimates.valid[:, None], rotmat_to_rotvec(rotations @ orient), np.nan),
        cam_t=_in_fixed(estimates.cam_t, rotations),
        joint_covariance=rotations[:, None] @ estimates.joint_covariance @ back[:, None],
        root_covariance=rotations @ estimates.root_covariance @ back,
    )


def _bodies(estimates: Estimates, body: BodyModel) -> Bodies:
    """``estimates`` with joints, without meshes."""
    people = len(estimates)
    bodies = Bodies.without_geometry(Detections.of_boxes(np.zeros((people, 4))), 0)
    around = body.posed_joints(estimates.global_orient, estimates.body_pose, estimates.betas)
    return dataclasses.replace(bodies, **vars(estimates), joints=around + estimates.cam_t[:, None])


def _in_fixed(places: Floats, rotations: Floats) -> Floats:
    """(P, ..., 3) rotated by (P, 3, 3)."""
    return np.asarray(np.einsum("pij,p...j->p...i", rotations, places.astype(np.float64)))


def _fixed_from_optical(truth: Sequences, image: int) -> Floats:
    """(S, 3, 3) into the axes of each camera in the first image: those of a camera, as the network knows them."""
    return np.asarray(truth.optical_from_world[:, 0] @ truth.optical_from_world[:, image].swapaxes(-1, -2))


def _true_speed(truth: Sequences, image: int) -> Floats:
    """(S,) m/s over the last _SPEED_S."""
    step_s = float(truth.stamps[0, 1] - truth.stamps[0, 0])
    back = max(1, round(_SPEED_S / step_s))
    if image < back:
        return np.full(len(truth), np.nan)
    now, then = (_in_fixed(truth.pelvis[:, k], _fixed_from_optical(truth, k)) for k in (image, image - back))
    return np.asarray(np.linalg.norm(now - then, axis=-1) / (back * step_s))
