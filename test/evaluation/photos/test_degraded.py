# SPDX-License-Identifier: Apache-2.0
"""Degraded copies of photos are what their names say, and always the same."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.core.arrays import Image
from hmr_ros.evaluation.photos.degraded import DEGRADATIONS


def photo() -> Image:
    """A bright square on a coloured ground."""
    image = np.full((80, 120, 3), (40, 90, 140), np.uint8)
    image[20:60, 40:80] = (250, 220, 180)
    return image


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_copies_have_the_same_size_and_are_repeatable(name: str) -> None:
    image = photo()
    copy, again = DEGRADATIONS[name](image), DEGRADATIONS[name](image)
    assert copy.shape == image.shape
    assert copy.dtype == np.uint8
    assert (copy != image).any()
    np.testing.assert_array_equal(copy, again)
    np.testing.assert_array_equal(image, photo(), "the photo itself is not touched")


@pytest.mark.parametrize("name", ["grey", "grainy", "infrared"])
def test_colourless_copies_have_equal_channels(name: str) -> None:
    copy = DEGRADATIONS[name](photo())
    assert (copy == copy[..., :1]).all()


def test_dark_copies_keep_an_eighth_of_the_light() -> None:
    assert DEGRADATIONS["dark"](photo()).mean() == pytest.approx(photo().mean() / 8, rel=0.05)


def test_grain_is_noise_about_the_grey_copy() -> None:
    noise = DEGRADATIONS["grainy"](photo())[:15].astype(float) - DEGRADATIONS["grey"](photo())[:15]
    assert abs(noise.mean()) < 2
    assert noise.std() == pytest.approx(25, rel=0.1)


def test_blurred_edges_are_soft() -> None:
    row = DEGRADATIONS["blurred"](photo())[40, 34:46, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 250 - 40


def test_infrared_light_falls_off_towards_the_corners() -> None:
    ground = DEGRADATIONS["infrared"](photo())[..., 0].astype(float)
    assert ground[:10, :10].mean() < ground[62:72, 50:70].mean()
