# SPDX-License-Identifier: Apache-2.0
"""Shadows on the floor take light away, and only where they fall."""

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.rendering.lights import Lights, shade_floor

CAMERA = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]], np.int32)
ONE = np.ones(3, np.float32)
SLAB = np.array([[(-0.4, 0.2, 2.8), (0.4, 0.2, 2.8), (0.4, 0.2, 3.4), (-0.4, 0.2, 3.4)]], np.float32)
"""A horizontal square a little below the camera's height; y is down."""


def shaded(grey: int, towards: tuple[float, float, float] = (0, -1, 0), floor: float = -1.0, seed: int = 0):
    image = np.full((100, 100, 3), grey, np.uint8)
    direction = np.array([towards], np.float32) / np.linalg.norm(towards)
    lamp = Lights(np.array([0, -1, 0], np.float32), ONE, ONE, direction, direction, ONE[None])
    shade_floor(image, SLAB, FACES, CAMERA, lamp, floor, np.random.default_rng(seed))
    return image


@pytest.mark.parametrize("grey", [60, 120, 250])
def test_shadows_darken_and_never_brighten(grey: int):
    for seed in range(5):
        image = shaded(grey, seed=seed)
        assert image.max() <= grey
        assert 0.15 * grey < image.min() < 0.85 * grey


def test_the_shadow_of_a_lamp_overhead_lies_below_what_casts_it():
    dark = np.argwhere(shaded(200)[..., 0] < 190)
    assert abs(dark[:, 1].mean() - 50) < 1.5
    assert 50 + 100 / 3.6 < dark[:, 0].mean() < 50 + 100 / 2.7


def test_a_lower_floor_moves_the_shadow_away_from_the_horizon():
    near, far = (np.argwhere(shaded(200, floor=floor)[..., 0] < 190)[:, 0].mean() for floor in (-0.6, -1.0))
    assert far > near + 5
