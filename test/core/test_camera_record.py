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


def test_the_smallest_camera_has_one_pixel_and_by_default_no_distortion():
    assert Camera(K, 1, 1).D.size == 0
    for width, height in ((0, 1), (1, 0), (-1, 480)):
        with pytest.raises(ValueError, match=f"positive image size, got {width} x {height}"):
            Camera(K, width, height)


@pytest.mark.parametrize(("model", "counts"), [("plumb_bob", (4, 5, 8, 12, 14)), ("rational_polynomial", (8, 12, 14))])
def test_only_the_numbers_of_coefficients_that_opencv_takes_are_taken(model: str, counts: tuple[int, ...]):
    for count in range(1, 16):
        if count in counts:
            assert Camera(K, 640, 480, model, np.zeros(count)).D.size == count
        else:
            with pytest.raises(ValueError, match=f"{count} coefficients"):
                Camera(K, 640, 480, model, np.zeros(count))


@pytest.mark.parametrize(("name", "value"), [("K", np.eye(2)), ("K", np.eye(4)), ("D", np.zeros((1, 4)))])
def test_matrices_of_another_shape_are_refused_by_name(name: str, value: np.ndarray):
    with pytest.raises(ValueError, match=rf"Camera\.{name}: expected shape"):
        Camera(**{"K": K, "width": 640, "height": 480, name: value})


@pytest.mark.parametrize("at", [(0, 0), (1, 1)])
@pytest.mark.parametrize("focal", [0.0, -500.0, np.inf, np.nan])
def test_both_focal_lengths_are_positive_and_finite(at: tuple[int, int], focal: float):
    broken = K.copy()
    broken[at] = focal
    with pytest.raises(ValueError, match="focal lengths must be positive and finite"):
        Camera(broken, 640, 480)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coefficients_that_are_no_numbers_are_refused(value: float):
    """No pixel has a ray through such a lens: people would have no position, and nothing would say why."""
    with pytest.raises(ValueError, match=r"Camera.D: expected finite coefficients, got \[0.1, "):
        Camera(K, 640, 480, "plumb_bob", np.array([0.1, value, 0, 0, 0]))
