# SPDX-License-Identifier: Apache-2.0
"""The assignment is optimal: checked against trying everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hmr_ros.perception.assignment import assign


def cheapest_of_all(cost: np.ndarray) -> float:
    """Slow and obvious: the least total over every one-to-one choice."""
    rows, columns = cost.shape
    if rows > columns:
        return cheapest_of_all(cost.T)
    return min(sum(cost[r, c] for r, c in enumerate(chosen)) for chosen in itertools.permutations(range(columns), rows))


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (5, 5), (6, 4)])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_trying_everything(shape: tuple[int, int], ties: bool) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost = rng.integers(0, 3, shape).astype(float) if ties else rng.normal(size=shape)
        pairs = assign(cost)
        assert pairs.shape == (min(shape), 2)
        assert (np.diff(pairs[:, 0]) > 0).all()
        assert len(set(pairs[:, 1])) == len(pairs)
        assert cost[pairs[:, 0], pairs[:, 1]].sum() == pytest.approx(cheapest_of_all(cost))


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_nothing_to_assign(shape: tuple[int, int]) -> None:
    assert assign(np.zeros(shape)).shape == (0, 2)
