# SPDX-License-Identifier: Apache-2.0
"""Which values of depth are distances and which are marks, at the edges; and which payloads are depth at all."""

import struct

import cv2
import numpy as np
import pytest

from hmr_ros.ros.input.depth_values import decompressed_depth, depth_in_metres
from hmr_ros.ros.input.images import BadImageError, BadImageReason
from hmr_ros.ros.wire.cdr import RawCompressedImage, Stamp


def kept(value, dtype, scale=0.001):
    """What becomes of one value among others of 2 m."""
    values = np.full((3, 4), 2.0 if dtype is np.float32 else round(2.0 / scale), dtype)
    values[1, 2] = value
    z = depth_in_metres(values, scale).z
    assert (np.delete(z.ravel(), 6) == 2).all()
    return float(z[1, 2])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.049, 0), (0.05, 0.05), (65.0, 65.0), (65.1, 0), (-2.0, 0), (np.nan, 0), (np.inf, 0), (-np.inf, 0)],
)
def test_floats_in_range_are_distances(value, expected):
    assert kept(value, np.float32) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [(49, 0.001, 0), (51, 0.001, 0.051), (65534, 0.0005, 32.767), (65535, 0.0005, 0), (0, 0.001, 0), (65534, 0.001, 0)],
)
def test_integers_in_range_are_distances_but_the_mark_of_a_hole(value, scale, expected):
    assert kept(value, np.uint16, scale) == pytest.approx(expected)


def with_far(count, far, shape=(60, 100), near=(1.0, 2.0)):
    """Slopes, and ``count`` values of exactly ``far``; whether those are still there."""
    z = np.linspace(*near, shape[0] * shape[1], dtype=np.float32)
    z[:count] = far
    return bool((depth_in_metres(z.reshape(shape), 0.001).z.ravel()[:count] > 0).all())


@pytest.mark.parametrize(
    ("count", "far", "shape", "stays"),
    [
        (63, 9.0, (60, 100), True),  # of so few it may be a thing
        (64, 9.0, (60, 100), False),
        (149, 9.0, (120, 125), True),  # less than a hundredth of the image
        (150, 9.0, (120, 125), False),
        (64, 2.49, (60, 100), True),  # near enough to the next: a wall
        (64, 2.51, (60, 100), False),
    ],
)
def test_a_far_value_that_many_pixels_share_is_the_end_of_the_range(count, far, shape, stays):
    assert with_far(count, far, shape) == stays


def test_a_flat_wall_alone_is_a_wall():
    assert (depth_in_metres(np.full((60, 100), 9.0, np.float32), 0.001).z == 9).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[0, 3, 5, 7]], np.uint16), "no value is between 0.05 and 65 m, their median is 0.005 m: integers"),
        (np.array([[0, 3000, 5000, 7000]], np.float32), "their median is 5000 m: 32FC1 is to be in m, is it in mm?"),
    ],
)
def test_another_unit_is_told_by_the_median_of_what_was_measured(values, words):
    with pytest.raises(BadImageError, match=words) as caught:
        depth_in_metres(values, 0.001)
    assert caught.value.reason is BadImageReason.BAD_SIZE


def raw(values, written, a=0.0, b=0.0, suffix=".png"):
    payload = struct.pack("<iff", 0, a, b) + cv2.imencode(suffix, values)[1].tobytes()
    return RawCompressedImage(Stamp(1, 0), "eye", written, np.frombuffer(payload, np.uint8))


UNITS = np.array([[0, 1500, 2000], [65535, 7, 1]], np.uint16)


@pytest.mark.parametrize("written", ["16UC1; compressedDepth png", "mono16;compressedDepth", "16UC1"])
def test_integers_come_as_they_are(written):
    assert np.array_equal(decompressed_depth(raw(UNITS, written)), UNITS)


def test_inverse_depth_is_undone_and_zeros_are_holes():
    a, b = 600.0, 100.0
    z = decompressed_depth(raw(UNITS, "32FC1; compressedDepth png", a, b))
    expected = np.array([[0, 600 / 1400, 600 / 1900], [600 / 65435, 600 / -93, 600 / -99]])
    np.testing.assert_allclose(z, expected, rtol=1e-6)
    assert z.dtype == np.float32


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (raw(UNITS, "16UC1; compressedDepth rvl"), BadImageReason.UNKNOWN_ENCODING),
        (raw(UNITS, "rgb8; compressedDepth png"), BadImageReason.UNKNOWN_ENCODING),
        (raw(UNITS.astype(np.uint8), "16UC1"), BadImageReason.UNDECODABLE),
        (raw(np.dstack([UNITS] * 3), "16UC1"), BadImageReason.UNDECODABLE),
        (raw(UNITS.astype(np.uint8), "16UC1", suffix=".jpg"), BadImageReason.UNDECODABLE),
        (raw(UNITS.astype(np.uint8), "16UC1", suffix=".bmp"), BadImageReason.UNDECODABLE),
    ],
)
def test_other_payloads_are_no_depth(message, reason):
    with pytest.raises(BadImageError) as caught:
        decompressed_depth(message)
    assert caught.value.reason is reason


def test_an_image_of_impossible_size_is_refused_before_it_is_decoded():
    payload = bytes(12) + cv2.imencode(".png", UNITS)[1].tobytes()
    at = payload.index(b"IHDR") + 4
    payload = payload[:at] + struct.pack(">II", 20_000, 10) + payload[at + 8 :]
    message = RawCompressedImage(Stamp(1, 0), "eye", "16UC1", np.frombuffer(payload, np.uint8))
    with pytest.raises(BadImageError, match="got 20000 x 10") as caught:
        decompressed_depth(message)
    assert caught.value.reason is BadImageReason.BAD_SIZE
