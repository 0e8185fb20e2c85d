# SPDX-License-Identifier: Apache-2.0
import torch
from torch.nn.functional import avg_pool2d, interpolate

from hmr_ros.networks.global_to_pixel.pixels import GRID, PixelFeatures


@torch.no_grad()
def test_levels_are_mixed_as_if_side_by_side():
    torch.manual_seed(0)
    features = PixelFeatures((3, 4, 5, 6), 8)
    shapes = ((64, 48), (32, 24), (16, 12), (8, 6))
    fine, middle, *coarse = (torch.randn(2, c, *shape) for c, shape in zip((3, 4, 5, 6), shapes, strict=True))
    enlarged = (interpolate(level, size=GRID, mode="bilinear") for level in coarse)
    expected = features.body(torch.cat([avg_pool2d(fine, 2), middle, *enlarged], 1)).flatten(2)
    torch.testing.assert_close(features((fine, middle, *coarse)), expected)
