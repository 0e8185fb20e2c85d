# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.images import (
    BadImageError,
    BadImageReason,
    darkness,
    decode_compressed_image,
    decode_image,
)
from hmr_ros.ros.wire import cdr

STAMP = cdr.Stamp(5, 6)
RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


def image_message(height, width, encoding, step, payload):
    writer = cdr.CdrWriter().stamp(STAMP).string("camera").pack("I", height, width).string(encoding).pack("B", 0)
    return writer.pack("I", step).array(payload, payload.size).finish()


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("8UC3", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, np.zeros((4, 6), np.uint8)])),
        ("8UC4", np.dstack([RGB[..., ::-1], np.zeros((4, 6), np.uint8)])),
        ("bgra8", np.dstack([RGB[..., ::-1], np.zeros((4, 6), np.uint8)])),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_colour_encodings_become_rgb(encoding, pixels, padding):
    rows = np.pad(pixels.reshape(4, -1), ((0, 0), (0, padding)))
    frame = decode_image(image_message(4, 6, encoding, rows.shape[1], rows.ravel()))
    assert np.array_equal(frame.image, RGB)
    assert (frame.stamp, frame.frame_id) == (STAMP, "camera")


def test_grey_encodings_become_rgb():
    grey = RGB[..., 0]
    as_rgb = np.repeat(grey[..., None], 3, 2)
    assert np.array_equal(decode_image(image_message(4, 6, "mono8", 6, grey.ravel())).image, as_rgb)
    wide = (grey.astype("<u2") << 8).view(np.uint8)
    assert np.array_equal(decode_image(image_message(4, 6, "mono16", 12, wide.ravel())).image, as_rgb)


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_sixteen_bits_are_scaled_by_those_in_use(encoding, bits):
    values = np.linspace(0, 2**bits - 1, 240 * 320).astype("<u2").reshape(240, 320)
    image = decode_image(image_message(240, 320, encoding, 640, values.view(np.uint8).ravel())).image
    assert np.array_equal(image[..., 0], values >> (bits - 8))


@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "16UC3", "rgba16", "bgra16"])
def test_colours_of_sixteen_bits_become_rgb(encoding):
    pixels = np.dstack([RGB if encoding.startswith("rgb") else RGB[..., ::-1], *[RGB[..., 0]] * ("a" in encoding)])
    wide = (pixels.astype("<u2") << 8).view(np.uint8)
    assert np.array_equal(decode_image(image_message(4, 6, encoding, wide.size // 4, wide.ravel())).image, RGB)


def test_the_brightness_of_a_dark_camera_is_steady():
    depth = BitDepth()
    seen = []
    for brightest in (1000, 300, 900, 4000, 1000):
        seen.append(int(depth.to_uint8(np.full((240, 320), brightest, np.uint16))[0, 0]))
    assert seen == [250, 75, 225, 250, 62]


def test_hot_pixels_are_no_bits_in_use_and_do_not_overflow():
    dark = np.full((240, 320), 1000, np.uint16)
    dark[7, 7] = 65535
    assert np.unique(BitDepth().to_uint8(dark)).tolist() == [250, 255]


@pytest.mark.parametrize("written", ["mono16; png compressed ", "16UC1; png compressed", "png"])
def test_compressed_sixteen_bits_are_scaled_by_those_in_use(written):
    frame = decode_compressed_image(compressed(SMOOTH[..., 0].astype(np.uint16) * 4, "png", written))
    assert np.array_equal(frame.image, np.repeat(SMOOTH[..., :1], 3, 2))


@pytest.mark.parametrize(("encoding", "code"), [("nv12", cv2.COLOR_YUV2RGB_NV12), ("nv21", cv2.COLOR_YUV2RGB_NV21)])
@pytest.mark.parametrize("padding", [0, 2])
def test_rows_of_luma_and_chroma_become_rgb(encoding, code, padding):
    rows = np.random.default_rng(1).integers(16, 236, (6, 6 + padding), np.uint8)
    image = decode_image(image_message(4, 6, encoding, 6 + padding, rows.ravel())).image
    assert np.array_equal(image, cv2.cvtColor(np.ascontiguousarray(rows[:, :6]), code))
    red = np.array([[82] * 6] * 4 + [[90, 240] * 3 if encoding == "nv12" else [240, 90] * 3] * 2, np.uint8)
    assert decode_image(image_message(4, 6, encoding, 6, red.ravel())).image[0, 0].tolist() == pytest.approx(
        [255, 0, 0], abs=4
    )


@pytest.mark.parametrize(("image", "is_dark"), [(0, True), (11, True), (12, False), (90, False)])
def test_nearly_black_images_are_told(image, is_dark):
    pixels = np.full((480, 640, 3), image, np.uint8)
    pixels[:8, :8] = 255  # a hot corner
    assert ("nearly black" in darkness(pixels)) == is_dark


def test_an_unknown_encoding_names_what_is_known_and_no_other_package(monkeypatch):
    with pytest.raises(BadImageError, match=r"expected encoding rgb8, .*got 'h264': set one of them") as caught:
        decode_image(image_message(4, 6, "h264", 18, np.zeros(72, np.uint8)))
    assert "cv_bridge" not in str(caught.value)


@pytest.mark.parametrize("tail", [b"", bytes(100)])
def test_a_jpeg_may_lack_its_end_marker_but_no_pixels(tail):
    smooth = cv2.resize(RGB, (320, 240), interpolation=cv2.INTER_CUBIC)
    payload = cv2.imencode(".jpg", smooth)[1].tobytes()

    def decoded(data):
        return decode_compressed_image(cdr.write_compressed_image(STAMP, "c", np.frombuffer(data, np.uint8), "jpeg"))

    assert np.array_equal(decoded(payload[:-2]).image, decoded(payload + tail).image)
    with pytest.raises(BadImageError) as caught:
        decoded(payload[:-200])
    assert caught.value.reason == BadImageReason.UNDECODABLE


@pytest.mark.parametrize("encoding", ["uyvy", "yuv422", "yuyv", "yuv422_yuy2"])
def test_yuv_encodings_keep_brightness(encoding):
    luma, chroma = 200, 128
    pair = [chroma, luma, chroma, luma] if encoding in ("uyvy", "yuv422") else [luma, chroma, luma, chroma]
    frame = decode_image(image_message(4, 6, encoding, 12, np.tile(np.array(pair, np.uint8), 12)))
    assert np.ptp(frame.image) == 0
    assert abs(int(frame.image[0, 0, 0]) - 214) <= 2  # (200 - 16) * 255 / 219


@pytest.mark.parametrize("encoding", ["uyvy", "yuv422_yuy2"])
def test_yuv_of_odd_width_is_refused_by_every_opencv(encoding):
    with pytest.raises(BadImageError, match=r"even width for YUV 4:2:2.*got 5") as info:
        decode_image(image_message(4, 5, encoding, 10, np.full(40, 128, np.uint8)))
    assert info.value.reason is BadImageReason.BAD_SIZE


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_give_back_a_flat_colour(pattern):
    color = {"r": 200, "g": 120, "b": 40}
    cell = np.array([[color[pattern[0]], color[pattern[1]]], [color[pattern[2]], color[pattern[3]]]], np.uint8)
    mosaic = np.tile(cell, (4, 4))
    frame = decode_image(image_message(8, 8, f"bayer_{pattern}8", 8, mosaic.ravel()))
    assert frame.image[4, 4].tolist() == [200, 120, 40]


def test_jpeg_and_png_become_rgb():
    for suffix, tolerance in ((".png", 0), (".jpg", 40)):
        smooth = cv2.resize(RGB, (60, 40), interpolation=cv2.INTER_CUBIC)
        _, payload = cv2.imencode(suffix, smooth[..., ::-1])
        frame = decode_compressed_image(cdr.write_compressed_image(STAMP, "camera", payload.ravel(), "jpeg"))
        assert np.abs(frame.image.astype(int) - smooth).max() <= tolerance


@pytest.mark.parametrize(
    ("height", "width", "encoding", "step", "size", "reason"),
    [
        (0, 6, "rgb8", 18, 72, BadImageReason.BAD_SIZE),
        (4, 2**31, "rgb8", 18, 72, BadImageReason.BAD_SIZE),
        (4, 6, "rgb8", 17, 72, BadImageReason.BAD_STEP),
        (4, 6, "rgb8", 0, 72, BadImageReason.BAD_STEP),
        (4, 6, "rgb8", 18, 71, BadImageReason.SHORT_DATA),
        (4, 6, "rgb8", 2**32 - 1, 72, BadImageReason.SHORT_DATA),
        (4, 6, "rgb8", 18, 0, BadImageReason.SHORT_DATA),
        (4, 6, "64FC7", 18, 72, BadImageReason.UNKNOWN_ENCODING),
        (4, 6, "", 18, 72, BadImageReason.UNKNOWN_ENCODING),
        (4, 3, "nv12", 3, 18, BadImageReason.BAD_SIZE),
        (3, 4, "nv21", 4, 18, BadImageReason.BAD_SIZE),
        (4, 4, "nv12", 4, 16, BadImageReason.SHORT_DATA),
        (4, 3, "uyvy", 6, 24, BadImageReason.BAD_SIZE),
    ],
)
def test_broken_images_have_named_reasons(height, width, encoding, step, size, reason):
    with pytest.raises(BadImageError) as caught:
        decode_image(image_message(height, width, encoding, step, np.zeros(size, np.uint8)))
    assert caught.value.reason == reason


SMOOTH = np.stack(np.meshgrid(np.linspace(0, 250, 32), np.linspace(250, 0, 24)), -1).astype(np.uint8)
COLOURS = np.dstack([SMOOTH, np.full((24, 32), 60, np.uint8)])
"""Red grows to the right, green upwards; blue is dim."""


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize(
    ("written", "file_order"),
    [
        ("{codec}", "proper"),
        ("bgr8; {codec} compressed bgr8", "proper"),
        ("rgb8; {codec} compressed bgr8", "proper"),
        ("rgb8;{codec} compressed bgr8", "proper"),
        ("rgba8; {codec} compressed bgr8", "proper"),
        ("bayer_rggb8; {codec} compressed bgr8", "proper"),
        ("yuv422_yuy2; {codec} compressed", "proper"),
        ("", "proper"),
        ("rgb8; {codec} compressed rgb8", "swapped"),
        ("bgr8; {codec} compressed rgb8", "swapped"),
    ],
)
def test_compressed_colours_are_right_for_every_format_field(codec, written, file_order):
    bgr = COLOURS[..., ::-1] if file_order == "proper" else COLOURS
    frame = decode_compressed_image(compressed(np.ascontiguousarray(bgr), codec, written.format(codec=codec)))
    assert np.abs(frame.image.astype(int) - COLOURS).max() <= (12 if codec == "jpeg" else 0)


def compressed(pixels, codec, written):
    options = [cv2.IMWRITE_JPEG_QUALITY, 98] if codec == "jpeg" else []
    _, payload = cv2.imencode(f".{codec}", pixels, options)
    return cdr.write_compressed_image(STAMP, "camera", payload.ravel(), written)


@pytest.mark.parametrize("written", ["mono8; png compressed ", "mono8; png compressed mono8", "png"])
def test_compressed_grey_becomes_rgb(written):
    frame = decode_compressed_image(compressed(SMOOTH[..., 0], "png", written))
    assert np.array_equal(frame.image, np.repeat(SMOOTH[..., :1], 3, 2))


def test_a_compressed_mosaic_becomes_rgb():
    colour = (200, 120, 40)
    mosaic = np.zeros((8, 8), np.uint8)
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = colour[channel]
    frame = decode_compressed_image(compressed(mosaic, "png", "bayer_rggb8; png compressed "))
    assert np.array_equal(frame.image[2:-2, 2:-2], np.full((4, 4, 3), colour))


def test_a_deep_png_becomes_eight_bits():
    frame = decode_compressed_image(
        compressed(COLOURS[..., ::-1].astype(np.uint16) * 257, "png", "rgb16; png compressed bgr16")
    )
    assert np.array_equal(frame.image, COLOURS)


def test_the_orientation_tag_of_a_jpeg_is_ignored():
    """Its calibration is of the sensor's pixels."""
    plain = compressed(np.ascontiguousarray(COLOURS[..., ::-1]), "jpeg", "jpeg")
    payload = cv2.imencode(".jpg", COLOURS[..., ::-1])[1].tobytes()
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    exif = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\x00\x00" + tiff  # orientation 6: a quarter turn
    turned = payload[:2] + exif + payload[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (32, 24, 3)  # OpenCV understood
    data = cdr.write_compressed_image(STAMP, "camera", np.frombuffer(turned, np.uint8), "jpeg")
    assert decode_compressed_image(data).image.shape == decode_compressed_image(plain).image.shape


@pytest.mark.parametrize("payload", [b"", b"\xff\xd8\xff\xe0", b"no image at all" * 20])
def test_undecodable_jpegs_have_a_named_reason(payload):
    data = cdr.write_compressed_image(STAMP, "camera", np.frombuffer(payload, np.uint8), "jpeg")
    with pytest.raises(BadImageError) as caught:
        decode_compressed_image(data)
    assert caught.value.reason == BadImageReason.UNDECODABLE


@given(st.binary(max_size=200), st.integers(0, 60))
def test_no_bytes_whatever_crash_the_decoder(noise, keep):
    whole = cdr.write_image(STAMP, "camera", RGB, "bgr8")
    for decode in (decode_image, decode_compressed_image):
        try:
            frame = decode(whole[:keep] + noise)
        except BadImageError:
            continue
        assert frame.image.ndim == 3
