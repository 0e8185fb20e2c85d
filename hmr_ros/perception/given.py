# SPDX-License-Identifier: Apache-2.0
"""Boxes of another detector joined with the people whose keypoints our networks have located."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s
from hmr_ros.core.people import Detections
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.similarity import box_iou

_FOLLOWED_IOU = 0.45
"""A given box that overlaps that of a followed person more is this person's."""
_INSIDE = 0.5
"""Minimum fraction of a person's joints, by score, in the box in which they were found: two people otherwise."""
_MARGIN = 0.15
"""That box is larger by this fraction of its size."""


def matched(boxes: Floats, people: Floats) -> Int64s:
    """(B,) the row of ``people`` (P, 4) px that each of ``boxes`` (B, 4) px is of; -1: of nobody among them."""
    rows = np.full(len(boxes), -1)
    iou = box_iou(boxes, people)
    for box, person in assign(-iou) if iou.size else ():
        rows[box] = person if iou[box, person] >= _FOLLOWED_IOU else -1
    return rows


def with_keypoints_of(given: Detections, located: Detections, seen: Bools) -> Detections:
    """``given`` boxes, scores and ids with the keypoints of the same rows of ``located``, where ``seen`` (P,)."""
    scores = np.where(seen[:, None], located.kp2d_score, 0)
    return replace(given, kp2d=located.kp2d, kp2d_score=scores, joint_set=located.joint_set)


def are_inside(points: Floats, scores: Floats, boxes: Floats) -> Bools:
    """(P,) whether most of ``points`` (P, J, 2) px, by ``scores`` (P, J), lie in ``boxes`` (P, 4) px, with a margin."""
    return np.asarray(fraction_inside(points, scores, boxes) >= _INSIDE)


def fraction_inside(points: Floats, scores: Floats, boxes: Floats) -> Floats:
    """(...) 0..1: the fraction of ``scores`` (..., J) that is of ``points`` (..., J, 2) in ``boxes`` (..., 4), both px.

    Boxes are enlarged by a margin.
    """
    margin = _MARGIN * (boxes[..., 2:] - boxes[..., :2])
    low, high = (boxes[..., :2] - margin)[..., None, :], (boxes[..., 2:] + margin)[..., None, :]
    inside = ((points >= low) & (points <= high)).all(-1)
    return np.asarray((scores * inside).sum(-1) / np.maximum(scores.sum(-1), 1e-9))
