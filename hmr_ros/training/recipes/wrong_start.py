# SPDX-License-Identifier: Apache-2.0
"""Wrong estimates for the local stage of Global-to-Pixel to correct, made without any image."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_ros.networks.body_model import rot6d_to_rotmat
from hmr_ros.networks.global_to_pixel import GlobalToPixel, SmplEstimate, SmplState
from hmr_ros.training.global_to_pixel_loss import GroundTruth
from hmr_ros.training.recipes.crop_batches import Batch

WRONG_DEPTH = 0.3
"""Standard deviation of the wrong starts' relative depth, and of their translation across in m."""

MEAN_STARTS = 0.5
"""Fraction of starts that are the mean body."""


def wrong_start(network: GlobalToPixel, batch: Batch) -> SmplEstimate:
    """What the local stage starts from: the mean body, or a wrong one.

    The wrong one is what the local stage itself makes of the keypoints where the network starts from given ones, as it
    meets no other then; else a body between the ground truth and another person's. PyTorch's global generator decides
    which, so that a training step on a GPU needs nothing from the CPU.
    """
    mean = network.mean(batch.camera)
    given = network.config.start == "given"
    state = corrected_mean(network, mean, batch) if given else between_people(batch.ground_truth)
    take_mean = torch.rand(len(batch.camera), device=batch.camera.device) < MEAN_STARTS
    chosen = (torch.where(_as_column(take_mean, m), m, s) for m, s in zip(mean, state, strict=True))
    estimate: SmplEstimate = network.decoder(SmplState(*chosen), batch.camera)
    return estimate


@torch.no_grad()
def corrected_mean(network: GlobalToPixel, mean: SmplState, batch: Batch) -> SmplState:
    """What the local stage makes of the ``mean`` bodies by the keypoints of ``batch``."""
    start = network.decoder(mean, batch.camera)
    fine: SmplState = network.corrected(start, batch.keypoints, batch.camera).fine.state
    return fine


def between_people(ground_truth: GroundTruth) -> SmplState:
    """Each of B people somewhere between themselves and the person before: rotations, shape and translation."""
    count, device = len(ground_truth.betas), ground_truth.betas.device
    wrong = torch.rand(count, 1, device=device)
    rot6d = ground_truth.rotations[..., :2].flatten(-2)
    rotations = rot6d_to_rotmat(torch.lerp(rot6d, rot6d.roll(1, 0), wrong[..., None]))
    noise = WRONG_DEPTH * wrong * torch.randn(count, 3, device=device)
    scale = ground_truth.crop_cam[:, :1] * noise[:, :1].exp()
    crop_cam = torch.cat([scale, ground_truth.crop_cam[:, 1:] + noise[:, 1:]], 1)
    betas = torch.lerp(ground_truth.betas, ground_truth.betas.roll(1, 0), wrong)
    return SmplState(rotations[..., :2].flatten(-2), betas, crop_cam)


def _as_column(rows: Tensor, like: Tensor) -> Tensor:
    """``rows`` (B,) in a shape that broadcasts along the rows of ``like`` (B, ...)."""
    return rows.view(-1, *[1] * (like.ndim - 1))
