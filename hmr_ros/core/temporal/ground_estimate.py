# SPDX-License-Identifier: Apache-2.0
"""The ground by the people on it, for a camera whose height and tilt are not stated, and whose motion is known if it
moves.

With q = n / h (normal over height), a foot p on the ground says q . p = -1, whatever its distance: linear least squares
over the feet of the last minutes, with the mean axis of the bodies as a weak direction of n. People guessed too large
stand too far away on a ground too low: the height is as good as the mean of their sizes, but all stand on one plane.
As the camera moves, what was sampled is carried into its frame: the ground stands still in the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.ground import Soles
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.ground import LOWEST_CAMERA_M, Ground
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import SMPL

_PERIOD_S = 0.2
"""Between samples of one person; neighbouring images say the same."""

_MAX_SAMPLES = 400

_MIN_SAMPLES, _MIN_SPAN_S = 12, 2.0
"""A ground needs so many samples over so long."""

_FOOT = 0.1
"""Standard deviation of q . p of a foot: that of the distance, as a fraction."""

_LEAN_RAD = 0.15
"""Standard deviation of the angle between a body's axis and upright."""

_ALIKE = 10.0
"""So many feet are as good as one, as a person keeps the guessed size; each person's mean axis counts once."""

_ROUNDS = 5
_FITTED_S = 0.5
"""The plane is fitted again after so long."""

_MAX_TILT_DEVIATION_RAD = float(np.deg2rad(10))
_HEIGHTS_M = (0.15, 15.0)

_ANKLES = [SMPL.index("left_ankle"), SMPL.index("right_ankle")]
_NECK = SMPL.index("neck")


@dataclass(frozen=True, eq=False)
class Sample:
    """The person ``track_id``: the lower ``foot`` (3,) m along the body's ``axis`` (3,), a unit vector; optical."""

    track_id: int
    foot: Floats
    axis: Floats
    stamp_s: float

    def carried(self, motion: Transform) -> Sample:
        """The same in the optical frame after the camera's ``motion``."""
        return replace(self, foot=motion(self.foot), axis=motion.rotation @ self.axis)


class GroundEstimator:
    """Collects the feet of people, and fits the ground to them."""

    def __init__(self, body_model: BodyModel) -> None:
        self._body_model = body_model
        self._soles = Soles.of(body_model)
        self._samples: list[Sample] = []
        self._sampled_s: dict[int, float] = {}
        self._fitted_s = -np.inf
        self._ground: Ground | None = None
        self._pose: CameraPose | None = None

    @property
    def ground(self) -> Ground | None:
        """The ground as it is known by now; None: not yet."""
        return self._ground

    def reset(self) -> None:
        """Forget the ground: the camera may be another one."""
        self._samples, self._sampled_s, self._fitted_s, self._ground = [], {}, -np.inf, None
        self._pose = None

    def __call__(
        self, ids: Ints, people: Estimates, feet_seen: Bools, stamp_s: float, pose: CameraPose | None = None
    ) -> Ground | None:
        """The ground after an image with the people ``ids`` (P,); ``feet_seen`` (P, 2), left and right.

        ``pose`` of the camera; None: it stood still since the last image, as where the world jumps.
        """
        self._carry(pose)
        due = [stamp_s - self._sampled_s.get(track_id, -np.inf) >= _PERIOD_S for track_id in ids.tolist()]
        rows = np.flatnonzero(people.valid & feet_seen.all(1) & np.array(due, np.bool_))
        if len(rows):
            self._sampled_s.update(dict.fromkeys(ids[rows].tolist(), stamp_s))
            self._samples = [*self._samples, *self._sampled(ids[rows], people.take(rows), stamp_s)][-_MAX_SAMPLES:]
        if stamp_s - self._fitted_s >= _FITTED_S:
            self._fitted_s = stamp_s
            self._ground = fit_plane(self._samples) or self._ground
        return self._ground

    def _carry(self, pose: CameraPose | None) -> None:
        """Move what is known into the optical frame of ``pose``, as far as the camera's motion is known."""
        if pose is None:
            return
        motion, self._pose = pose.motion_from(self._pose), pose
        if motion is None:
            return
        self._samples = [sample.carried(motion) for sample in self._samples]
        self._ground = None if self._ground is None else carried_ground(self._ground, motion)

    def _sampled(self, ids: Ints, people: Estimates, stamp_s: float) -> list[Sample]:
        joints = self._body_model.posed_joints(people.global_orient, people.body_pose, people.betas)
        axes = joints[:, _NECK] - joints[:, _ANKLES].mean(1)
        axes = (axes / np.linalg.norm(axes, axis=1, keepdims=True)).astype(np.float64)
        soles = self._soles(people).reshape(len(people), -1, 3)
        lowest = (soles @ axes[..., None])[..., 0].argmin(1)
        feet = soles[np.arange(len(soles)), lowest] + people.cam_t
        columns = zip(ids.tolist(), feet, axes, strict=True)
        return [Sample(track_id, foot, axis, stamp_s) for track_id, foot, axis in columns]


def carried_ground(ground: Ground, motion: Transform) -> Ground | None:
    """``ground`` in the optical frame after the camera's ``motion``; None where the camera is not above it any more."""
    up = motion.rotation @ ground.up
    height = ground.height_m - float(up @ motion.translation)
    if height < LOWEST_CAMERA_M:
        return None
    # q' = R q / (1 - q' . t) of the plane's normal over height; to first order its covariance turns and scales along.
    scale = ground.height_m / height
    return Ground(up, height, scale**2 * motion.rotation @ ground.covariance @ motion.rotation.T)


def fit_plane(samples: Sequence[Sample]) -> Ground | None:
    """The plane of the feet of ``samples``; None where they do not determine one."""
    if len(samples) < _MIN_SAMPLES or samples[-1].stamp_s - samples[0].stamp_s < _MIN_SPAN_S:
        return None
    feet, axes = np.stack([s.foot for s in samples]), np.stack([s.axis for s in samples])
    people = len({s.track_id for s in samples})
    axis = np.median(axes, 0)
    axis /= np.linalg.norm(axis)
    q = axis / max(-float(np.median(feet @ axis)), _HEIGHTS_M[0])
    weight = np.ones(len(feet))
    for _ in range(_ROUNDS):
        by_feet = (weight[:, None] * feet).T @ feet / (_ALIKE * _FOOT**2)
        information = by_feet + _by_axes(axis, people, q)
        q = np.linalg.solve(information, -(weight @ feet) / (_ALIKE * _FOOT**2))
        off = (feet @ q + 1) / (2 * _FOOT)
        weight = 1 / (1 + off * off) ** 2
    return _plane(q, np.linalg.inv(information))


def _by_axes(axis: Floats, people: int, q: Floats) -> Floats:
    """(3, 3): information about q by the mean body ``axis`` (3,) of so many ``people``."""
    deviation = _LEAN_RAD * float(np.linalg.norm(q))
    return np.asarray(people * deviation**-2 * (np.eye(3) - np.outer(axis, axis)))


def _plane(q: Floats, covariance: Floats) -> Ground | None:
    """The ground of normal over height ``q`` (3,); None where it is implausible, or too uncertain to be of use."""
    height = 1 / float(np.linalg.norm(q))
    ground_ok = _HEIGHTS_M[0] <= height <= _HEIGHTS_M[1]
    if not ground_ok or tilt_deviation(q * height, height, covariance) > _MAX_TILT_DEVIATION_RAD:
        return None
    return Ground(q * height, height, covariance)


def tilt_deviation(up: Floats, height_m: float, covariance: Floats) -> float:
    """rad: standard deviation of the tilt of a plane about the horizontal axis about which it is known worst."""
    level = np.eye(3) - np.outer(up, up)
    return height_m * float(np.sqrt(np.linalg.eigvalsh(level @ covariance @ level)[-1]))
