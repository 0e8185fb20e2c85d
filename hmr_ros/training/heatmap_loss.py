# SPDX-License-Identifier: Apache-2.0
"""The losses of MoveNet's heads while Global-to-Pixel trains them along.

On rendered people: CenterNet's focal loss of the heatmaps (Zhou et al., "Objects as Points", 2019), cross-entropy over
the cells, and L1 of the regression and the offsets. On photos, which have no labels: what MoveNet said of them before,
so that it does not forget what real people look like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, logsigmoid, smooth_l1_loss

from hmr_ros.core.settings import setting
from hmr_ros.networks.global_to_pixel.features import Features
from hmr_ros.networks.global_to_pixel.movenet_keypoints import centre_cells, row_column, values_at
from hmr_ros.networks.global_to_pixel.movenet_trunk import POINTS, Heads
from hmr_ros.training.global_to_pixel_loss import GroundTruth

BLUR = 1.5
"""Standard deviation of the peak that a heatmap should have, cells."""

HARD_NEGATIVES, NEAR_PEAK = 2, 4
"""The focal loss's exponents: of the score, and of the distance from the peak's height."""

OF_VALUES = 0.1
"""Of regression and offsets, beside the scores, on photos."""


@dataclass(frozen=True)
class HeatmapLossConfig:
    """Weights of the losses of MoveNet's heads."""

    focal: float = setting(0.5, doc="of the heatmaps", low=0)
    cells: float = setting(0.25, doc="cross-entropy of the keypoint's cell", low=0)
    regression: float = setting(0.05, doc="of keypoints from the centre, cells", low=0)
    offset: float = setting(0.25, doc="of keypoints from their cell, cells", low=0)
    photos: float = setting(0.5, doc="of what the untrained network says of photos", low=0)


class Targets(NamedTuple):
    """Where keypoints are in maps of h x w cells.

    ``places`` (B, J, 2) x, y in cells; ``cells`` (B, J) their number, row by row; ``seen`` (B, J) those that are
    visible and in the map; ``known`` (B, J) those and the ones beyond the map: the others are hidden by something, and
    a heatmap may show them or not.
    """

    places: Tensor
    cells: Tensor
    seen: Tensor
    known: Tensor


def heatmap_losses(features: Features, ground_truth: GroundTruth, weights: HeatmapLossConfig) -> dict[str, Tensor]:
    """Weighted terms of ``features`` with heads, of people whose keypoints are coco17's or coco_feet's."""
    assert features.heads is not None, "only MoveNet has heads"
    heads = Heads(*(x.float() for x in features.heads))
    logits = features.heatmaps(ground_truth.places.shape[1]).float()
    targets = targets_in(ground_truth, logits)
    body = Targets(*(x[:, :POINTS] for x in targets))
    return {
        "heat_focal": weights.focal * focal(logits, targets),
        "heat_cells": weights.cells * cell_loss(logits, targets),
        "heat_regression": weights.regression * regression_loss(heads, body),
        "heat_offset": weights.offset * offset_loss(heads.offsets, body),
    }


def targets_in(ground_truth: GroundTruth, maps: Tensor) -> Targets:
    """The keypoints of ``ground_truth`` in ``maps`` (B, J, h, w)."""
    height, width = maps.shape[2:]
    places = ground_truth.places * maps.new_tensor([width, height])
    inside = ((ground_truth.places >= 0) & (ground_truth.places < 1)).all(2)
    columns, rows = (places[..., axis].long().clamp(0, n - 1) for axis, n in ((0, width), (1, height)))
    seen = inside & (ground_truth.visible > 0)
    return Targets(places, rows * width + columns, seen, seen | ~inside)


def focal(logits: Tensor, targets: Targets) -> Tensor:
    """CenterNet's loss of (B, J, h, w), per keypoint that is seen."""
    wanted = _peaks(logits, targets)
    positive = torch.zeros_like(logits).flatten(2).scatter(2, targets.cells[..., None], 1.0).view_as(logits)
    positive = positive * targets.seen[..., None, None]
    score = logits.sigmoid()
    found = (1 - score).pow(HARD_NEGATIVES) * logsigmoid(logits)
    absent = (1 - wanted).pow(NEAR_PEAK) * score.pow(HARD_NEGATIVES) * logsigmoid(-logits)
    loss = torch.where(positive > 0, found, absent) * targets.known[..., None, None]
    return -loss.sum() / targets.seen.sum().clamp(min=1)


def _peaks(maps: Tensor, targets: Targets) -> Tensor:
    """(B, J, h, w) bells around the keypoints that are seen, 1 at their middle."""
    y, x = (torch.arange(n, device=maps.device) + 0.5 for n in maps.shape[2:])
    across = (x - targets.places[..., :1]).square()
    along = (y - targets.places[..., 1:]).square()
    bells = torch.exp(-(along[..., None] + across[..., None, :]) / (2 * BLUR**2))
    return bells * targets.seen[..., None, None]


def cell_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Cross-entropy over the cells of (B, J, h, w), mean of the keypoints that are seen."""
    each = cross_entropy(logits.flatten(2).flatten(0, 1), targets.cells.flatten(), reduction="none")
    return _mean(each.view_as(targets.seen), targets.seen)


def regression_loss(heads: Heads, targets: Targets) -> Tensor:
    """Smooth L1, cells, of keypoints from the centre that is taken for the person's."""
    cell = centre_cells(heads.centre)
    steps = values_at(heads.regression, cell.expand(-1, POINTS))
    wanted = targets.places.flip(2) - row_column(cell, heads.centre.shape[3])
    return _mean(smooth_l1_loss(steps, wanted, reduction="none").sum(2), targets.seen)


def offset_loss(offsets: Tensor, targets: Targets) -> Tensor:
    """L1, cells, of keypoints from the corner of the cell that they are in."""
    wanted = (targets.places - targets.places.floor()).flip(2)
    return _mean((values_at(offsets, targets.cells) - wanted).abs().sum(2), targets.seen)


def forgetting(heads: Heads, before: Heads) -> Tensor:
    """How far ``heads`` differ from what they said ``before``, per keypoint: 0 where they are the same."""
    now, then = (Heads(*(x.float() for x in of)) for of in (heads, before))
    centres = _changed(now.centre, now.regression, then.centre, then.regression)
    return centres + _changed(now.heatmaps, now.offsets, then.heatmaps, then.offsets)


def _changed(logits: Tensor, values: Tensor, logits_before: Tensor, values_before: Tensor) -> Tensor:
    """Divergence of scores (B, 1 or J, h, w), and L1 of values (B, 2 J, h, w) in cells, where scores were high."""
    score = logits_before.sigmoid()
    divergence = binary_cross_entropy_with_logits(logits, score, reduction="sum")
    divergence = divergence - binary_cross_entropy_with_logits(logits_before, score, reduction="sum")
    error = (values - values_before).unflatten(1, (-1, 2)).abs().sum(2)
    weight = score.expand_as(error)
    moved: Tensor = (error * weight).sum() / weight.sum().clamp(min=1e-6)
    return divergence / score.shape[:2].numel() + OF_VALUES * moved


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the ``chosen`` (B, J) values; 0 of none."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
