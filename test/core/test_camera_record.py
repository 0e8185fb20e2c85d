# SPDX-License-Identifier: Apache-2.0
"""Distortion coefficients that a camera may have."""

import numpy as np
import pytest

from hmr_ros.core.people import Camera

K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])


@pytest.mark.parametrize(("model", "count"), [("plumb_bob", 5), ("rational_polynomial", 8), ("equidistant", 4)])
def test_the_coefficients_of_a_model_are_taken_and_other_numbers_are_refused(model: str, count: int):
    assert Camera(K, 640, 480, model, np.zeros(count)).D.size == count
    assert Camera(K, 640, 480, model, np.zeros(0)).D.size == 0
    with pytest.raises(ValueError, match=f"3 coefficients of '{model}'; expected .*{model}: .*{count}"):
        Camera(K, 640, 480, model, np.zeros(3))


def test_an_unknown_lens_may_have_no_coefficients():
    with pytest.raises(ValueError, match="5 coefficients of 'mirror'"):
        Camera(K, 640, 480, "mirror", np.zeros(5))
