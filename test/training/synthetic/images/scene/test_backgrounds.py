# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.scene import scenery
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds


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
