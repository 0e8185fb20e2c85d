# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.ros.input.image_header import image_size

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".png", []),
        (".jpg", []),
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]),
        (".jpg", [cv2.IMWRITE_JPEG_OPTIMIZE, 1]),
    ],
)
def test_the_size_is_that_of_the_image(suffix, options):
    data = cv2.imencode(suffix, PIXELS, options)[1].tobytes()
    assert image_size(data) == PIXELS.shape[:2]


def test_an_image_that_is_cut_off_is_refused():
    png, jpeg = (cv2.imencode(suffix, PIXELS)[1].tobytes() for suffix in (".png", ".jpg"))
    for end in (8, 9, 15, 20, 40, len(png) // 2, len(png) - 1):
        with pytest.raises(ValueError, match="cut off"):
            image_size(png[:end] if end > 8 else png[:8] + b"\0")
    for end in (2, 3, 6, 20, 100):
        with pytest.raises(ValueError, match="cut off"):
            image_size(jpeg[:end])
    at = png.index(b"IDAT") - 4
    with pytest.raises(ValueError, match="cut off"):
        image_size(png[:at] + b"\x7f\xff\xff\xff" + png[at + 4 :])


def test_a_thumbnail_is_not_the_image():
    """It comes first, in a segment of its own, as cameras write it."""
    data, thumbnail = (cv2.imencode(".jpg", pixels)[1].tobytes() for pixels in (PIXELS, PIXELS[:8, :8]))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    assert image_size(data[:2] + segment + data[2:]) == PIXELS.shape[:2]
    assert image_size(b"\xff\xd8\x00\x17" + data[2:]) == PIXELS.shape[:2]  # junk between segments


@pytest.mark.parametrize("data", [b"", b"\xff", b"BM" * 50])
def test_other_data_has_no_size(data):
    assert image_size(data) is None


@pytest.mark.parametrize("marker", [0x01, *range(0xD0, 0xD9)])
def test_a_jpeg_marker_without_a_segment_is_passed_over(marker):
    frame = bytes([0xFF, 0xC0, 0, 11, 8, 0, 48, 0, 64, 1, 1, 0x11, 0])
    assert image_size(b"\xff\xd8" + bytes([0xFF, marker]) + frame + b"\xff\xd9") == (48, 64)
