# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.training.real.image_size import size_of_header
from hmr_ros.training.real.images import ImageDirectory


@pytest.fixture
def images(tmp_path) -> ImageDirectory:
    """One image: a gradient in x (red) and y (green), one px per step."""
    (tmp_path / "images" / "a").mkdir(parents=True)
    image = np.zeros((120, 160, 3), np.uint8)
    image[..., 2], image[..., 1] = np.arange(160)[None], np.arange(120)[:, None]
    cv2.imwrite(str(tmp_path / "images" / "a" / "1.png"), image)
    return ImageDirectory(tmp_path)


def test_an_image_is_found_below_images_and_read_as_rgb(images):
    assert images.size("a/1.png") == (160, 120)
    assert images.read("a/1.png")[10, 30].tolist() == [30, 10, 0]


def test_a_crop_shows_its_box_and_black_beyond_the_image(images):
    boxes = np.array([[20.0, 10, 84, 74], [-32, -32, 32, 32], [0, 0, 128, 128]])
    same, beyond, half = images.crops(np.array(["a/1.png"] * 3), boxes, (64, 64)).astype(int)
    assert np.abs(same[5, 7] - [27.5, 15.5, 0]).max() <= 1
    assert (beyond[:30, :30] == 0).all()
    assert np.abs(half[10, 20] - [41.0, 21.0, 0]).max() <= 1


def test_what_is_shrunk_does_not_alias(tmp_path):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    cv2.imwrite(str(tmp_path / "s.png"), np.repeat(stripes[..., None], 3, 2))
    (crop,) = ImageDirectory(tmp_path).crops(np.array(["s.png"]), np.array([[0.0, 0, 64, 64]]), (8, 8))
    assert np.abs(crop[2:-2, 2:-2].astype(int) - 127).max() < 12


def test_missing_and_broken_images_are_named(images, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image b\.png, nor in images/ or imageFiles/; docs/datasets"):
        images.read("b.png")
    with pytest.raises(FileNotFoundError, match=r"2 of 3 images are missing, the first is b\.png"):
        images.check(["d.png", "b.png", "a/1.png", "b.png"])
    images.check(["a/1.png"])
    (tmp_path / "c.png").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"c\.png: not an image that OpenCV reads"):
        images.size("c.png")


@pytest.mark.parametrize(("suffix", "flags"), [("png", []), ("jpg", []), ("jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])])
def test_sizes_are_read_from_headers(tmp_path, suffix, flags, monkeypatch):
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), np.zeros((37, 51, 3), np.uint8), flags)
    assert size_of_header(path) == (51, 37)
    monkeypatch.setattr(ImageDirectory, "read", None)
    assert ImageDirectory(tmp_path).size(path.name) == (51, 37)
    if suffix == "jpg":  # a camera's Exif data come first, with an image of their own
        content = path.read_bytes()
        thumbnail = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
        path.write_bytes(content[:2] + thumbnail + content[2:])
        assert size_of_header(path) == (51, 37)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x11\x08", b"BM123"])
def test_files_without_a_known_header_have_no_size(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert size_of_header(tmp_path / "a") is None


def test_other_images_are_decoded_for_their_size(tmp_path):
    cv2.imwrite(str(tmp_path / "a.bmp"), np.zeros((37, 51, 3), np.uint8))
    assert ImageDirectory(tmp_path).size("a.bmp") == (51, 37)
