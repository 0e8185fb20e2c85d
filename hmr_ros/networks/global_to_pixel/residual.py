# SPDX-License-Identifier: Apache-2.0
"""Joint features -> corrections of the SMPL parameters: every joint has a small network of its own.

What bends a joint is seen at the joint and at its children, so each network reads the joint, its parent and the mean
of its children. Source of the per-joint networks: Wang and Daniilidis, "ReFit", ICCV 2023.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.skinned_model import BETAS
from hmr_ros.core.body.skinning import SMPL_TREE, Tree
from hmr_ros.networks.global_to_pixel.crop_camera import camera_features
from hmr_ros.networks.global_to_pixel.estimate import SmplState

SMALL = 0.01
"""Gain of the last layers: the local stage starts where the global stage ends."""


class LinearPerJoint(nn.Module):
    """A linear layer for each of the ``joints``, as one batched matrix product."""

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0, joints: int = SMPL_TREE.size) -> None:
        super().__init__()
        bound = gain * math.sqrt(6 / (inputs + outputs))  # Xavier
        self.weight = nn.Parameter(torch.empty(joints, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(joints, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(24, B, in) -> (24, B, out)."""
        return torch.baddbmm(self.bias, x, self.weight)


def family(tree: Tree = SMPL_TREE) -> Float32s:
    """(48, 24): rows that pick the parent (the root: the mean of all), then rows that average the children, if any."""
    parent, children = np.zeros((2, tree.size, tree.size), np.float32)
    parent[0] = 1 / tree.size
    for joint, above in enumerate(tree.parents[1:], start=1):
        parent[joint, above] = 1
        children[above, joint] = 1
    children /= np.maximum(children.sum(1, keepdims=True), 1)
    return np.concatenate([parent, children])


class ResidualHeads(nn.Module):
    """Corrections of pose, shape and camera."""

    family: Tensor

    def __init__(self, width: int, tree: Tree = SMPL_TREE) -> None:
        super().__init__()
        joints = tree.size
        hidden = 3 * width // 2
        self.register_buffer("family", torch.from_numpy(family(tree)), persistent=False)
        self.pose = nn.Sequential(
            LinearPerJoint(3 * width + 6, hidden, joints=joints),
            nn.SiLU(),
            LinearPerJoint(hidden, 6, gain=SMALL, joints=joints),
        )
        self.body = nn.Sequential(nn.Linear(width + BETAS + 6, hidden), nn.SiLU(), nn.Linear(hidden, BETAS + 3))
        last = self.body[-1]
        assert isinstance(last, nn.Linear)
        nn.init.xavier_uniform_(last.weight, gain=SMALL)
        nn.init.zeros_(last.bias)

    def forward(self, tokens: Tensor, state: SmplState, camera: Tensor) -> SmplState:
        """Tokens (B, 24, W), the state to correct and cameras (B, 3) -> the correction to add."""
        parent, children = (self.family @ tokens).chunk(2, 1)
        known = torch.cat([tokens, parent, children, state.rot6d], 2)
        rot6d = self.pose(known.transpose(0, 1)).transpose(0, 1)
        whole = torch.cat([tokens.mean(1), state.betas, state.crop_cam, camera_features(camera)], 1)
        return SmplState(rot6d, *self.body(whole).split((BETAS, 3), 1))
