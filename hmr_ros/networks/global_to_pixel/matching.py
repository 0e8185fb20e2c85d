# SPDX-License-Identifier: Apache-2.0
"""Dynamic matching: which pixels stand for a joint (or for the person), by class score and keypoint distance only.

A pixel is *positive* for a unit - a joint, or the whole person - if it costs least. Positives are (B, U, k) indices of
pixels, padded with -1 where fewer than k were chosen; U is 24 or 1. Nothing here has a gradient except the loss.

Sources: the costs and their weights of Deformable DETR (Zhu et al., ICLR 2021), the dynamic number of positives of
YOLOX (Ge et al., 2021).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from hmr_ros.core.geometry.crop_view import CROP_SHAPE

CLASS_WEIGHT, PLACE_WEIGHT = 2.0, 5.0
"""Of class score and L1 distance in a pixel's cost."""

ALPHA, GAMMA = 0.25, 2
"""Of the focal loss (Lin et al., ICCV 2017)."""

REACH = 1.5
"""Fixed matching: pixels so near to the target are positive, in cells."""

REACHED = 9
"""No more pixel centres than this lie within ``REACH`` of a place."""

MOST_POSITIVES = 10
TOLERANCE = 0.05
"""Distance at which a pixel's answer is worth exp(-1/2) in counting positives, crop heights."""


class PixelPredictions(NamedTuple):
    """What P pixels predict.

    ``logits`` (B, U, P): is this the pixel of the unit? ``places`` (B, 24, P, 2): where each takes the joints to be,
    crop units. ``centres`` (P, 2): of the pixels, crop units.
    """

    logits: Tensor
    places: Tensor
    centres: Tensor


class MatchingTargets(NamedTuple):
    """``places`` (B, 24, 2): the joints in crop units. ``valid`` (B, 24) bool: those that are known."""

    places: Tensor
    valid: Tensor

    @property
    def inside(self) -> Tensor:
        """(B, 24) bool: known and in the crop, so that a pixel can stand for it."""
        return self.valid & ((self.places >= 0) & (self.places <= 1)).all(-1)


def focal_terms(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Focal loss of each of the logits (any shape): if it is a positive, and if it is a negative."""
    score = logits.sigmoid()
    positive = ALPHA * (1 - score) ** GAMMA * softplus(-logits)
    negative = (1 - ALPHA) * score**GAMMA * softplus(logits)
    return positive, negative


def distances(places: Tensor, targets: Tensor) -> Tensor:
    """Places (B, 24, P, 2) and targets (B, 24, 2) -> their L1 distances (B, 24, P), crop units."""
    return (places - targets[:, :, None]).abs().sum(-1)


def keypoint_cost(pixels: PixelPredictions, targets: MatchingTargets) -> Tensor:
    """(B, 24, P): of taking a pixel for each joint."""
    positive, negative = focal_terms(pixels.logits)
    return CLASS_WEIGHT * (positive - negative) + PLACE_WEIGHT * distances(pixels.places, targets.places)


def person_cost(pixels: PixelPredictions, targets: MatchingTargets) -> Tensor:
    """(B, 1, P): of taking a pixel for the person; its joints count in the mean."""
    positive, negative = focal_terms(pixels.logits)
    distance = _mean_over_valid(distances(pixels.places, targets.places), targets.valid)
    return CLASS_WEIGHT * (positive - negative) + PLACE_WEIGHT * distance


def _mean_over_valid(x: Tensor, valid: Tensor) -> Tensor:
    """(B, 24, P), (B, 24) -> (B, 1, P)."""
    weight = valid.to(x.dtype)[..., None]
    return (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)


def agreement(pixels: PixelPredictions, targets: MatchingTargets) -> Tensor:
    """(B, U, P) in 0..1: object keypoint similarity of each pixel's places."""
    height, width = CROP_SHAPE
    step = pixels.places - targets.places[:, :, None]
    step = step * step.new_tensor([width / height, 1.0])
    similarity = (-0.5 * step.square().sum(-1) / TOLERANCE**2).exp()
    return similarity if pixels.logits.shape[1] > 1 else _mean_over_valid(similarity, targets.valid)


def cheapest(cost: Tensor) -> Tensor:
    """Costs (B, U, P) -> (B, U, 1): the pixel of the lowest."""
    return cost.argmin(-1, keepdim=True)


def cheapest_few(cost: Tensor, similarity: Tensor) -> Tensor:
    """The dynamic number of cheapest pixels: as many as the ten best similarities sum up to, at least one.

    Costs and similarities (B, U, P) -> indices (B, U, 10), -1 where fewer are taken.
    """
    most = min(MOST_POSITIVES, cost.shape[-1])
    count = similarity.topk(most, -1).values.sum(-1).long().clamp(min=1)
    order = cost.topk(most, -1, largest=False).indices
    rank = torch.arange(most, device=cost.device)
    return torch.where(rank < count[..., None], order, -1)


def within_reach(centres: Tensor, targets: MatchingTargets, cell: Tensor) -> Tensor:
    """(P, 2), targets and the (2,) size of a pixel, crop units -> (B, 24, 9): the fixed matching of the ablation."""
    step = (centres - targets.places[:, :, None]) / cell
    distance, order = step.norm(dim=-1).topk(min(REACHED, len(centres)), -1, largest=False)
    return torch.where(distance <= REACH, order, -1)


def best_scored(logits: Tensor) -> Tensor:
    """Logits (B, U, P) -> (B, U, 1): the best scored pixel, used where no target is known."""
    return logits.argmax(-1, keepdim=True)


def unit_is_inside(pixels: PixelPredictions, targets: MatchingTargets) -> Tensor:
    """(B, U) bool: units that some pixel stands for; a person does if any of their joints is in the crop."""
    return targets.inside if pixels.logits.shape[1] > 1 else targets.inside.any(1, keepdim=True)


def unit_is_known(pixels: PixelPredictions, targets: MatchingTargets) -> Tensor:
    """(B, U) bool: units whose pixels are learned."""
    return targets.valid if pixels.logits.shape[1] > 1 else targets.valid.any(1, keepdim=True)


@torch.no_grad()
def match(pixels: PixelPredictions, targets: MatchingTargets, dynamic_k: bool) -> Tensor:
    """Positives (B, U, k) by least cost; where a unit is unknown or outside the crop, its best scored pixel."""
    cost = keypoint_cost(pixels, targets) if pixels.logits.shape[1] > 1 else person_cost(pixels, targets)
    chosen = cheapest_few(cost, agreement(pixels, targets)) if dynamic_k else cheapest(cost)
    return _or_best_scored(chosen, pixels, targets)


@torch.no_grad()
def match_fixed(pixels: PixelPredictions, targets: MatchingTargets, cell: Tensor) -> Tensor:
    """Positives (B, 24, 9) by distance alone."""
    return _or_best_scored(within_reach(pixels.centres, targets, cell), pixels, targets)


def _or_best_scored(chosen: Tensor, pixels: PixelPredictions, targets: MatchingTargets) -> Tensor:
    """Pixels ``chosen`` (B, U, k) where a unit is inside the crop, else its best scored pixel alone."""
    best = torch.full_like(chosen, -1)
    best[..., :1] = best_scored(pixels.logits)
    return torch.where(unit_is_inside(pixels, targets)[..., None], chosen, best)


def gather_mean(features: Tensor, positives: Tensor) -> Tensor:
    """(B, C, P) and (B, U, k) -> (B, U, C): mean features of each unit's pixels."""
    chosen = (positives >= 0).to(features.dtype)[:, None]
    index = positives.clamp(min=0).flatten(1)[:, None].expand(-1, features.shape[1], -1)
    picked = features.gather(2, index).unflatten(2, positives.shape[1:])
    out: Tensor = ((picked * chosen).sum(3) / chosen.sum(3)).transpose(1, 2)
    return out


def positive_mask(positives: Tensor, pixels: int) -> Tensor:
    """Positives (B, U, k) -> (B, U, P) bool, P being ``pixels``."""
    return one_hot(positives + 1, pixels + 1).any(2)[..., 1:]


def matching_loss(pixels: PixelPredictions, positives: Tensor, targets: MatchingTargets) -> tuple[Tensor, Tensor]:
    """Focal loss of the class scores and L1 of the positives' places (crop units), each per positive.

    Known joints outside the crop have no positive pixel; unknown ones are left out.

    ``positives`` (B, U, k) indices of pixels, -1 pads. Both are scalars.
    """
    inside, known = unit_is_inside(pixels, targets), unit_is_known(pixels, targets)
    mask = positive_mask(positives, pixels.logits.shape[2]) & inside[..., None]
    count = mask.sum().clamp(min=1)
    positive, negative = focal_terms(pixels.logits)
    focal = (torch.where(mask, positive, negative) * known[..., None]).sum() / count
    placed = mask & targets.valid[..., None]
    distance = distances(pixels.places, targets.places)
    return focal, (distance * placed).sum() / placed.sum().clamp(min=1)
