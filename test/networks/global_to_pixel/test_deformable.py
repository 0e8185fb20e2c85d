# SPDX-License-Identifier: Apache-2.0
"""Reading by grid_sample and by products against slow loops that interpolate by hand."""

import math

import pytest
import torch

from hmr_ros.networks.global_to_pixel.deformable import (
    ROI_SAMPLES,
    ROI_SIDE,
    DeformableAttention,
    RoiAttention,
    multiplied,
    sampled,
)

SHAPES = ((16, 12), (8, 6), (4, 3))
CHANNELS = (5, 6, 7)
WIDTH = 8


def bilinear(level: torch.Tensor, u: float, v: float) -> torch.Tensor:
    """(C, H, W) at crop units (u, v) -> (C,): cell centres lie at (i + 0.5) / size, and outside is zero."""
    _, height, width = level.shape
    x, y = u * width - 0.5, v * height - 0.5
    left, top = math.floor(x), math.floor(y)
    total = torch.zeros(len(level))
    for column in (left, left + 1):
        for row in (top, top + 1):
            if 0 <= column < width and 0 <= row < height:
                total += (1 - abs(x - column)) * (1 - abs(y - row)) * level[:, row, column]
    return total


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Queries (2, 3, W), anchors in and outside the crop, and a pyramid."""
    torch.manual_seed(0)
    pyramid = [torch.randn(2, c, *shape) for c, shape in zip(CHANNELS, SHAPES, strict=True)]
    return torch.randn(2, 3, WIDTH), torch.rand(2, 3, 2) * 1.6 - 0.3, pyramid


def looped(attention: DeformableAttention, query: torch.Tensor, anchors: torch.Tensor, pyramid: list) -> torch.Tensor:
    """(B, K, W): one head, level and point at a time."""
    heads, points = attention.heads, attention.points
    out = torch.zeros(*query.shape[:2], WIDTH)
    for b in range(len(query)):
        for k in range(query.shape[1]):
            offsets = attention.offsets(query[b, k]).reshape(heads, len(pyramid), points, 2)
            weights = attention.weights(query[b, k]).reshape(heads, -1).softmax(-1).reshape(heads, -1, points)
            values = []
            for h in range(heads):
                found = [torch.zeros(c) for c in CHANNELS]
                for number, level in enumerate(pyramid):
                    height, width = level.shape[2:]
                    for p in range(points):
                        u = anchors[b, k, 0] + offsets[h, number, p, 0] / width
                        v = anchors[b, k, 1] + offsets[h, number, p, 1] / height
                        found[number] += weights[h, number, p] * bilinear(level[b], float(u), float(v))
                values.append(attention.norm(torch.cat(found)) @ attention.value[h])
            out[b, k] = attention.output(torch.cat(values))
    return out


def test_a_product_reads_what_sampling_reads_with_the_same_gradients():
    torch.manual_seed(0)
    inputs = (torch.randn(2, 5, 6, 4), torch.rand(2, 7, 3, 2) * 1.6 - 0.3, torch.randn(2, 7, 3))
    results, gradients = [], []
    for read in (sampled, multiplied):
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = read(*leaves)
        out.square().sum().backward()
        results.append(out)
        gradients.append([leaf.grad for leaf in leaves])
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_deformable_attention_is_the_loop(scene):
    attention = DeformableAttention(CHANNELS, WIDTH, heads=4, points=2)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter)
    torch.testing.assert_close(attention(*scene), looped(attention, *scene), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_roi_attention_is_the_loop(scene):
    _, anchors, pyramid = scene
    attention = RoiAttention(CHANNELS, WIDTH)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter)
    steps = [((i + 0.5) / ROI_SAMPLES - 0.5) * ROI_SIDE for i in range(ROI_SAMPLES)]
    for b in range(2):
        for k, (u, v) in enumerate(anchors[b].tolist()):
            found = [sum(bilinear(level[b], u + x, v + y) for x in steps for y in steps) for level in pyramid]
            expected = attention.output(attention.norm(torch.cat(found) / len(steps) ** 2))
            torch.testing.assert_close(attention(*scene)[b, k], expected, atol=1e-4, rtol=1e-4)


def test_heads_start_by_looking_in_different_directions():
    attention = DeformableAttention((4,), 16, heads=8, points=4)
    star = attention.offsets.bias.detach().reshape(8, 1, 4, 2)
    torch.testing.assert_close(star[0, 0, :, 0], torch.arange(1.0, 5.0))  # the first to the right, in whole cells
    assert len({tuple(direction) for direction in star[:, 0, 0].round(decimals=3).tolist()}) == 8


def test_it_learns_where_to_look(scene):
    attention = DeformableAttention(CHANNELS, WIDTH, heads=2, points=2)
    torch.nn.init.normal_(attention.output.weight)
    attention(*scene).square().sum().backward()
    assert attention.offsets.weight.grad.abs().sum() > 0
    assert attention.weights.weight.grad.abs().sum() > 0


def test_channels_must_divide_among_heads():
    with pytest.raises(ValueError, match="multiple of 3 heads, got 8"):
        DeformableAttention(CHANNELS, 8, heads=3, points=1)
