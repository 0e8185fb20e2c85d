# SPDX-License-Identifier: Apache-2.0
"""The image that a network searches: its size, and how it is resized."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.perception.search_input import input_size, resize, search_input


@pytest.mark.parametrize(
    ("image", "expected"),
    [((1280, 720), (640, 352)), ((720, 1280), (352, 640)), ((512, 512), (480, 480)), ((4000, 20), (6720, 32))],
)
def test_input_size_keeps_the_aspect(image: tuple[int, int], expected: tuple[int, int]) -> None:
    assert input_size(*image, 640 * 352) == expected


def test_resize_does_not_alias() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize(stripes, (96, 64))
    assert small.shape == (64, 96, 3)
    assert abs(small.astype(float) - 127.5).max() < 3
    np.testing.assert_array_equal(resize(stripes[:64, :96], (96, 64)), stripes[:64, :96])


@pytest.mark.parametrize(("pixels", "size"), [(64 * 96, (64, 96)), (10**6, (192, 256))])
def test_an_image_comes_with_its_px_per_px_searched_and_is_enlarged_to_twice_its_pixels(
    pixels: int, size: tuple[int, int]
) -> None:
    image = np.zeros((128, 192, 3), np.uint8)
    image[:, 96:] = 200
    found, scale = search_input(image, pixels)
    assert found.shape == (1, *size, 3)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(scale, (192 / size[1], 128 / size[0]))
    middle = int(96 / scale[0])
    assert (found[0, :, : middle - 1] == 0).all()
    assert (found[0, :, middle + 1 :] == 200).all()
