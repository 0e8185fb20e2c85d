# SPDX-License-Identifier: Apache-2.0
"""What a detector would report of synthetic people: keypoints with errors, scores, and some missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float64s, Floats
from hmr_ros.core.settings import setting, validate
from hmr_ros.core.skeleton import JointSet
from hmr_ros.training.synthetic.noise import frame_scale, human36m_noise, synthetic_error


@dataclass(frozen=True)
class KeypointMix:
    """How detections differ from the ground truth in training."""

    model: str = setting(
        "coco",
        doc="error model: Pose2Mesh's, coco has gross errors, human36m small ones; or movenet, those of the detector",
        choices=("coco", "human36m", "movenet"),
    )
    movenet: float = setting(0.0, doc="fraction of people with the model movenet in place of it", low=0, high=1)
    small: float = setting(0.0, doc="fraction with the model human36m in place of it", low=0, high=1)
    clean: float = setting(0.3, doc="fraction of people whose keypoints are exact", low=0, high=1)
    weak: float = setting(0.2, doc="smallest error of the others, as a fraction of Pose2Mesh's synthetic error", low=0)
    strong: float = setting(1.2, doc="largest error of the others", low=0)
    scored: float = setting(
        0.5, doc="fraction of the others whose scores reflect the errors (else all 1)", low=0, high=1
    )

    def __post_init__(self) -> None:
        validate(self)
        if self.movenet + self.small > 1:
            raise ValueError(
                f"movenet and small: expected fractions of at most 1 together, got {self.movenet} and {self.small}"
            )


@dataclass(frozen=True, eq=False)
class Observations:
    """``pixels`` (B, J, 2) px and ``score`` (B, J), 0 where a keypoint is missing."""

    pixels: Float64s
    score: Float64s


class People(Protocol):
    """B people whose keypoints are known."""

    @property
    def pixels(self) -> Floats:
        """(B, J, 2) px."""

    @property
    def visible(self) -> Bools:
        """(B, J) keypoints that the image shows."""


def observe(people: People, joint_set: JointSet, mix: KeypointMix, rng: Generator) -> Observations:
    """Draw detections of ``people``. Keypoints that the image does not show are missing."""
    count = len(people.pixels)
    strength = rng.uniform(mix.weak, mix.strong, count) * (rng.random(count) >= mix.clean)
    true = seen_pixels(people)
    noisy, models = true.copy(), _models(mix, rng, count)
    for model in dict.fromkeys(models):
        chosen = np.array(models) == model
        noisy[chosen] = with_error(true[chosen], joint_set, model, rng, strength[chosen])
    scored = rng.random(count) < mix.scored
    score = np.where(scored[:, None], scores_of_errors(noisy - true, true, rng), 1.0)
    return Observations(noisy, score * people.visible)


def _models(mix: KeypointMix, rng: Generator, count: int) -> list[str]:
    """The error model of each of ``count`` people."""
    if not mix.movenet and not mix.small:
        return [mix.model] * count
    others = (mix.movenet, mix.small)
    drawn = rng.choice(["movenet", "human36m", mix.model], size=count, p=[*others, 1 - sum(others)])
    return [str(model) for model in drawn]


def seen_pixels(people: People) -> Float64s:
    """(B, J, 2) true keypoints, unseen ones moved to the mean of the seen: errors follow the size of what is seen."""
    weight = people.visible[..., None].astype(np.float64)
    mean = (people.pixels * weight).sum(1, keepdims=True) / np.maximum(weight.sum(1, keepdims=True), 1)
    return np.where(weight > 0, people.pixels, mean).astype(np.float64, copy=False)


def with_error(pixels: Float64s, joint_set: JointSet, model: str, rng: Generator, strength: Float64s) -> Float64s:
    """Pose2Mesh's synthetic error on ``pixels`` (B, J, 2), ``strength`` (B,) times as large."""
    per_joint = np.broadcast_to(strength[:, None], pixels.shape[:2])
    if model == "human36m":
        scale = frame_scale(pixels)[:, None, None]
        return np.asarray(human36m_noise(pixels / scale, rng, per_joint, joint_set) * scale, np.float64)
    return synthetic_error(pixels, joint_set.name, None, rng, "recomputed", per_joint, model).astype(np.float64)


def scores_of_errors(error: Float64s, pixels: Float64s, rng: Generator) -> Float64s:
    """Scores as detectors give them: lower where the error is large, but never reliably so.

    ``error`` (B, J, 2) and ``pixels`` (B, J, 2) px -> (B, J).
    """
    size = np.sqrt(np.prod(pixels.max(1) - pixels.min(1), -1))[:, None]
    relative = np.linalg.norm(error, axis=-1) / np.maximum(size, 1e-6)
    return np.asarray((np.exp(-6 * relative) * rng.uniform(0.6, 1.0, relative.shape)).clip(0.05, 1))
