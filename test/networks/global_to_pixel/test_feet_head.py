# SPDX-License-Identifier: Apache-2.0
"""Heels and toes from MoveNet's maps."""

import torch

from hmr_ros.networks.global_to_pixel.feet_head import FeetHead
from hmr_ros.networks.global_to_pixel.movenet_trunk import CHANNELS, PYRAMID, Heads, Maps


def maps(seed: int = 0) -> Maps:
    generator = torch.Generator().manual_seed(seed)
    levels = tuple(
        torch.randn(2, channels, 64 >> k, 48 >> k, generator=generator) for k, channels in enumerate(CHANNELS)
    )
    heads = Heads(*(torch.randn(2, channels, 64, 48, generator=generator) for channels in (1, 17, 34, 34)))
    return Maps(levels, torch.randn(2, PYRAMID, 64, 48, generator=generator), heads)


def test_an_untrained_head_finds_no_feet():
    torch.manual_seed(0)
    logits = FeetHead()(maps())
    assert logits.shape == (2, 4, 64, 48)
    assert (logits.sigmoid() < 0.02).all()


def test_it_reads_what_lies_below_the_pyramid_and_the_heatmaps_of_knees_and_ankles():
    torch.manual_seed(0)
    head, seen = FeetHead(), maps()
    torch.nn.init.normal_(head.near[-1].weight)
    expected = head(seen)

    def changed(**changes: object) -> bool:
        return bool((head(seen._replace(**changes)) - expected).abs().max() > 1e-4)

    for k in range(4):
        levels = tuple(level + (n == k) * level.roll(1, 2) for n, level in enumerate(seen.levels))
        assert changed(levels=levels) == (k < 3), "the coarsest is of no use for a foot"
    for joint, read in ((0, False), (12, False), (13, True), (16, True)):
        heatmaps = seen.heads.heatmaps.clone()
        heatmaps[:, joint] += 5
        assert changed(heads=seen.heads._replace(heatmaps=heatmaps)) == read
    assert changed(pyramid=-seen.pyramid)
