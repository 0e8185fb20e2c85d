# SPDX-License-Identifier: Apache-2.0
"""Training hands of FreiHAND: meshes of its parameters, and their joints in the image with drawn errors.

The meshes are those of MANO's parameters, not of the gigabyte of vertices in JSON, which are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.training.datasets.freihand import VERSIONS, FreiHand, read_freihand
from hmr_ros.training.synthetic.hands import HandBatch, HandMix, point_errors

_COMPARED = 32
"""Samples whose joints must be those of the hand model."""

_AGREEMENT_M = 0.005
"""Largest mean distance of these joints; those of MANO agree within rounding, those of another hand do not."""


class FreiHandSampler:
    """Draws of FreiHAND's samples; the same generator draws the same."""

    def __init__(self, people: FreiHand, hand: HandModel, mix: HandMix) -> None:
        """``hand``: the right hand that the parameters belong to; ``mix`` says how far points are off.

        Raises ValueError where the parameters are absent, or are those of another hand model.
        """
        if len(people) == 0 or not np.isfinite(people.pose).all():
            raise ValueError("FreiHAND: MANO's parameters are absent; *_mano.json, *_xyz.json and *_K.json are read")
        self._people, self._hand, self._mix = people, hand, mix
        some = people.take(np.arange(min(_COMPARED, len(people))))
        off = np.linalg.norm(hand.keypoints(some.posed(hand)) - some.keypoints, axis=-1).mean()
        if not off < _AGREEMENT_M:
            raise ValueError(
                f"FreiHAND: the joints of MANO's parameters are {1000 * off:.0f} mm off with this hand model; set "
                "freihand.hand to MANO's right hand (hmr convert-smpl MANO_RIGHT.pkl mano_right.npz)"
            )

    def sample(self, rng: Generator, count: int) -> HandBatch:
        """``count`` hands with errors in their points."""
        return self._rows(rng, rng.integers(0, len(self._people), count))

    def _rows(self, rng: Generator, rows: Ints) -> HandBatch:
        people = self._people.take(rows)
        posed = people.posed(self._hand)
        joints = self._hand.keypoints(posed)
        exact = _normalized(people)
        arrays = (posed.vertices, joints, exact + point_errors(self._mix, rng, exact), np.ones(exact.shape[:2]), exact)
        return HandBatch(*(np.asarray(array, np.float32) for array in (*arrays, np.zeros_like(joints))))


def _normalized(people: FreiHand) -> Floats:
    """(N, 21, 2) x/z and y/z of the annotated joints."""
    points = people.keypoints.astype(np.float64)
    return np.asarray(points[..., :2] / points[..., 2:])


def freihand_sampler(
    root: Path, split: str, hand: HandModel, mix: HandMix, versions: Sequence[str] = VERSIONS
) -> FreiHandSampler:
    """The samples below ``root`` to train on ("train") or to validate with ("val", the evaluation set)."""
    name = {"train": "training", "val": "evaluation"}[split]
    return FreiHandSampler(read_freihand(root, name, versions), hand, mix)
