# SPDX-License-Identifier: Apache-2.0
"""How likely a pose is: a mixture of normal distributions, fitted to recorded motion.

Source: Bogo et al., "Keep it SMPL", ECCV 2016, whose prior is such a mixture of eight, of CMU's recordings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import default_rng
from torch import Tensor

from hmr_ros.core.arrays import Float64s, Floats
from hmr_ros.training.datasets.motion import Motion

COMPONENTS = 8
FRAMES = 8000
_ROUNDS = 20
_JITTER = 1e-3
"""rad^2 added to the variances: joints that hardly move must not dominate."""


@dataclass(frozen=True, eq=False)
class PosePrior:
    """K normal distributions of body poses, 69 numbers: the rotation vectors of all joints but the root.

    ``means`` (K, 69); ``whitening`` (K, 69, 69): W' W is the inverse covariance; ``offsets`` (K,): the smallest energy
    of each, of which the smallest of all is 0.
    """

    means: Floats
    whitening: Floats
    offsets: Floats

    @property
    def likeliest(self) -> Floats:
        """(69,) the mean of the component with the largest density."""
        return np.asarray(self.means[np.argmin(self.offsets)])

    def energy(self, pose: Tensor) -> Tensor:
        """(B, 69) -> (B,): the negative logarithm of the nearest component's density, up to a constant."""
        means, whitening, offsets = (torch.from_numpy(x).to(pose) for x in (self.means, self.whitening, self.offsets))
        distance = torch.einsum("kij,bkj->bki", whitening, pose[:, None] - means)
        out: Tensor = (0.5 * distance.square().sum(-1) + offsets).min(1).values
        return out


def fit_pose_prior(motion: Motion, seed: int = 0) -> PosePrior:
    """The prior of the poses of ``motion``, by expectation maximisation; the same seed gives the same."""
    rng = default_rng(seed)
    chosen = rng.choice(len(motion.pose), FRAMES, p=motion.weights)
    poses = motion.pose[chosen, 1:].reshape(FRAMES, -1).astype(np.float64)
    responsibility = _by_nearest(poses, poses[rng.choice(FRAMES, COMPONENTS, replace=False)])
    for _ in range(_ROUNDS):
        weight, prior = _maximised(poses, responsibility)
        log_density = np.log(weight) - np.stack([_energy(prior, number, poses) for number in range(COMPONENTS)], 1)
        log_density -= log_density.max(1, keepdims=True)
        responsibility = np.exp(log_density)
        responsibility /= responsibility.sum(1, keepdims=True)
    weight, prior = _maximised(poses, responsibility)
    offsets = prior.offsets - np.log(weight)
    return PosePrior(prior.means, prior.whitening, offsets - offsets.min())


def _by_nearest(poses: Float64s, centres: Float64s) -> Float64s:
    """(N, K): 1 for the nearest of ``centres`` (K, D), else 0."""
    distance = np.square(poses).sum(1)[:, None] - 2 * poses @ centres.T + np.square(centres).sum(1)
    out: Float64s = np.eye(len(centres))[np.argmin(distance, 1)]
    return out


def _maximised(poses: Float64s, responsibility: Float64s) -> tuple[Float64s, PosePrior]:
    """Weights (K,) and normal distributions that fit ``poses`` (N, D) best, each pose as ``responsibility`` (N, K)."""
    count = responsibility.sum(0) + 1e-6
    means = responsibility.T @ poses / count[:, None]
    whitening, offsets = [], []
    for number in range(len(count)):
        centred = poses - means[number]
        covariance = (responsibility[:, [number]] * centred).T @ centred / count[number]
        factor = np.linalg.cholesky(covariance + _JITTER * np.eye(poses.shape[1]))
        whitening.append(np.linalg.inv(factor))
        offsets.append(np.log(np.diag(factor)).sum())
    return count / count.sum(), PosePrior(means, np.stack(whitening), np.array(offsets))


def _energy(prior: PosePrior, component: int, poses: Float64s) -> Float64s:
    """(N,): negative logarithm of one component's density at ``poses`` (N, D), up to a constant."""
    distance = (poses - prior.means[component]) @ prior.whitening[component].T
    return np.asarray(0.5 * np.square(distance).sum(1) + prior.offsets[component])
