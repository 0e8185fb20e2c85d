# SPDX-License-Identifier: Apache-2.0
"""SMPLify: a body fitted to the 2D keypoints of each person by optimisation, without a network. Slow.

As published: first the camera alone, then the body in rounds in which the prior of poses loses weight; keypoints count
by a Geman-McClure function of their distance, unnatural elbows and knees by an exponential one. Differences: Adam on
many people at once instead of a dogleg method on one; four headings are tried, as keypoints of a person's side fit two;
the prior is that of the motion file; parts of the body may pass through each other.

Source: Bogo et al., "Keep it SMPL: Automatic Estimation of 3D Human Pose and Shape from a Single Image", ECCV 2016, and
the weights of its authors' code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.translation import fit_translation
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.baselines.pose_prior import PosePrior
from hmr_ros.evaluation.held_out.case import Case, Prediction
from hmr_ros.networks.body_model import TorchBodyModel

ROUNDS = ((404.0, 100.0), (404.0, 50.0), (57.4, 10.0), (4.78, 5.0))
"""Weights of pose and shape in each round; their squares multiply the energies."""

HEIGHT_PX = 250.0
"""A person is this high in the pixels that distances are measured in: the weights are made for such images."""

ROBUST_PX = 100.0
"""Distance at which a keypoint begins to count as wrong."""

BENDING = 3.17
"""Weight of unnatural bends, as a multiple of the round's weight of the pose."""

CAMERA_STEPS, ROUND_STEPS = 40, 60
_CAMERA_RATE, _BODY_RATE = 0.1, 0.02
_HEADINGS = np.radians([0.0, 90.0, 180.0, 270.0])
_KEPT = 2
"""Headings that the body is fitted from."""

_UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""From the body's axes (y up, z forward) to a camera that it faces."""

_BENDS = {"left_elbow": (1, 1.0), "right_elbow": (1, -1.0), "left_knee": (0, -1.0), "right_knee": (0, -1.0)}
"""Axis of each revolute joint's rotation vector, and the sign of an unnatural bend."""


@dataclass(frozen=True, eq=False)
class Body:
    """What is optimised, of B people.

    ``heading`` (B, 3, 3) stays, ``turn`` (B, 3) is a rotation vector on top of it; ``position`` (B, 3): x/z, y/z and
    log z of the root; ``pose`` (B, 69) rotation vectors; ``betas`` (B, 10).
    """

    heading: Tensor
    turn: Tensor
    position: Tensor
    pose: Tensor
    betas: Tensor

    def take(self, rows: Tensor) -> Body:
        """The people ``rows`` (N,)."""
        columns = (self.heading, self.turn, self.position, self.pose, self.betas)
        return Body(*(column[rows] for column in columns))

    @property
    def translation(self) -> Tensor:
        """(B, 3) m."""
        x, y, log_z = self.position.unbind(1)
        return torch.stack([x, y, torch.ones_like(x)], 1) * log_z.exp()[:, None]

    @property
    def orientation(self) -> Tensor:
        """(B, 3, 3) root to optical frame."""
        return rotvec_to_matrix(self.turn) @ self.heading


@dataclass(frozen=True, eq=False)
class Seen:
    """Keypoints to fit to: ``normalized`` (B, J, 2), ``score`` (B, J), ``height`` (B,) of the person over f."""

    normalized: Tensor
    score: Tensor
    height: Tensor

    def repeated(self, times: int) -> Seen:
        """All people, ``times`` times, one after another."""
        columns = (self.normalized.repeat(times, 1, 1), self.score.repeat(times, 1), self.height.repeat(times))
        return Seen(*columns)


class Smplify:
    """The method under test: it reads keypoints of ``joint_set``."""

    name = "smplify"
    reads_images = False

    def __init__(self, body: BodyModel, joint_set: str, prior: PosePrior) -> None:
        self.joint_set, self._body, self._prior = joint_set, body, prior
        regressor = body.regressor(joint_set)
        used = np.flatnonzero(regressor.any(0))
        self._posed = TorchBodyModel(body, used)
        self._regressor = torch.from_numpy(regressor[:, used]).float()

    def predict(self, case: Case) -> list[Prediction]:
        """One prediction."""
        seen = Seen(*(torch.from_numpy(np.asarray(x)).float() for x in (case.normalized, case.score, case.height)))
        people = len(case.score)
        body, again = self._start(case), seen.repeated(len(_HEADINGS))
        self._fit_camera(body, again)
        with torch.no_grad():
            body = body.take(_best(self._distances(body, again), people, _KEPT))
        again = seen.repeated(_KEPT)
        for pose, shape in ROUNDS:
            self._fit_body(body, again, pose, shape)
        with torch.no_grad():
            body = body.take(_best(self._energy(body, again, *ROUNDS[-1]), people, 1))
        return [self._prediction(body)]

    def _start(self, case: Case) -> Body:
        """The likeliest pose in all headings, where its keypoints fit best; heading by heading."""
        count = len(case.score)
        pose = np.tile(self._prior.likeliest, (count, 1))
        betas = np.zeros((count, 10))
        parts = []
        for angle in _HEADINGS:
            c, s = np.cos(angle), np.sin(angle)
            heading = np.tile(_UPRIGHT @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), (count, 1, 1))
            rotvec = rotmat_to_rotvec(heading)
            vertices = self._body.posed(rotvec, pose.reshape(count, -1, 3), betas, np.zeros((count, 3))).vertices
            fit = fit_translation(
                self._body.regressor(case.joint_set) @ vertices, Keypoints.of(case.normalized, case.score)
            )
            parts.append((heading, _positions(fit.translation, case)))
        headings, positions = (np.concatenate(column) for column in zip(*parts, strict=True))
        alike = (np.tile(x, (len(_HEADINGS), 1)) for x in (np.zeros((count, 3)), pose, betas))
        turn, *others = (torch.from_numpy(x).float() for x in alike)
        return Body(torch.from_numpy(headings).float(), turn, torch.from_numpy(positions).float(), *others)

    def _fit_camera(self, body: Body, seen: Seen) -> None:
        _minimise([body.turn, body.position], lambda: self._distances(body, seen).sum(), CAMERA_STEPS, _CAMERA_RATE)

    def _fit_body(self, body: Body, seen: Seen, pose: float, shape: float) -> None:
        moved = [body.turn, body.position, body.pose, body.betas]
        _minimise(moved, lambda: self._energy(body, seen, pose, shape).sum(), ROUND_STEPS, _BODY_RATE)

    def _energy(self, body: Body, seen: Seen, pose: float, shape: float) -> Tensor:
        """(B,) what is minimised with the weights ``pose`` and ``shape``."""
        likely = pose**2 * self._prior.energy(body.pose)
        bend = BENDING * pose * _unnatural_bends(body.pose)
        return self._distances(body, seen) + likely + bend + shape**2 * body.betas.square().sum(1)

    def _distances(self, body: Body, seen: Seen) -> Tensor:
        """(B,) of the keypoints, px^2, each below ROBUST_PX^2."""
        rotations = rotvec_to_matrix(body.pose.unflatten(1, (-1, 3)))
        vertices = self._posed.posed(body.orientation, rotations, body.betas).vertices
        points = self._regressor @ vertices + body.translation[:, None]
        projected = points[..., :2] / points[..., 2:].clamp(min=0.1)
        apart = HEIGHT_PX / seen.height[:, None, None] * (projected - seen.normalized)
        squared = apart.square().sum(-1)
        return (seen.score * ROBUST_PX**2 * squared / (ROBUST_PX**2 + squared)).sum(1)

    @torch.no_grad()
    def _prediction(self, body: Body) -> Prediction:
        orientation = rotmat_to_rotvec(body.orientation.double().numpy())
        pose = body.pose.unflatten(1, (-1, 3)).double().numpy()
        root = body.translation.double().numpy()
        posed = self._body.posed(orientation, pose, body.betas.double().numpy(), np.zeros_like(root))
        unknown = np.full((len(root), SMPL.size), np.nan)
        return Prediction(self.name, posed.vertices, posed.joints, root, unknown)


def rotvec_to_matrix(rotvec: Tensor) -> Tensor:
    """Rotation vectors (..., 3) rad -> (..., 3, 3), differentiable at 0 too."""
    x, y, z = rotvec.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    angle = (rotvec.square().sum(-1) + 1e-12).sqrt()[..., None, None]
    once, twice = angle.sin() / angle, 2 * (angle / 2).sin().square() / angle.square()
    out: Tensor = torch.eye(3) + once * cross + twice * (cross @ cross)
    return out


def _unnatural_bends(pose: Tensor) -> Tensor:
    """(B, 69) -> (B,): squared exponentials of the angles by which elbows and knees bend."""
    columns = [3 * (SMPL.index(joint) - 1) + axis for joint, (axis, _) in _BENDS.items()]
    signs = pose.new_tensor([sign for _, sign in _BENDS.values()])
    out: Tensor = (2 * signs * pose[:, columns]).exp().sum(1)
    return out


def _positions(translation: Floats, case: Case) -> Floats:
    """(B, 3) x/z, y/z and log z; where the fit of ``translation`` (B, 3) failed, by the height of a person of 1.7 m."""
    seen = case.score > 0
    middle = (case.normalized * seen[..., None]).sum(1) / np.maximum(seen.sum(1), 1)[:, None]
    guess = np.concatenate([middle, np.ones((len(middle), 1))], 1) * (1.7 / case.height)[:, None]
    known = np.where(np.isfinite(translation), translation, guess)
    return np.concatenate([known[:, :2] / known[:, 2:], np.log(known[:, 2:])], 1)


def _best(energy: Tensor, people: int, kept: int) -> Tensor:
    """Rows (kept * people,) of the ``kept`` smallest of each person's energies; row n is of person n % ``people``."""
    order: Tensor = energy.reshape(-1, people).argsort(0)[:kept]
    return (order * people + torch.arange(people)).flatten()


def _minimise(parameters: Sequence[Tensor], energy: Callable[[], Tensor], steps: int, rate: float) -> None:
    """Move ``parameters`` in place."""
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.Adam(parameters, lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        energy().backward()
        optimiser.step()
    for parameter in parameters:
        parameter.requires_grad_(False).grad = None
