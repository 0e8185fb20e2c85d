# SPDX-License-Identifier: Apache-2.0
"""Camera matrices on both sides of every limit."""

import numpy as np
import pytest

from hmr_ros.core.plausibility import implausibility


def judged(fx=500.0, fy=500.0, cx=399.5, cy=299.5, width=800, height=600):
    return implausibility(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), width, height)


@pytest.mark.parametrize(
    ("inside", "outside", "reason"),
    [
        ({"cx": 239.5}, {"cx": 239.4}, "(239.4, 299.5) is not near the centre of 800 x 600"),
        ({"cx": 559.5}, {"cx": 559.6}, "not near the centre"),
        ({"cy": 179.5}, {"cy": 179.4}, "not near the centre"),
        ({"cy": 419.5}, {"cy": 419.6}, "not near the centre"),
        ({"fx": 120.0, "fy": 100.0}, {"fx": 119.9, "fy": 119.9}, "119.9 px sees 147 degrees across 800 px"),
        ({"fx": 24000.0, "fy": 24000.0}, {"fx": 24001.0, "fy": 23000.0}, "24001 px sees 1.91 degrees"),
        ({"fx": 750.0}, {"fx": 751.0}, "751 and 500 px differ by more than a factor of 1.5"),
        ({"fy": 750.0}, {"fy": 751.0}, "500 and 751 px differ"),
        ({"fx": 120.0, "fy": 120.0}, {"fx": -500.0, "fy": -500.0}, "-500 px sees nan degrees"),
        ({"fx": 120.0, "fy": 120.0}, {"fx": 0.0, "fy": 0.0}, "0 px sees nan degrees"),
        ({}, {"fx": 500.0, "fy": 0.0}, "500 and 0 px differ"),
    ],
)
def test_a_matrix_is_refused_beyond_a_limit_with_the_remedy(inside, outside, reason):
    assert judged(**inside) == ""
    assert reason in judged(**outside)
    assert judged(**outside).endswith(
        "; calibrate at the resolution in use, with K in px of the whole sensor, before binning and region of interest"
    )


def test_the_longer_side_counts_whichever_it_is():
    tall = {"cx": 299.5, "cy": 399.5, "width": 600, "height": 800}
    assert judged(fx=120, fy=120, **tall) == ""
    assert "across 800 px" in judged(fx=119, fy=119, **tall)
