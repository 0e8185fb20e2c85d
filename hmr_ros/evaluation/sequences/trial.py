# SPDX-License-Identifier: Apache-2.0
"""Synthetic people over time, smoothed by what the robot runs: image by image, all people of a frame rate at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Array, Bools, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.people import Estimates
from hmr_ros.core.records import join_rows
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.engines.runtime import Engine
from hmr_ros.evaluation.sequences.ahead import Ahead, people_ahead
from hmr_ros.perception.fusion import FusingSmoother, PoseFusion
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.lifted import Lifter
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.sequences import SequenceMix, Sequences, SequenceSampler

SOURCES = {
    "true": KeypointMix(clean=1.0),
    "human36m": KeypointMix("human36m", clean=0.0, weak=1.0, strong=1.0, scored=0.0),
    "coco": KeypointMix("coco", clean=0.0, weak=1.0, strong=1.0, scored=0.0),
}
"""Sources of 2D keypoints, as in evaluation.held_out; here errors persist."""

RATES_HZ = (5.0, 10.0, 15.0, 30.0, 60.0)
IMAGES = 64

SINGLE, SMOOTHED, FUSED, FUSED_TF = "single images", "one-euro", "fusion", "fusion, TF"
"""Outputs: the lifted poses themselves, smoothed, and fused without and with the camera's turning known by TF.

All have the mean shape of their track."""

_UNFILTERED = SmoothingConfig(min_cutoff=0)
_POSES_ALONE = SmoothingConfig(position_noise=0)
"""Feet are not held: poses are compared as they come from the filter or the fusion, whatever positions do."""


@dataclass(frozen=True, eq=False)
class Output:
    """Published poses of S people in T images: metres, around the pelvis, optical frame.

    ``joints`` (S, T, 24, 3) with their ``covariance`` (S, T, 24, 3, 3) and the ``radii`` of its regions, () where
    nothing is calibrated; ``known`` (S, T) images with a pose.
    """

    joints: Floats
    covariance: Floats
    radii: tuple[float, ...]
    known: Bools


@dataclass(frozen=True, eq=False)
class Case:
    """S people seen at a frame rate with one source of keypoints, and the ``outputs`` by name.

    ``ahead``: forecasts of the fusion with the camera's turning known, beside the truth; None without a fusion.
    ``calibration`` of the fusion; None: not calibrated.
    """

    source: str
    rate_hz: float
    truth: Sequences
    outputs: Mapping[str, Output]
    ahead: Ahead | None = None
    calibration: Calibration | None = None


class Trial:
    """Runs a lifting network, the filter and, where there is one, the fusion on the same people."""

    def __init__(self, lifter: Lifter, body: BodyModel, fusion: Engine | None) -> None:
        self._lifter, self._body, self._fusion = lifter, body, fusion

    def __call__(self, motion: Motion, people: int, seed: int) -> Iterator[Case]:
        """A case for every source and frame rate; the same seed gives the same people."""
        for source, keypoints in SOURCES.items():
            for rate in RATES_HZ:
                mix = SequenceMix(images=IMAGES, rates=(rate, rate), jitter=0.0)
                sampler = SequenceSampler(motion, self._body, self._lifter.joint_set, mix, keypoints)
                truth = sampler.sample(default_rng((seed, int(rate))), people)
                yield self.case(source, rate, truth)

    def case(self, source: str, rate_hz: float, truth: Sequences) -> Case:
        """What is published of the people of ``truth``."""
        images = self._images(truth)
        names = (SINGLE, SMOOTHED, *((FUSED, FUSED_TF) if self._fusion else ()))
        outputs = {name: self._run(name, images, truth) for name in names}
        if self._fusion is None:
            return Case(source, rate_hz, truth, outputs)
        fusion = PoseFusion(self._fusion, self._body)
        ahead = people_ahead(images, truth, FusingSmoother(self._body, fusion), self._body)
        return Case(source, rate_hz, truth, outputs, ahead, self._calibration(fusion))

    def _images(self, truth: Sequences) -> list[Estimates]:
        """The single estimates of all people, image by image."""
        shape = truth.stamps.shape
        flat = (a.reshape(-1, *a.shape[2:]) for a in (truth.normalized, truth.score))
        single = self._lifter.estimates(*flat)
        return [single.take(np.arange(shape[0]) * shape[1] + image) for image in range(shape[1])]

    def _run(self, name: str, images: list[Estimates], truth: Sequences) -> Output:
        fusion = PoseFusion(self._fusion, self._body) if self._fusion and name in (FUSED, FUSED_TF) else None
        smoother = BodySmoother(self._body, _UNFILTERED if name == SINGLE else _POSES_ALONE)
        smoother.filters_pose = fusion is None
        ids, published = np.arange(len(truth)), []
        for image, estimates in enumerate(images):
            stamp = float(truth.stamps[0, image])
            turned = truth.optical_from_world[:, image] if name == FUSED_TF else None
            seen = Keypoints.of(truth.normalized[:, image], truth.score[:, image])
            fused = fusion(ids, estimates, stamp, turned, seen) if fusion else estimates
            published.append(smoother(ids, fused, stamp))
        return self._output(join_rows(published), truth.stamps.shape, self._calibration(fusion))

    def _calibration(self, fusion: PoseFusion | None) -> Calibration | None:
        own = self._lifter.calibration
        return fusion.calibration(own) if fusion else own

    def _output(self, published: Estimates, shape: tuple[int, ...], calibration: Calibration | None) -> Output:
        """``published`` image after image; its rows are put into the order ``shape``, (S, T)."""
        people, images = shape
        joints = self._body.posed_joints(published.global_orient, published.body_pose, published.betas)

        def ordered(array: Array) -> Array:
            return array.reshape(images, people, *array.shape[1:]).swapaxes(0, 1)

        return Output(
            joints=ordered(joints),
            covariance=ordered(published.joint_covariance),
            radii=calibration.joint_radii if calibration else (),
            known=ordered(published.valid),
        )
