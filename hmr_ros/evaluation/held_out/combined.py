# SPDX-License-Identifier: Apache-2.0
"""What two methods' bodies of the same people would give together: whether it is worth while to combine them.

A mean of bodies is none, but its errors show what any combination with such weights could reach.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.evaluation.held_out.case import Case, Prediction

MEAN, WEIGHTED, CHOSEN = "mean of both", "weighted", "chosen"
"""With equal weights; by the inverse squares of a person's expected joint errors; the one that expects less."""


def combined(first: Prediction, second: Prediction) -> list[Prediction]:
    """The combinations of two predictions of the same B people."""
    a, b = (np.square(p.expected_error[:, 1:]).mean(1) for p in (first, second))
    of_second = {MEAN: np.full(len(a), 0.5), WEIGHTED: a / (a + b), CHOSEN: np.where(b < a, 1.0, 0.0)}
    known = np.isfinite(a + b)
    return [_mixed(name, first, second, np.where(known, weight, 0.5)) for name, weight in of_second.items()]


def _mixed(output: str, first: Prediction, second: Prediction, of_second: Floats) -> Prediction:
    """The mean about the pelvis, and of its positions, with weights ``of_second`` (B,) 0..1."""
    weight = of_second[:, None, None]

    def mean(a: Floats, b: Floats) -> Floats:
        return np.asarray((1 - weight) * (a - first.joints[:, :1]) + weight * (b - second.joints[:, :1]))

    joints = mean(first.joints, second.joints)
    root = (1 - weight[:, 0]) * first.root + weight[:, 0] * second.root
    return Prediction(output, mean(first.vertices, second.vertices), joints, root, np.full(joints.shape[:2], np.nan))


def products(first: Prediction, second: Prediction, case: Case) -> Floats:
    """(B, 3) m^2: sums over the joints of the products of both errors, and of the squares of each."""
    a, b = (p.joints - p.joints[:, :1] - case.joints + case.joints[:, :1] for p in (first, second))
    return np.stack([(x * y).sum((1, 2)) for x, y in ((a, b), (a, a), (b, b))], 1)


def correlation(found: Floats) -> float:
    """Of the errors of two methods, from ``products`` (N, 3): 1 where they are the same, 0 where independent."""
    both, first, second = found.sum(0)
    return float(both / np.sqrt(first * second))
