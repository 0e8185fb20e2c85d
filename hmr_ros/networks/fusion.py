# SPDX-License-Identifier: Apache-2.0
"""Fusion over time: a person's lifted poses of the last 0.8 s -> the pose now, its expected errors, and forecasts.

Poses were lifted image by image, which a small network in front of them could not improve upon; behind them it can: of
every joint it weighs the images of the window, and adds what no weighting gives. Weights sum to one, but may be
negative, so that a moving joint need not lag. Tensors are (N, T, ...), the newest image first (core/temporal/
pose_window.py). There is no state: the same windows give the same poses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hmr_ros.core.forecasts import HORIZONS_S
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.pose_window import WINDOW
from hmr_ros.networks.body_model import rot6d_to_rotmat

HORIZONS = len(HORIZONS_S)
"""Forecasts per window."""

_PERIODS = (1.0, 2.0, 4.0, 8.0)
"""Of the encoding of an image's age, in quarter turns per second."""
_POSE = SMPL.size * (6 + 3 + 1)
_LOW, _HIGH = -2.0, 2.0
"""Limits of the logarithm by which an expected error may change."""


@dataclass(frozen=True)
class FusionConfig:
    """Sizes of the fusion network."""

    width: int = setting(128, doc="features per image", low=8)
    layers: int = setting(2, doc="layers of attention between the images", low=1)
    heads: int = setting(4, doc="heads of the attention", low=1)


class _Attention(nn.Module):
    """Pre-activation layer: attention between the images of a window, then two linear layers for each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.forward_layers = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, missing: Tensor) -> Tensor:
        """(N, T, W), and (N, 1, 1, T) of large negative numbers where there is no image -> (N, T, W)."""
        q, k, v = self.query_key_value(self.first_norm(x)).unflatten(-1, (3, self.heads, -1)).unbind(2)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        weight = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + missing, -1)
        x = x + self.out((weight @ v).transpose(1, 2).flatten(2))
        out: Tensor = x + self.forward_layers(self.second_norm(x))
        return out


class FusionNet(nn.Module):
    """The whole network; its ``forward`` is exported."""

    input_names = ("rotations", "joints", "joint_error", "age", "mask", "published")
    output_names = ("fused", "fused_error", "forecast", "forecast_error")

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        width = config.width
        self.pose = nn.Linear(_POSE + 2 * len(_PERIODS) + 2, width)
        self.answers = nn.Linear(SMPL.size * 6, width, bias=False)
        self.layers = nn.ModuleList(_Attention(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.weight, self.beyond = nn.Linear(width, SMPL.size), nn.Linear(width, SMPL.size)
        self.kept = nn.Linear(width, SMPL.size)
        self.decay = nn.Parameter(torch.full((SMPL.size,), math.log(8.0)))
        self.correction = _head(width, 6 * SMPL.size)
        self.forecast = _head(width, HORIZONS * SMPL.size * 3)
        self.error = nn.Linear(width, (1 + HORIZONS) * SMPL.size)
        nn.init.zeros_(self.answers.weight)
        for layer in (self.weight, self.beyond, self.kept, self.error):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def example_inputs(self, count: int = 4) -> tuple[Tensor, ...]:
        """Windows of ``count`` people, some of them with few images."""
        generator = torch.Generator().manual_seed(0)
        rotations = rot6d_to_rotmat(torch.randn(count, WINDOW, SMPL.size, 6, generator=generator))
        joints = 0.3 * torch.randn(count, WINDOW, SMPL.size, 3, generator=generator)
        error = 0.05 + 0.1 * torch.rand(count, WINDOW, SMPL.size, generator=generator)
        age = 0.1 * torch.arange(WINDOW).expand(count, -1)
        mask = (torch.arange(WINDOW) <= 3 * torch.arange(count)[:, None]).float()
        published = rot6d_to_rotmat(torch.randn(count, WINDOW - 1, SMPL.size, 6, generator=generator))
        return rotations, joints, error, age * mask, mask, published

    def hidden(
        self, rotations: Tensor, joints: Tensor, joint_error: Tensor, age: Tensor, mask: Tensor, published: Tensor
    ) -> Tensor:
        """The inputs of ``forward`` -> features (N, T, W) of the images."""
        phase = age[..., None] * torch.tensor(_PERIODS, device=age.device) * (math.pi / 2)
        pose = (rotations[..., :2].flatten(2), 2 * joints.flatten(2), 0.5 * (joint_error.log() + 3))
        time = (torch.sin(phase), torch.cos(phase), torch.log1p(20 * age)[..., None], (age == 0).float()[..., None])
        x = self.pose(torch.cat([*pose, *time], -1)) + self.answers(_corrections(rotations, mask, published))
        missing = (mask - 1)[:, None, None, :] * 1e4
        for layer in self.layers:
            x = layer(x, missing)
        out: Tensor = self.norm(x)
        return out

    def forward(
        self, rotations: Tensor, joints: Tensor, joint_error: Tensor, age: Tensor, mask: Tensor, published: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Windows as in PoseWindows.

        Fused rotations (N, 24, 3, 3) and expected errors (N, 24) m of the joints; how far the joints will have moved
        at each horizon (N, 3, 24, 3) m around the pelvis, with the expected errors (N, 3, 24) m of where they will be.
        """
        mask = (mask > 0.5).to(age.dtype)
        hidden = self.hidden(rotations, joints, joint_error, age, mask, published)
        weight = self._weights(hidden, age, mask)
        mean = (weight[..., None] * rotations[..., :2].flatten(3)).sum(1)
        kept = self.kept(hidden[:, 1:]) * mask[:, 1:, None]
        mean = mean + (kept[..., None] * (published[..., :2].flatten(3) - mean[:, None])).sum(1)
        newest = hidden[:, 0]
        fused = rot6d_to_rotmat(mean + self.correction(newest).unflatten(-1, (SMPL.size, 6)))
        forecast = self.forecast(newest).unflatten(-1, (HORIZONS, SMPL.size, 3))
        change = self.error(newest.detach()).unflatten(-1, (1 + HORIZONS, SMPL.size)).clamp(_LOW, _HIGH)
        error = joint_error[:, :1] * torch.exp(change)
        return fused, error[:, 0], forecast - forecast[:, :, :1], 2 * error[:, 1:]

    def _weights(self, hidden: Tensor, age: Tensor, mask: Tensor) -> Tensor:
        """(N, T, 24) weights of the images for each joint, which sum to one."""
        present = mask[..., None]
        logit = self.weight(hidden) - self.decay.exp() * age[..., None]
        weight = torch.softmax(logit + (present - 1) * 1e4, 1)
        beyond = self.beyond(hidden) * present
        out: Tensor = weight + beyond - present * beyond.sum(1, keepdim=True) / present.sum(1, keepdim=True)
        return out


def _corrections(rotations: Tensor, mask: Tensor, published: Tensor) -> Tensor:
    """(N, T, 144): by how much the answer to each image differed from it, and the last answer from the newest image.

    Zeros where there is no answer.
    """
    answers = torch.cat([published[:, :1], published], 1)
    known = torch.cat([mask[:, 1:2], mask[:, 1:]], 1)
    return (answers - rotations)[..., :2].flatten(2) * known[..., None]


def _head(width: int, outputs: int) -> nn.Sequential:
    """Two linear layers, of which the second begins at zero."""
    last = nn.Linear(2 * width, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), last)
