# SPDX-License-Identifier: Apache-2.0
"""Hands drawn over the image they were seen in."""

from __future__ import annotations

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.skeleton import MANO
from hmr_ros.perception.hand_regions import hand_sizes
from hmr_ros.perception.hands import Hands
from hmr_ros.perception.overlay import person_color

_RIM = (30, 30, 30)
_THICKEST, _SIZE_OF_ONE = 6, 60.0
"""Bones are a px thick for every so many px of the hand's size."""


def draw_hands(image: Image, hands: Hands) -> Image:
    """A copy of ``image`` (H, W, 3) uint8 RGB with the bones of the hands that are seen, in the colours of persons."""
    canvas = image.copy()
    for row, side in zip(*np.nonzero(hands.seen), strict=True):
        color = tuple(int(255 * c) for c in person_color(int(hands.ids[row])))
        _draw_hand(canvas, hands.points[row, side], color)
    return canvas


def _draw_hand(canvas: Image, points: Floats, color: tuple[int, ...]) -> None:
    """Draw the bones between ``points`` (21, 2) px into ``canvas`` with a dark rim."""
    thickness = int(np.clip(hand_sizes(points) / _SIZE_OF_ONE, 1, _THICKEST))
    for width, shade in ((thickness + 2, _RIM), (thickness, color)):
        for a, b in MANO.edge_indices:
            start, end = (np.round(points[k]).astype(int).tolist() for k in (a, b))
            cv2.line(canvas, start, end, shade, width, cv2.LINE_AA)
