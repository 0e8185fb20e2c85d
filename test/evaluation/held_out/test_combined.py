# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.evaluation.held_out.case import Prediction
from hmr_ros.evaluation.held_out.combined import CHOSEN, MEAN, WEIGHTED, combined, correlation, products

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(3, 24, 3))


def predicted(error: np.ndarray, expected: tuple[float, ...], at: float = 0.0) -> Prediction:
    """The ground truth with ``error`` (3, 24, 3) somewhere else; two vertices at joints 4 and 5."""
    joints = TRUTH + error + at
    expected_error = np.repeat(np.array(expected)[:, None], 24, 1)
    return Prediction("made", joints[:, 4:6], joints, joints[:, 0], expected_error)


def relative(points: np.ndarray, joints: np.ndarray) -> np.ndarray:
    return points - joints[:, :1]


def test_combinations_lie_between_the_bodies_about_their_pelvis():
    first, second = predicted(np.zeros_like(TRUTH), (0.1, 0.1, np.nan)), predicted(0.2 * TRUTH, (0.2, 0.05, 0.1), at=7)
    expected = {MEAN: (0.5, 0.5, 0.5), WEIGHTED: (0.2, 0.8, 0.5), CHOSEN: (0, 1, 0.5)}
    for found in combined(first, second):
        weight = np.array(expected[found.output])[:, None, None]
        wanted = relative(TRUTH, TRUTH) * (1 + 0.2 * weight)
        np.testing.assert_allclose(relative(found.joints, found.joints), wanted, atol=1e-12)
        np.testing.assert_allclose(relative(found.vertices, found.joints), wanted[:, 4:6], atol=1e-12)
        np.testing.assert_allclose(found.root, first.root + weight[:, 0] * (second.root - first.root), atol=1e-12)
    assert len(combined(first, second)) == len(expected)


@pytest.mark.parametrize(("same", "expected"), [(1.0, 1.0), (-1.0, -1.0), (0.0, 0.0)])
def test_errors_are_correlated_as_far_as_they_are_the_same(same, expected):
    error, other = (RNG.normal(size=TRUTH.shape) for _ in range(2))
    error[:, 0] = other[:, 0] = 0
    other -= error * (error * other).sum((1, 2), keepdims=True) / (error**2).sum((1, 2), keepdims=True)
    second = 3 * same * error if same else other
    case = SimpleNamespace(joints=TRUTH)
    found = products(predicted(error, (1, 1, 1), at=2), predicted(second, (1, 1, 1), at=-1), case)
    assert correlation(found) == pytest.approx(expected, abs=1e-9)
