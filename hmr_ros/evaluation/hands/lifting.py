# SPDX-License-Identifier: Apache-2.0
"""Points of right hands -> their meshes, by a Pose2Mesh on hands, as at run time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.hand_model import SIDES, HandModel
from hmr_ros.core.camera import Camera
from hmr_ros.core.skeleton import MANO
from hmr_ros.engines.runtime import Engine
from hmr_ros.evaluation.hands.freihand import FreiHandReport, HandMeshes, evaluate_freihand
from hmr_ros.perception.hand_meshes import HandLifter
from hmr_ros.perception.hands import Hands
from hmr_ros.training.datasets.freihand import FreiHand, read_freihand

UNIT_CAMERA = Camera(np.eye(3), 1, 1)
"""Its px are normalized image coordinates."""

_AT_ONCE = 64


def right_hands(points: Floats, world: Floats | None = None) -> Hands:
    """Right hands of as many people, with ``points`` (N, 21, 2) px, and a detector's own 3D (N, 21, 3) m if known."""
    count, right = len(points), SIDES.index("right")
    hands = Hands.unseen(np.arange(count))
    hands.points[:, right], hands.world[:, right] = points, 0 if world is None else world
    hands.scores[:, right] = hands.side_scores[:, right] = 1
    return hands


def lifted_freihand(people: FreiHand, pixels: Floats, lifter: Engine, hand: HandModel) -> HandMeshes:
    """What ``lifter`` makes of the 2D joints ``pixels`` (N, 21, 2) of ``people``; ``hand`` is the open hand.

    Raises ValueError where there is not one row for each of the people.
    """
    if pixels.shape != (len(people), MANO.size, 2):
        raise ValueError(f"expected 2D joints ({len(people)}, 21, 2), got {pixels.shape}")
    homogeneous = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)
    normalized = (homogeneous @ np.linalg.inv(people.K.astype(np.float64)).swapaxes(1, 2))[..., :2]
    lift = HandLifter(lifter, hand)
    parts = [
        lift(right_hands(normalized[first : first + _AT_ONCE]), UNIT_CAMERA)
        for first in range(0, len(people), _AT_ONCE)
    ]
    return HandMeshes(np.concatenate([p.joints for p in parts]), np.concatenate([p.vertices for p in parts]))


def read_evaluated(root: Path, split: str) -> FreiHand:
    """The hands of FreiHAND in ``root`` that are scored: each once, with its vertices."""
    return read_freihand(root, split, versions=("gs",), with_vertices=True)


def scored(predicted: HandMeshes, people: FreiHand) -> FreiHandReport:
    """The scores of ``predicted`` hands beside what is true of ``people``."""
    return evaluate_freihand(predicted, HandMeshes(people.keypoints, people.vertices))


def read_pixels(path: Path) -> Floats:
    """2D joints (N, 21, 2) px from a JSON array in the order of the images; ValueError names the file."""
    try:
        return np.array(json.loads(path.read_text(encoding="utf-8")), np.float64).reshape(-1, MANO.size, 2)
    except (OSError, ValueError, TypeError) as err:
        raise ValueError(f"{path}: expected 2D joints (N, 21, 2) px as a JSON array ({err})") from err
