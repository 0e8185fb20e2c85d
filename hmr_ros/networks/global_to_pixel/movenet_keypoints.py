# SPDX-License-Identifier: Apache-2.0
"""MoveNet's heads -> the keypoints of the person in the middle of the crop, and how sure they are.

As MoveNet reads them: the centre nearest to the middle, from there a guess of each keypoint, and the peak of its
heatmap near the guess. The heatmap around it is kept, too: where its mean lies and how wide it is says what the peak
alone does not, such as that it is one of two.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hmr_ros.networks.global_to_pixel.movenet_trunk import POINTS, Heads

CENTRE_NEAR = 1.8
"""Cells that are added to a centre's distance from the middle before scores are divided by it, MoveNet's."""

NEAR = 6.0
"""As ``CENTRE_NEAR``, for keypoints and their distance from the guess. MoveNet's is 1.8, which misses more of both
rendered people and photos: its guesses are coarser than its heatmaps."""

MIN_SCORE = 0.06
"""Keypoints of a lower score count as not found. Low scores still say something to a network that has learnt them."""

ANKLES = slice(15, 17)
"""Left and right, near which first the heels and then the toes are looked for."""

FEET_NEAR = 4.0
"""As ``NEAR``, for heels and toes."""

FEET_SCORE = 0.3
"""As ``MIN_SCORE``, for heels and toes: half of the toes are wrong, and bodies are better without the unsure ones."""


class SoftKeypoints(NamedTuple):
    """``keypoints`` (B, J, 3) crop units and score, 0 where not found; ``spread`` (B, J, 4), crop units.

    ``spread``: from the keypoint to the mean of its heatmap, x and y, then the standard deviations about that mean.
    """

    keypoints: Tensor
    spread: Tensor


def soft_keypoints(heads: Heads, feet: Tensor) -> SoftKeypoints:
    """``feet`` (B, 4, h, w): logits of heels and toes -> COCO's 17 keypoints, then left and right heel and toe."""
    centre, heatmaps, regression, offsets = (x.float() for x in heads)
    guess = _guesses(centre, regression)
    scores = heatmaps.sigmoid()
    near = scores / (_distances(guess, scores) + NEAR)
    cells = near.flatten(2).argmax(2)
    offset = values_at(offsets, cells)
    body = _described(near, scores, cells, offset, MIN_SCORE)
    return SoftKeypoints(*(torch.cat(pair, 1) for pair in zip(body, _feet(feet.float(), body), strict=True)))


def _feet(logits: Tensor, body: SoftKeypoints) -> SoftKeypoints:
    """Heels and toes, each near its ankle, at the middle of its cell; their heatmap's mean is more exact."""
    size = logits.new_tensor(logits.shape[2:])
    both = body.keypoints[:, ANKLES, :2].flip(2) * size
    ankles = torch.cat([both, both], 1)
    scores = logits.sigmoid()
    near = scores / (_distances(ankles, scores) + FEET_NEAR)
    cells = near.flatten(2).argmax(2)
    return _described(near, scores, cells, torch.full_like(ankles, 0.5), FEET_SCORE)


def _guesses(centre: Tensor, regression: Tensor) -> Tensor:
    """-> (B, 17, 2) y, x in cells: where the person nearest to the middle is said to have its keypoints."""
    cell = centre_cells(centre)
    return values_at(regression, cell.expand(-1, POINTS)) + row_column(cell, centre.shape[3])


def centre_cells(centre: Tensor) -> Tensor:
    """Logits (B, 1, h, w) -> (B, 1): the cell of the centre of the person in the middle, row by row."""
    height, width = centre.shape[2:]
    middle = centre.new_tensor([[[height / 2, width / 2]]])
    return (centre.sigmoid() / (_distances(middle, centre) + CENTRE_NEAR)).flatten(2).argmax(2)


def _distances(places: Tensor, like: Tensor) -> Tensor:
    """(B, J, 2) y, x -> (B, J, h, w) to each cell of the maps ``like``, in cells."""
    y, x = (torch.arange(n, device=like.device, dtype=like.dtype) for n in like.shape[2:])
    dy, dx = y - places[..., :1], x - places[..., 1:]
    return (dy.square()[..., None] + dx.square()[..., None, :]).sqrt()


def values_at(values: Tensor, cells: Tensor) -> Tensor:
    """(B, 2 J, h, w) read at cells (B, J) -> (B, J, 2): y, x."""
    pairs = values.unflatten(1, (-1, 2)).flatten(3)
    out: Tensor = pairs.gather(3, cells[..., None, None].expand(-1, -1, 2, -1))[..., 0]
    return out


def row_column(cells: Tensor, width: int) -> Tensor:
    """(B, J) -> (B, J, 2) y, x."""
    rows = torch.div(cells, width, rounding_mode="floor")
    return torch.stack([rows, cells - rows * width], 2).float()


def _described(near: Tensor, scores: Tensor, cells: Tensor, offset: Tensor, least: float) -> SoftKeypoints:
    """Keypoints at ``cells`` (B, J) plus ``offset`` (B, J, 2) y, x, of maps (B, J, h, w), with a score of ``least``."""
    height, width = scores.shape[2:]
    unit = scores.new_tensor([width, height])
    places = (row_column(cells, width) + offset).flip(2) / unit
    score = scores.flatten(2).gather(2, cells[..., None])
    weight = near.square()  # squared, or thousands of cells that are almost 0 would outweigh the peak
    weight = weight / weight.sum((2, 3), keepdim=True)
    moments = [_moments(weight.sum(other), count) for other, count in ((2, width), (3, height))]
    mean, deviation = (torch.stack(pair, 2) for pair in zip(*moments, strict=True))
    return SoftKeypoints(
        torch.cat([places, torch.where(score >= least, score, 0.0)], 2), torch.cat([mean - places, deviation], 2)
    )


def _moments(weight: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of weights (B, J, n) along an axis of ``count`` cells, crop units."""
    at = (torch.arange(count, device=weight.device, dtype=weight.dtype) + 0.5) / count
    mean = (weight * at).sum(2)
    return mean, (weight * (at - mean[..., None]).square()).sum(2).clamp(min=1e-12).sqrt()
