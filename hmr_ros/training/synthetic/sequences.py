# SPDX-License-Identifier: Apache-2.0
"""Synthetic people over time: motion in front of a camera that may turn, seen at 5 to 60 Hz by an imperfect detector.

Training of the fusion over time and ``hmr evaluate --sequences`` share it. A function of a numpy Generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float32s, Floats, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinning import chained_joints, world_rotations
from hmr_ros.core.forecasts import HORIZONS_S
from hmr_ros.core.records import Record
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.cameras import CameraMix, Views, sample_views
from hmr_ros.training.synthetic.keypoints import KeypointMix, scores_of_errors
from hmr_ros.training.synthetic.people import ShapeMix, sample_betas
from hmr_ros.training.synthetic.persistence import Clock, Persistence, persistent_error
from hmr_ros.training.synthetic.stretches import LEVEL, Stretches, sample_stretches
from hmr_ros.training.synthetic.visibility import OcclusionMix, occlusion_over_time

_NEAREST_M = 0.2


@dataclass(frozen=True)
class SequenceMix:
    """Everything that is random about sequences."""

    images: int = setting(64, doc="images per sequence", low=3)
    rates: tuple[float, ...] = setting((5.0, 60.0), doc="smallest and largest frame rate in Hz", low=0.5, high=240)
    jitter: float = setting(0.1, doc="largest error of an interval between stamps, as a fraction", low=0, high=0.9)
    gaps: float = setting(0.5, doc="fraction of sequences that lose images", low=0, high=1)
    lost: float = setting(0.4, doc="largest fraction of images that these lose", low=0, high=0.9)
    turning: float = setting(0.3, doc="fraction of cameras that turn", low=0, high=1)
    turn_rate: float = setting(1.0, doc="largest speed of their turning in rad/s", low=0, high=5)
    hidden_s: float = setting(1.0, doc="time constant in s of what occluders hide", low=0.05)
    persistence: Persistence = field(default_factory=Persistence)
    shapes: ShapeMix = field(default_factory=ShapeMix)
    cameras: CameraMix = field(default_factory=CameraMix)
    occlusion: OcclusionMix = field(default_factory=OcclusionMix)


@dataclass(frozen=True, eq=False)
class Sequences(Record):
    """S people in T images each; metres, the optical frame of each image.

    ``stamps`` (S, T) s; ``normalized`` (S, T, J, 2) keypoints and their ``score`` (S, T, J), 0: missing; ``rotations``
    (S, T, 24, 3, 3): the root to optical, the others child to parent; ``joints`` (S, T, 24, 3) around the pelvis;
    ``pelvis`` (S, T, 3); ``future`` (S, T, 3, 24, 3): around the pelvis, at HORIZONS_S after the image, in its axes;
    ``future_pelvis`` (S, T, 3, 3): there and then, in the optical frame of the image; ``known`` (S, T, 4): whether the
    motion goes on so far, now and at each horizon; ``optical_from_world`` (S, T, 3, 3); ``betas`` (S, 10); ``clip``
    (S,) of the motion.
    """

    stamps: Floats
    normalized: Floats
    score: Floats
    rotations: Floats
    joints: Floats
    pelvis: Floats
    future: Float32s
    future_pelvis: Float32s
    known: Bools
    optical_from_world: Floats
    betas: Floats
    clip: Int64s


@dataclass(frozen=True, eq=False)
class _Seen:
    """``pixels`` (S, T, J, 2) of true keypoints and which are ``visible`` (S, T, J)."""

    pixels: Floats
    visible: Bools


class SequenceSampler:
    """Draws ``Sequences`` from a motion file and a body model."""

    def __init__(
        self, motion: Motion, body: BodyModel, joint_set: str, mix: SequenceMix, keypoints: KeypointMix
    ) -> None:
        self.joint_set, self._motion, self._mix, self._keypoints = JOINT_SETS[joint_set], motion, mix, keypoints
        regressor = body.regressor(joint_set)
        used = np.flatnonzero(np.abs(regressor).sum(0) > 0)
        self._regressor, self._body, self._numpy_body = regressor[:, used], TorchBodyModel(body, used), body

    def sample(self, rng: Generator, count: int) -> Sequences:
        """``count`` sequences."""
        mix = self._mix
        betas = sample_betas(mix.shapes, rng, count)
        rest = self._numpy_body.rest_joints(betas).astype(np.float64)
        path = sample_stretches(self._motion, rest, mix.images, mix.rates, mix.jitter, HORIZONS_S, rng)
        views, optical_from_world = self._cameras(path, betas, rng)
        now, later = path.now(mix.images), path.later(mix.images)
        eye = -(views.rotation.transpose(0, 2, 1) @ views.translation[..., None])[..., 0]
        rotations, pelvis = _in_optical(now, optical_from_world, eye)
        surface = self._surface(rotations, betas) + pelvis[:, :, None]
        seen = self._seen(surface, views, path.stamps, rng)
        pixels, score = self._detected(seen, path.stamps, rng)
        return Sequences(
            stamps=path.stamps,
            normalized=views.to_normalized(pixels.astype(np.float64).reshape(count, -1, 2)).reshape(pixels.shape),
            score=score * now.known[..., None],
            rotations=rotations,
            joints=chained_joints(world_rotations(rotations), rest[:, None]),
            pelvis=pelvis,
            future=_future(later, optical_from_world, rest),
            future_pelvis=_future_pelvis(later, optical_from_world, eye),
            known=np.concatenate([now.known[..., None], later.known], -1),
            optical_from_world=optical_from_world,
            betas=betas,
            clip=path.clip,
        )

    @torch.no_grad()
    def _surface(self, rotations: Floats, betas: Floats) -> Floats:
        """(S, T, J, 3) keypoints in 3D around the pelvis."""
        local = torch.from_numpy(rotations.reshape(-1, *rotations.shape[2:]).astype(np.float32))
        shapes = torch.from_numpy(np.repeat(betas, rotations.shape[1], 0).astype(np.float32))
        vertices = self._body.posed(local[:, 0], local[:, 1:], shapes).vertices.numpy()
        return np.asarray((self._regressor @ vertices).reshape(*rotations.shape[:2], -1, 3), np.float64)

    def _cameras(self, path: Stretches, betas: Floats, rng: Generator) -> tuple[Views, Floats]:
        """A camera for each person as they are in the middle of the sequence, and its axes (S, T, 3, 3) over time."""
        now = path.now(self._mix.images)
        rows, middle = np.arange(len(betas)), now.known.sum(1) // 2
        points = self._surface(now.rotations[rows, middle][:, None], betas)[:, 0] + now.pelvis[rows, middle][:, None]
        low, high = points.min(1), points.max(1)
        views = sample_views(self._mix.cameras, (low + high) / 2, (high - low).max(1) + 0.1, rng)
        turn = _turning(path.stamps, rows, middle, self._mix, rng)
        return views, views.rotation[:, None] @ turn

    def _seen(self, surface: Floats, views: Views, stamps: Floats, rng: Generator) -> _Seen:
        count, images, joints = surface.shape[:3]
        pixels = views.to_pixels(surface.reshape(count, -1, 3))
        inside = (views.inside(pixels) & (surface[..., 2].reshape(count, -1) > _NEAREST_M)).reshape(surface.shape[:3])
        pixels = pixels.reshape(count, images, joints, 2)
        clock = Clock(np.diff(stamps, axis=1), np.full((count, joints), self._mix.hidden_s))
        shown = occlusion_over_time(pixels, self.joint_set, self._mix.occlusion, clock.held, rng)
        return _Seen(pixels, inside & shown)

    def _detected(self, seen: _Seen, stamps: Floats, rng: Generator) -> tuple[Floats, Floats]:
        """(S, T, J, 2) px and (S, T, J) scores, 0 where a keypoint or the whole image is missing."""
        mix, count = self._keypoints, len(stamps)
        weight = seen.visible[..., None].astype(np.float64)
        mean = (seen.pixels * weight).sum(2, keepdims=True) / np.maximum(weight.sum(2, keepdims=True), 1)
        true = np.where(weight > 0, seen.pixels, mean)
        strength = rng.uniform(mix.weak, mix.strong, count) * (rng.random(count) >= mix.clean)
        clock = Clock.drawn(stamps, self.joint_set.size, self._mix.persistence, rng)
        noisy = persistent_error(true, self.joint_set, mix.model, strength, clock, self._mix.persistence, rng)
        error, people = (a.reshape(-1, *a.shape[2:]).astype(np.float64) for a in (noisy - true, true))
        scores = scores_of_errors(error, people, rng).reshape(true.shape[:3])
        scored = (rng.random(count) < mix.scored)[:, None, None]
        return noisy, np.where(scored, scores, 1.0) * seen.visible * ~self._lost(stamps, rng)[..., None]

    def _lost(self, stamps: Floats, rng: Generator) -> Bools:
        """(S, T) images without a detection."""
        fraction = rng.uniform(0, self._mix.lost, (len(stamps), 1)) * (rng.random((len(stamps), 1)) < self._mix.gaps)
        draws = rng.random((*stamps.shape, 1, 1))
        held = Clock.drawn(stamps, 1, self._mix.persistence, rng).held(draws, rng)[..., 0, 0]
        long = rng.random((len(stamps), 1)) < 0.5
        return np.asarray(np.where(long, held, rng.random(stamps.shape)) < fraction)


def _in_optical(now: Stretches, optical_from_world: Floats, eye: Floats) -> tuple[Floats, Floats]:
    """Rotations (S, T, 24, 3, 3) with the root to optical, and the pelvis (S, T, 3) m, of people in the world.

    ``eye`` (S, 3) m: where their cameras are.
    """
    rotations = now.rotations.copy()
    rotations[:, :, 0] = optical_from_world @ rotations[:, :, 0]
    pelvis = (optical_from_world @ (now.pelvis - eye[:, None])[..., None])[..., 0]
    return rotations, pelvis


def _future(later: Stretches, optical_from_world: Floats, rest: Floats) -> Float32s:
    """(S, T, 3, 24, 3) joints around the pelvis at HORIZONS_S, in the axes of each image."""
    joints = chained_joints(world_rotations(later.rotations), rest[:, None, None])
    return (joints @ optical_from_world[:, :, None].swapaxes(-1, -2)).astype(np.float32)


def _future_pelvis(later: Stretches, optical_from_world: Floats, eye: Floats) -> Float32s:
    """(S, T, 3, 3) m at HORIZONS_S, in the optical frame of each image."""
    from_eye = later.pelvis - eye[:, None, None]
    return (from_eye @ optical_from_world.swapaxes(-1, -2)).astype(np.float32)


def _turning(stamps: Floats, rows: Int64s, middle: Int64s, mix: SequenceMix, rng: Generator) -> Floats:
    """(S, T, 3, 3) rotations of the camera about the vertical, swinging around its aim in the ``middle`` image."""
    count = len(stamps)
    speed = rng.uniform(0, mix.turn_rate, (count, 1)) * (rng.random((count, 1)) < mix.turning)
    omega = 2 * np.pi * np.exp(rng.uniform(np.log(0.1), np.log(1.0), (count, 1)))
    phase = omega * stamps + rng.uniform(0, 2 * np.pi, (count, 1))
    swing = speed / omega * np.sin(phase)
    angle = swing - swing[rows, middle][:, None]
    cosine, sine = np.cos(angle), np.sin(angle)
    out = np.broadcast_to(LEVEL, (*angle.shape, 3, 3)).copy()
    out[..., 0, 0], out[..., 0, 2], out[..., 2, 0], out[..., 2, 2] = cosine, sine, -sine, cosine
    return out
