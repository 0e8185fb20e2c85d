# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.forecasts import HORIZONS_S, ForecastCalibration, between_horizons, parsed_times

CALIBRATION = ForecastCalibration(
    root_along=(0.3, 0.6, 1.0),
    root_across=(0.2, 0.4, 0.8),
    joints=tuple((0.0, *[scale] * 23) for scale in (1.0, 1.5, 2.0)),
    joint_radii=((1.0, 2.0, 3.0),) * 3,
    root_radii=((0.8, 1.8, 2.8),) * 3,
)


def test_times_between_horizons_are_interpolated():
    weights = between_horizons((0.125, 0.25, 0.75, 1.0))
    np.testing.assert_allclose(weights.sum(1), 1)
    np.testing.assert_allclose(weights @ (0.0, *HORIZONS_S), (0.125, 0.25, 0.75, 1.0))
    np.testing.assert_allclose(weights[1], [0, 1, 0, 0])
    assert between_horizons(()).shape == (0, 4)


@pytest.mark.parametrize("text", ["0.5, 0.25", "0, 1", "0.5, 1.5", "soon", "nan", "-1", "0.5 0.5", "0.5;1"])
def test_times_that_cannot_be_are_refused_with_the_name_of_the_setting(text):
    with pytest.raises(ValueError, match="forecast_s: expected times ahead in s, ascending, up to 1"):
        PerceptionSettings(forecast_s=text)


def test_no_times_are_none():
    assert parsed_times(" ") == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("root_along", (0.3, 0.6)),
        ("root_across", (0.2, -0.4, 0.8)),
        ("joints", ((1.0,) * 24,) * 2),
        ("joints", ((1.0,) * 23,) * 3),
        ("joint_radii", ((1.0, 2.0, 3.0),) * 2),
        ("root_radii", ((1.0, 2.0, 2.0),) * 3),
        ("root_radii", ((1.0, 2.0),) * 3),
        ("root_along", (0.3, 0.6, float("nan"))),
    ],
)
def test_calibrations_of_another_shape_are_refused(name, value):
    with pytest.raises(ValueError, match=f"forecast {name}: expected"):
        dataclasses.replace(CALIBRATION, **{name: value})
