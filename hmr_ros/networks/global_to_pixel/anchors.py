# SPDX-License-Identifier: Apache-2.0
"""Where the local stage looks for each joint: at the 2D detector's keypoints, else where the global stage put it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.skeleton import HAND as HAND_JOINTS
from hmr_ros.core.skeleton import MANO, SMPL, JointSet

LOWEST, HIGHEST = -0.5, 1.5
"""Anchors are kept within half a box of the box, crop units."""

SPINE = {"pelvis": 0.0, "spine1": 0.22, "spine2": 0.52, "spine3": 0.77, "neck": 1.1}
"""How far up from the middle of the hips to that of the shoulders; of the open body at rest, as are the others."""

COLLAR = 0.14
"""How far out from the middle of the shoulders to either of them."""

HAND = 0.42
"""How far beyond the wrist, in forearms."""

TOE = 0.76
"""How far forward from the heel to the toe."""


def anchor_weights(joint_set: JointSet) -> Float32s:
    """(24, J): SMPL's joints as weighted sums of keypoints; a row of zeros where ``joint_set`` lacks one of them.

    Of MANO's keypoints (16, 21): a hand's joints are among them.
    """
    of_hand = joint_set.name == MANO.name
    joints = HAND_JOINTS if of_hand else SMPL
    mixtures = {joint: {joint: 1.0} for joint in HAND_JOINTS.joints} if of_hand else _mixtures()
    weights = np.zeros((joints.size, joint_set.size), np.float32)
    for joint, mixture in mixtures.items():
        if set(mixture) <= set(joint_set.joints):
            for keypoint, weight in mixture.items():
                weights[joints.index(joint), joint_set.index(keypoint)] = weight
    return weights


def _mixtures() -> dict[str, dict[str, float]]:
    """Weights of keypoints by SMPL joint; each sums to 1."""
    both = {"left": 0.5, "right": 0.5}
    mixtures = {
        joint: {f"{side}_hip": (1 - up) * half for side, half in both.items() if up != 1}
        | {f"{side}_shoulder": up * half for side, half in both.items() if up}
        for joint, up in SPINE.items()
    }
    mixtures["head"] = {f"{side}_ear": half for side, half in both.items()}
    for side, other in (("left", "right"), ("right", "left")):
        for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            mixtures[f"{side}_{joint}"] = {f"{side}_{joint}": 1.0}
        mixtures[f"{side}_collar"] = {f"{side}_shoulder": (1 + COLLAR) / 2, f"{other}_shoulder": (1 - COLLAR) / 2}
        mixtures[f"{side}_hand"] = {f"{side}_wrist": 1 + HAND, f"{side}_elbow": -HAND}
        mixtures[f"{side}_foot"] = {f"{side}_toe": TOE, f"{side}_heel": 1 - TOE}
    return mixtures


def masked(keypoints: Tensor) -> Tensor:
    """(B, J, 3) x, y, score -> the same about the box centre, and zeros where the score is 0."""
    x, y, score = keypoints.unbind(-1)
    return torch.where(score[..., None] > 0, torch.stack([x - 0.5, y - 0.5, score], -1), 0.0)


class Anchors(NamedTuple):
    """``places`` (B, 24, 2) crop units; ``score`` (B, 24): of the keypoints behind them, 0 where there are none."""

    places: Tensor
    score: Tensor


class KeypointAnchors(nn.Module):
    """Anchors from keypoints where all that a joint needs were seen, else from the projected joint."""

    weights: Tensor
    fraction: Tensor

    def __init__(self, joint_set: JointSet) -> None:
        super().__init__()
        weights = torch.from_numpy(anchor_weights(joint_set))
        needed = (weights != 0).float()
        self.register_buffer("weights", weights, persistent=False)
        self.register_buffer("fraction", needed / needed.sum(1, keepdim=True).clamp(min=1), persistent=False)

    def forward(self, keypoints: Tensor, projected: Tensor) -> Anchors:
        """Keypoints (B, J, 3) crop units and score, projected joints (B, 24, 2) crop units -> Anchors."""
        seen = masked(keypoints)
        centred, score = seen[..., :2], seen[..., 2:]
        # Products are written out, as autocast would round matrix products, and anchors are places.
        complete = (self.fraction * (score > 0).transpose(1, 2)).sum(2, keepdim=True) > 0.999
        places = (self.weights[..., None] * centred[:, None]).sum(2) + 0.5
        places = torch.where(complete, places, projected).clamp(LOWEST, HIGHEST)
        mean_score = (self.fraction * score.transpose(1, 2)).sum(2)
        return Anchors(places, torch.where(complete[..., 0], mean_score, 0.0))
