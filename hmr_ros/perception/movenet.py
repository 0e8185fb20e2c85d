# SPDX-License-Identifier: Apache-2.0
"""The arithmetic around MoveNet's two networks: heads -> keypoints of several people, or of the one in the middle.

Heads are at a quarter of the input's size: "centre" and "heatmaps" are logits; "regression" holds y, x of each joint
from the centre's cell, "offsets" y, x of each joint from the cell of its heatmap, "box_*" y, x; all in cells.
Source: Google, MoveNet, 2021 (CenterNet: Zhou et al., "Objects as Points", 2019); written from the networks' graphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import COCO17
from hmr_ros.perception.logits import sigmoid

STRIDE = 4
"""px of the input per cell of a head."""
CROP_SIZE = 256
"""Side of Thunder's input, px."""
CORNER = 0.25
"""Thunder's points lie this many px left of and above the middles of what they mark, counted from the crop's corner:
x of a crop and of its mirror image add up to 255.5."""
_SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]
_HIPS = [COCO17.index("left_hip"), COCO17.index("right_hip")]
_SHOULDERS_LOWER, _HIPS_LOWER = 0.023, 0.027
"""How much lower the open body has these joints, in lengths of the trunk."""
_WINDOW = 5
"""Side of the window in which a centre is the largest, cells."""
_PRIOR = 0.3
"""Twice the variance of a joint about its regression, as a fraction of the shorter side of the heads (the graph's)."""
_SOFTENING = 1.8
"""Added to distances in cells that heatmaps are divided by (the graph's)."""


@dataclass(frozen=True, eq=False)
class Skeletons(Record):
    """People as MoveNet sees them: ``points`` (P, 17, 2) px, joint set "coco17", ``scores`` (P, 17) 0..1, ``boxes``
    (P, 4) px and ``centres`` (P,) 0..1, the score of the person's middle.
    """

    points: Floats
    scores: Floats
    boxes: Floats
    centres: Floats


def decode_people(outputs: Mapping[str, Float32s], threshold: float, max_people: int) -> Skeletons:
    """The people of one image, best first, in px of the input; MultiPose's heads (1, h, w, C) are ``outputs``."""
    heads = {name: head[0] for name, head in outputs.items()}
    centre = sigmoid(heads["centre"][..., 0])
    peak = np.where(_is_peak(centre) & (centre >= threshold), centre, 0)
    order = np.argsort(-peak, axis=None, kind="stable")[:max_people]
    y, x = np.divmod(order[peak.ravel()[order] > 0], peak.shape[1])
    cells = np.stack([y, x], 1)
    size, middle = np.maximum(heads["box_scale"][y, x], 0), cells + heads["box_offset"][y, x]
    boxes = np.concatenate([middle - size / 2, middle + size / 2], 1).clip(0, np.tile(peak.shape, 2))
    expected = cells[:, None] + heads["regression"][y, x].reshape(-1, COCO17.size, 2)
    points, scores = _joints_of_people(sigmoid(heads["heatmaps"]), heads["offsets"], expected, boxes)
    return Skeletons(points, scores, boxes[:, [1, 0, 3, 2]] * STRIDE, peak[y, x])


def decode_crops(outputs: Mapping[str, Float32s]) -> tuple[Floats, Floats]:
    """Points (P, 17, 2) px, from the crop's corner, and scores (P, 17), of the person in the middle of each crop.

    ``outputs`` are Thunder's heads (P, 64, 64, C).
    """
    heat = sigmoid(outputs["heatmaps"])
    people, height, width, joints = heat.shape
    y, x = np.mgrid[:height, :width]
    near = 1 / (np.hypot(y - height / 2, x - width / 2) + _SOFTENING)
    best = (sigmoid(outputs["centre"][..., 0]) * near).reshape(people, -1).argmax(1)
    cy, cx = np.divmod(best, width)
    rows = np.arange(people)
    expected = np.stack([cy, cx], 1)[:, None] + outputs["regression"][rows, cy, cx].reshape(people, joints, 2)
    away = np.hypot(
        y[None, ..., None] - expected[:, None, None, :, 0], x[None, ..., None] - expected[:, None, None, :, 1]
    )
    at = (heat / (away + _SOFTENING)).reshape(people, -1, joints).argmax(1)
    jy, jx = np.divmod(at, width)
    row, joint = rows[:, None], np.arange(joints)
    moved = outputs["offsets"].reshape(people, height, width, joints, 2)[row, jy, jx, joint]
    points = (np.stack([jx, jy], -1) + moved[..., ::-1]) * STRIDE + CORNER
    return points, heat[row, jy, jx, joint]


def joints_of_body(points: Floats) -> Floats:
    """``points`` (P, 17, 2) px of people as MoveNet sees them, with shoulders and hips where the open body has them.

    COCO's annotators put both higher. Learned from 187 rendered people, whose joints are known (docs/detection.md).
    """
    trunk = points[:, _HIPS].mean(1, keepdims=True) - points[:, _SHOULDERS].mean(1, keepdims=True)
    lower = np.array(points)
    lower[:, _SHOULDERS] += _SHOULDERS_LOWER * trunk
    lower[:, _HIPS] += _HIPS_LOWER * trunk
    return lower


def image_from_square(boxes: Floats, scale: float, min_side: float) -> Float64s:
    """(P, 2, 3) affine maps from px of the crop, from its corner, to px of the image: upright squares about ``boxes``.

    Their sides are the larger ones of ``boxes`` (P, 4) px times ``scale``, and at least ``min_side`` px.
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(1) * scale, min_side)
    maps = np.zeros((len(boxes), 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = side / CROP_SIZE
    maps[:, :, 2] = centre - side[:, None] / 2
    return maps


def _joints_of_people(heat: Floats, offsets: Floats, expected: Floats, boxes: Floats) -> tuple[Floats, Floats]:
    """Points (P, 17, 2) px and scores (P, 17): the best cells of ``heat`` (h, w, 17) near ``expected`` (P, 17, 2).

    ``expected`` is in y, x. Only cells in the person's box (P, 4; y1 x1 y2 x2 cells) count.
    """
    height, width, joints = heat.shape
    variance = _PRIOR * min(height, width)
    near = [
        np.exp(-np.square(np.arange(size) - expected[..., [axis]]) / variance)
        * ((np.arange(size) >= boxes[:, [axis]]) & (np.arange(size) < boxes[:, [axis + 2]]))[:, None]
        for axis, size in enumerate((height, width))
    ]
    score = heat.transpose(2, 0, 1) * near[0][..., None] * near[1][..., None, :]
    at = score.reshape(len(boxes), joints, height * width).argmax(-1)
    y, x = np.divmod(at, width)
    person, joint = np.arange(len(boxes))[:, None], np.arange(joints)
    moved = offsets.reshape(height, width, joints, 2)[y, x, joint]
    return (np.stack([x, y], -1) + moved[..., ::-1]) * STRIDE, score[person, joint, y, x]


def _is_peak(score: Floats) -> Bools:
    """(h, w) whether a cell is the largest of the window about it."""
    reach = _WINDOW // 2
    windows = sliding_window_view(np.pad(score, reach, constant_values=-1), (_WINDOW, _WINDOW))
    return np.asarray(score >= windows.max((2, 3)))
