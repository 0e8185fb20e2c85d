# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.media.errors import SourceError
from hmr_ros.media.images import contact_sheet, letterboxed, read_bgr, write_image_file
from test.media.files import jpeg

RED, BLUE = np.full((30, 40, 3), (250, 0, 0), np.uint8), np.full((30, 40, 3), (0, 0, 250), np.uint8)


def test_images_are_written_in_their_colours(tmp_path):
    write_image_file(tmp_path / "red.png", RED)
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 250]


def test_other_shapes_get_a_black_border():
    boxed = letterboxed(RED, (100, 30))
    assert boxed.shape == (30, 100, 3)
    assert not boxed[:, :29].any()
    assert not boxed[:, 71:].any()
    assert (boxed[:, 31:69] == RED[0, 0]).all()


def test_a_contact_sheet_has_a_tile_for_every_image():
    sheet = contact_sheet([RED, BLUE, RED, BLUE])
    height = sheet.shape[0]
    row, column = height // 4, sheet.shape[1] // 6
    colours = [sheet[row, column * c].tolist() for c in (1, 3, 5)]
    assert colours == [[250, 0, 0], [0, 0, 250], [250, 0, 0]]
    assert sheet[3 * row, column].tolist() == [0, 0, 250]
    assert sheet[3 * row, 5 * column].tolist() == [255, 255, 255]


def written(path, encoded):
    path.write_bytes(encoded)
    return path


def png(image):
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((6, 8), 70, np.uint8), [70, 70, 70]),  # grey
        (np.full((6, 8, 4), (10, 20, 30, 128), np.uint8), [10, 20, 30]),  # alpha
        (np.full((6, 8), 70 * 256, np.uint16), [70, 70, 70]),  # 16 bits
        (np.full((6, 8, 4), (10 * 256, 20 * 256, 30 * 256, 0), np.uint16), [10, 20, 30]),
    ],
)
def test_every_kind_of_png_becomes_eight_bits_of_three_channels(tmp_path, image, expected):
    read = read_bgr(written(tmp_path / "a.png", png(image)))
    assert (read.dtype, read.shape) == (np.uint8, (6, 8, 3))
    assert np.allclose(read, expected, atol=1)


def test_a_photo_taken_upright_is_upright(tmp_path):
    sky_on_the_left = np.full((40, 80, 3), 20, np.uint8)
    sky_on_the_left[:, :40] = 230
    upright = read_bgr(written(tmp_path / "a.jpg", jpeg(sky_on_the_left, orientation=6)))
    assert upright.shape == (80, 40, 3)
    assert upright[:30].min() > 180 > 60 > upright[50:].max()


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("text.jpg", b"not an image"),
        ("nothing.png", b""),
        ("cut.jpg", jpeg(np.full((64, 64, 3), 90, np.uint8))[:-40]),
        ("cut.png", png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[:-4000]),
    ],
)
def test_a_file_that_is_no_whole_image_is_named(tmp_path, name, encoded):
    with pytest.raises(SourceError, match=f"{name}: not an image"):
        read_bgr(written(tmp_path / name, encoded))


def with_preview(encoded, preview):
    """A JPEG with another one in its first segment, as cameras write them."""
    return encoded[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2) + preview + encoded[2:]


def test_the_end_of_a_preview_is_not_that_of_the_image(tmp_path):
    image = with_preview(jpeg(RED), jpeg(BLUE))
    assert np.abs(read_bgr(written(tmp_path / "whole.jpg", image)).astype(int) - RED).max() < 5
    with pytest.raises(SourceError, match=r"cut\.jpg: not an image"):
        read_bgr(written(tmp_path / "cut.jpg", image[:-2]))


@pytest.mark.parametrize("length", [2, 3, 4, 5, 20, 200])
def test_a_jpeg_without_its_image_is_named(tmp_path, length):
    with pytest.raises(SourceError, match=r"head\.jpg: not an image"):
        read_bgr(written(tmp_path / "head.jpg", jpeg(RED)[:length]))


def test_what_is_appended_to_a_jpeg_is_ignored(tmp_path):
    """As phones do with the video of a moving photo."""
    image = read_bgr(written(tmp_path / "moving.jpg", jpeg(RED) + b"\0\0ftyp\xff\xda\xff\xd8"))
    assert np.abs(image.astype(int) - RED).max() < 5


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.jpg: cannot be read"):
        read_bgr(tmp_path / "gone.jpg")


def test_a_failed_write_leaves_the_old_image(tmp_path, monkeypatch):
    write_image_file(tmp_path / "a.png", RED)
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_image_file(tmp_path / "a.png", BLUE)
    monkeypatch.undo()
    assert read_bgr(tmp_path / "a.png")[0, 0].tolist() == [0, 0, 250]
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
