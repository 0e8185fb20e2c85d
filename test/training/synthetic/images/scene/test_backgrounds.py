# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.scene import backgrounds as module
from hmr_ros.training.synthetic.images.scene import scenery
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved, coarse


@pytest.fixture
def directory(tmp_path):
    """Two images, one of them in a subfolder."""
    (tmp_path / "more").mkdir()
    for name, paint in (("a.jpg", (255, 0, 0)), ("more/b.png", (0, 255, 0))):
        cv2.imwrite(str(tmp_path / name), np.full((60, 90, 3), paint[::-1], np.uint8))
    return tmp_path


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_the_same_seed_gives_the_same_images(directory, fraction):
    backgrounds = Backgrounds(str(directory), fraction)
    once, again = ([backgrounds.sample(r, 64, 48) for _ in range(20)] for r in map(np.random.default_rng, (1, 1)))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once[0], once[1])


@pytest.mark.parametrize("place", scenery._PLACES)
@pytest.mark.parametrize("size", [(320, 240), (33, 47)])
def test_places_fill_the_image(place, size, rng):
    for _ in range(5):
        drawn = place(rng, *size)
        assert drawn.shape == (*size, 3)
        assert drawn.dtype == np.uint8


def test_scenery_varies(rng):
    means = np.array([Backgrounds(None).sample(rng, 32, 24).mean((0, 1)) for _ in range(200)])
    assert (means.std(0) > 30).all()


def test_images_are_cropped_and_tinted(directory, rng):
    """Red stays mostly red, green mostly green, and both turn up."""
    samples = np.array([Backgrounds(str(directory), 1.0).sample(rng, 50, 20).mean((0, 1)) for _ in range(30)])
    assert (samples.max(1) > 2 * samples[:, 2] + 20).all()
    assert set(samples.argmax(1)) == {0, 1}


def test_the_share_of_images_is_kept(directory, rng):
    cv2.imwrite(str(directory / "a.jpg"), np.full((60, 90, 3), (0, 255, 0), np.uint8))
    backgrounds = Backgrounds(str(directory), 0.7)
    flat = [np.ptp(backgrounds.sample(rng, 16, 16), (0, 1)).max() < 6 for _ in range(400)]
    assert 0.6 < np.mean(flat) < 0.8


def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a directory with .* images, found none"):
        Backgrounds(str(tmp_path))
    with pytest.raises(ValueError, match="found none"):
        Backgrounds(str(tmp_path / "absent"))


def test_unreadable_images_are_named_once(directory):
    for name in ("x.jpg", "y.png"):
        (directory / name).write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"x\.jpg.*y\.png") as told:
        backgrounds = Backgrounds(str(directory))
    assert len(told) == 1
    assert len(backgrounds._images) == 2


def test_a_share_beyond_all_is_refused():
    with pytest.raises(ValueError, match="expected 0 to 1"):
        Backgrounds(None, 1.5)


RAMP = np.stack(np.broadcast_arrays(np.arange(60)[:, None] * 4, np.arange(90)[None] * 2, 128), -1).astype(np.uint8)
"""Red grows downwards, green to the right: where a window was cut can be read off it."""


@pytest.mark.parametrize(
    ("fraction", "top", "left", "side"),
    [(0.0, 0, 0, 24), (0.5, 9, 24, 42), (0.75, 7, 30, 51)],
)
def test_a_window_is_two_fifths_of_the_image_or_larger_and_lies_anywhere(fraction, top, left, side):
    """(60 - side + 1) x (90 - side + 1) places; the ones below a half are mirrored."""
    crop = module._crop(Draws(fraction), RAMP, 30, 30).astype(float)
    np.testing.assert_allclose(crop[[0, -1], 15, 0] / 4, (top, top + side - 1), atol=1.2)
    columns = crop[15, [0, -1], 1] / 2
    np.testing.assert_allclose(columns if fraction >= 0.5 else columns[::-1], (left, left + side - 1), atol=1.2)


@pytest.mark.parametrize("fraction", [0.25, 0.75])
def test_images_are_brightened_and_tinted(fraction):
    grey = np.full((2, 2, 3), 100, np.uint8)
    gain = (0.6 + 0.6 * fraction) * (0.9 + 0.2 * fraction)
    expected = 100 * gain + 30 * fraction - 15
    np.testing.assert_allclose(module._varied(Draws(fraction), grey), expected, atol=1)
    assert module._varied(Draws(fraction), np.full((1, 1, 3), 255, np.uint8)).max() <= 255


def test_large_images_are_kept_small_and_small_ones_as_they_are(tmp_path):
    for name, size in (("large.png", (800, 1600)), ("small.png", (30, 40))):
        cv2.imwrite(str(tmp_path / name), np.zeros((*size, 3), np.uint8))
    assert [image.shape[:2] for image in Backgrounds(str(tmp_path))._images] == [(320, 640), (30, 40)]


def test_many_images_share_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CACHE_BYTES", 2 * 3 * 20**2)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((50, 100, 3), np.uint8))
    assert [image.shape[:2] for image in Backgrounds(str(tmp_path))._images] == [(10, 20)] * 2


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_none_and_all_are_fractions(fraction):
    assert Backgrounds(None, fraction).sample(np.random.default_rng(0), 8, 6).shape == (8, 6, 3)


@pytest.mark.parametrize("height", [200, 20])
def test_a_seed_means_the_same_window_from_version_to_version(height):
    rng = np.random.default_rng(0)
    noise = np.random.default_rng(1).integers(0, 256, (60, 90, 3), np.uint8)
    assert_approved(f"window {height}", coarse(module._varied(rng, module._crop(rng, noise, height, 30))), atol=1.5)
