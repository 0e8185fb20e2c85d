# SPDX-License-Identifier: Apache-2.0
"""Images at the limits of what is taken: sizes, rows, bits, darkness."""

import numpy as np
import pytest

from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.images import BadImageError, BadImageReason, check_size, darkness, decode_image, pixel_rows
from hmr_ros.ros.wire.cdr import CdrWriter, RawImage, Stamp


@pytest.mark.parametrize(
    ("height", "width", "words"),
    [
        (1, 1, ""),
        (16384, 4096, ""),
        (4096, 16384, ""),
        (0, 5, "expected 1 to 16384 px per side, got 5 x 0"),
        (5, 0, "expected 1 to 16384 px per side, got 0 x 5"),
        (16385, 1, "px per side, got 1 x 16385"),
        (1, 16385, "px per side, got 16385 x 1"),
        (8193, 8192, "expected at most 67108864 px, got 8192 x 8193"),
    ],
)
def test_sizes_are_those_of_cameras(height, width, words):
    if not words:
        check_size(height, width)
        return
    with pytest.raises(BadImageError, match=words) as caught:
        check_size(height, width)
    assert caught.value.reason is BadImageReason.BAD_SIZE


def raw(height, width, step, size):
    return RawImage(Stamp(1, 0), "eye", height, width, "rgb8", False, step, np.arange(size, dtype=np.uint8))


def test_rows_are_cut_out_of_their_padding():
    rows = pixel_rows(raw(3, 2, 8, 22), 3)
    assert rows.tolist() == [list(range(k, k + 6)) for k in (0, 8, 16)]
    assert not rows.flags.writeable


@pytest.mark.parametrize(
    ("step", "size", "words"),
    [
        (5, 22, "expected a step of at least 6 bytes for rgb8, got 5"),
        (8, 21, "expected 22 bytes of pixels, got 21"),
        (6, 17, "expected 18 bytes of pixels, got 17"),
    ],
)
def test_rows_that_are_too_short_are_told(step, size, words):
    with pytest.raises(BadImageError, match=words):
        pixel_rows(raw(3, 2, step, size), 3)


def sixteen(encoding, values, is_bigendian):
    channels = values.shape[2] if values.ndim == 3 else 1
    height, width = values.shape[:2]
    octets = np.frombuffer(values.astype(">u2" if is_bigendian else "<u2").tobytes(), np.uint8)
    writer = CdrWriter().stamp(Stamp(1, 0)).string("eye").pack("I", height, width).string(encoding)
    return writer.pack("B", is_bigendian).pack("I", 2 * channels * width).array(octets, octets.size).finish()


@pytest.mark.parametrize("is_bigendian", [0, 1])
@pytest.mark.parametrize("encoding", ["mono16", "rgb16"])
def test_sixteen_bits_have_their_order_of_bytes(encoding, is_bigendian):
    values = np.linspace(0, 65535, 4 * 6 * 3).astype(np.uint16).reshape(4, 6, 3)
    values = values if encoding == "rgb16" else values[..., 0]
    image = decode_image(sixteen(encoding, values, is_bigendian)).image
    expected = values >> 8 if encoding == "rgb16" else np.repeat((values >> 8)[..., None], 3, 2)
    assert np.array_equal(image, expected)


@pytest.mark.parametrize(("bright", "bits"), [(1, 8), (255, 8), (256, 9), (1023, 10), (1024, 11), (65535, 16)])
def test_the_bits_in_use_are_those_of_the_brightest(bright, bits):
    depth = BitDepth()
    values = np.zeros((240, 320), np.uint16)
    values[:120] = bright
    pixels = depth.to_uint8(values)
    assert depth.bits == bits
    assert pixels[0, 0] == bright >> (bits - 8)
    assert pixels[-1, -1] == 0


@pytest.mark.parametrize(("count", "is_used"), [(18, False), (21, True)])
def test_a_bit_is_in_use_if_more_than_one_in_a_thousand_needs_it(count, is_used):
    values = np.full(20_000, 200, np.uint16)
    values[:count] = 1000
    depth = BitDepth()
    depth.to_uint8(values.reshape(100, 200))
    assert depth.bits == (10 if is_used else 8)


@pytest.mark.parametrize(("rows", "is_dark"), [(8, True), (16, False)])
def test_an_image_with_a_lamp_is_dark_until_it_lights_a_hundredth(rows, is_dark):
    image = np.zeros((960, 960, 3), np.uint8)  # of 120 sampled rows, one is lit, or two
    image[:rows] = 200
    assert bool(darkness(image)) == is_dark


def test_darkness_is_that_of_the_quantile():
    """Counting, which is quicker, decides as sorting does; also where the quantile lies between two values."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        image = np.zeros((*rng.integers(1, 120, 2), 3), np.uint8)
        image[rng.random(image.shape) < 0.03 * rng.random()] = rng.integers(0, 30)
        assert bool(darkness(image)) == (np.quantile(image[::8, ::8], 0.99) < 12)
