# SPDX-License-Identifier: Apache-2.0
"""Images of where Global-to-Pixel's deformable attention looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from hmr_ros.core.arrays import Float32s, Image
from hmr_ros.core.skeleton import SMPL
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.networks.global_to_pixel.deformable import DeformableAttention

SHOWN = ("head", "left_wrist", "right_wrist", "left_knee", "right_ankle")
"""SMPL joints, a column for each."""

ENLARGED = 2
LARGEST = 14
"""px, radius of a place that has all of the weight."""

COLOURS = ((255, 80, 80), (255, 220, 60), (80, 220, 90), (90, 160, 255))
"""RGB of places on the levels of strides 4, 8, 16 and 32."""


class Looks(NamedTuple):
    """What the last layer reads for each joint of B people.

    ``anchors`` (B, 24, 2) and ``places`` (B, 24, N, 2) crop units, of all heads; ``weights`` (B, 24, N), which sum to 1
    over all levels; ``level`` (N,) 0 to 3.
    """

    anchors: Float32s
    places: Float32s
    weights: Float32s
    level: Float32s


@torch.no_grad()
def looks_of(network: GlobalToPixel, image: Tensor, keypoints: Tensor, camera: Tensor) -> Looks:
    """Where ``network`` looks; inputs as its ``forward`` takes them. ValueError for one without such attention."""
    layers = [module for module in network.modules() if isinstance(module, DeformableAttention)]
    if not layers:
        raise ValueError('attention: expected a network with local = "on" and sampler = "deformable"')
    kept: list[tuple[Tensor, Tensor, Sequence[Tensor]]] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, Tensor, Sequence[Tensor]]) -> None:
        kept.append(inputs)

    handle = layers[-1].register_forward_pre_hook(keep)
    network(image, keypoints, camera)
    handle.remove()
    query, anchors, pyramid = kept[-1]  # the global stage's start, if there is one, reads no image
    parts = layers[-1].looks(query, anchors, pyramid)
    places = torch.cat([places.flatten(2, 3) for places, _ in parts], 2)
    weights = torch.cat([weights.flatten(2, 3) for _, weights in parts], 2) / layers[-1].heads
    level = np.repeat(np.arange(len(parts)), weights.shape[2] // len(parts)).astype(np.float32)
    return Looks(anchors.numpy(), places.numpy(), weights.numpy(), level)


def attention_sheet(image: Image, looks: Looks) -> Image:
    """(H, W, 3) uint8 RGB: a row for each of the crops ``image`` (B, 256, 192, 3), a column for each joint shown."""
    joints = [SMPL.index(joint) for joint in SHOWN]
    rows = [[_tile(crop, looks, person, joint) for joint in joints] for person, crop in enumerate(image)]
    return np.concatenate([np.concatenate(row, 1) for row in rows], 0)


def _tile(crop: Image, looks: Looks, person: int, joint: int) -> Image:
    tile = np.ascontiguousarray(crop.repeat(ENLARGED, 0).repeat(ENLARGED, 1))
    size = np.array(tile.shape[1::-1])
    for place, weight, level in zip(
        looks.places[person, joint], looks.weights[person, joint], looks.level, strict=True
    ):
        radius = max(1, round(LARGEST * float(np.sqrt(weight))))
        cv2.circle(tile, _pixel(place * size), radius, COLOURS[int(level)], 1, cv2.LINE_AA)
    cv2.drawMarker(tile, _pixel(looks.anchors[person, joint] * size), (255, 255, 255), cv2.MARKER_CROSS, 12, 2)
    return tile


def _pixel(point: Float32s) -> tuple[int, int]:
    x, y = np.clip(point, -1e4, 1e4)
    return round(float(x)), round(float(y))
