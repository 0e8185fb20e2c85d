# SPDX-License-Identifier: Apache-2.0
"""The images of ``make soak``: eight lanes, in each of which a person stands or not."""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.crowd import crowd_image

LANES = 8
WIDTH, HEIGHT = 640, 480

_MARK_PX = 16
"""Height of the marks at the upper edge that say which lanes hold a person: whole JPEG blocks."""

_WALL, _PERSON, _MARK = 90, 170, 255

Scene = Callable[[frozenset[int]], Image]
"""The lanes that hold a person -> the image (HEIGHT, WIDTH, 3) uint8 RGB."""


@functools.cache
def drawn(lanes: frozenset[int]) -> Image:
    """The image (HEIGHT, WIDTH, 3) for the scripted detector: a rectangle and a mark for each person."""
    image = np.full((HEIGHT, WIDTH, 3), _WALL, np.uint8)
    for lane in lanes:
        x0, y0, x1, y1 = boxes(np.array([lane]))[0].astype(int)
        image[y0:y1, x0:x1] = _PERSON
        image[:_MARK_PX, x0:x1] = _MARK
    return image


@functools.cache
def rendered(lanes: frozenset[int]) -> Image:
    """The image (HEIGHT, WIDTH, 3) for real networks: as many rendered bodies as lanes."""
    model = load_body_model(models_dir() / "open_body.npz")
    return np.asarray(
        cv2.resize(crowd_image(model, len(lanes)), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
    )


def marked_lanes(image: Image) -> NDArray[np.int64]:
    """(P,) the lanes that ``image`` (H, W, 3) of any size marks; none of an image that is not ``drawn``."""
    width = image.shape[1]
    centres = ((np.arange(LANES) + 0.5) * width / LANES).astype(np.int64)
    return np.flatnonzero(image[0, centres].min(-1) > (_PERSON + _MARK) / 2)


def boxes(lanes: NDArray[np.int64]) -> Floats:
    """(P, 4) px: the boxes of the people in ``lanes`` (P,), x0 y0 x1 y1."""
    lane_px = WIDTH / LANES
    x0 = lanes * lane_px + 0.1 * lane_px
    top, bottom = np.full(len(lanes), 0.2 * HEIGHT), np.full(len(lanes), 0.9 * HEIGHT)
    return np.stack([x0, top, x0 + 0.8 * lane_px, bottom], -1)
