# SPDX-License-Identifier: Apache-2.0
"""The baseline of the smoothing of positions is the filter of its paper."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.config import SmoothingConfig
from hmr_ros.evaluation.smoothing.one_euro import filter_positions, positions_at_rest


def one_euro(track: np.ndarray, dt_s: float, config: SmoothingConfig) -> np.ndarray:
    """(T, 3) m filtered in plain words, along and across the line of sight."""

    def weight(cutoff: float) -> float:
        return 1 / (1 + 1 / (2 * np.pi * cutoff * dt_s))

    value, last, speed, out = track[0], track[0], np.zeros(3), [track[0]]
    for raw in track[1:]:
        speed = (1 - weight(1.0)) * speed + weight(1.0) * (raw - last) / dt_s
        sight = raw / np.linalg.norm(raw)
        along, speed_along = sight * (sight @ (raw - value)), abs(sight @ speed)
        speed_across = np.linalg.norm(speed - sight * (sight @ speed))
        value = (
            value
            + weight(config.min_cutoff + config.beta * speed_along) * along
            + weight(config.min_cutoff + config.beta * speed_across) * (raw - value - along)
        )
        last = raw
        out.append(value)
    return np.array(out)


@pytest.mark.parametrize("config", [SmoothingConfig(), SmoothingConfig(min_cutoff=0.4, beta=0.0)])
def test_positions_are_those_of_the_papers_filter(config):
    rng = np.random.default_rng(7)
    track = np.cumsum(0.05 * rng.normal(size=(20, 3)), 0) + (0.5, -0.2, 3)
    state = positions_at_rest(track[:1])
    for raw, expected in zip(track[1:], one_euro(track, 0.1, config)[1:], strict=True):
        state = filter_positions(state, raw[None], np.full(1, 0.1), config)
        assert_allclose(state.value[0], expected, atol=1e-12)


@pytest.mark.parametrize(("speed", "lag_ms"), [(0.2, 76), (0.65, 46), (1.5, 27)])
def test_the_lag_of_a_steady_movement_is_that_of_its_cutoff(speed: float, lag_ms: float):
    """1 / (2 pi (min_cutoff + beta * speed))."""
    track = np.array([0.0, 0, 4]) + (speed * np.arange(90) / 30)[:, None, None] * np.array([0.0, 0, 1])
    state = positions_at_rest(track[0])
    for raw in track[1:]:
        state = filter_positions(state, raw, np.full(1, 1 / 30), SmoothingConfig())
    assert 1000 * (track[-1, 0, 2] - state.value[0, 2]) / speed == pytest.approx(lag_ms, rel=0.06)


def test_a_cutoff_of_zero_filters_nothing():
    state = positions_at_rest(np.zeros((2, 3)) + [0, 0, 3])
    raw = np.array([[0.5, 0.1, 3.2], [1.0, -1, 2]])
    assert_allclose(filter_positions(state, raw, np.full(2, 0.1), SmoothingConfig(min_cutoff=0)).value, raw, atol=1e-12)
