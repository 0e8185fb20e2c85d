# SPDX-License-Identifier: Apache-2.0
"""Scores of networks -> the probability that a keypoint is right, and how sure a person is."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.skeletons import best_joints

MIN_BEST = 0.25
"""Minimum mean of a person's best joint scores, as the refining network gives them."""

_THUNDER = ((0.0, 0.15, 0.25, 0.35, 0.55, 0.85, 1.0), (0.0, 0.1, 0.36, 0.58, 0.7, 0.82, 0.85))
"""Scores of MoveNet Thunder, and the fraction of labelled joints with such a score that are right: within a tenth of
the torso of the label (docs/detection.md)."""
_LANDMARKS = ((0.0, 0.3, 0.5, 0.85, 0.95, 1.0), (0.0, 0.2, 0.37, 0.42, 0.66, 0.76))


def confidence(raw: Floats) -> Floats:
    """The probability that a joint with MoveNet Thunder's score ``raw`` is right, each 0..1."""
    return np.asarray(np.interp(raw, *_THUNDER))


def landmark_confidence(visibility: Floats) -> Floats:
    """The probability that a joint with BlazePose's ``visibility`` is right, each 0..1, by the same photos."""
    return np.asarray(np.interp(visibility, *_LANDMARKS))


def person_score(raw: Floats) -> Floats:
    """(P,) 0..1: a half where the mean of the best of ``raw`` (P, 17) is just large enough for a person."""
    best = best_joints(raw)
    return np.asarray(best / (best + MIN_BEST))
