# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.training.synthetic.noise import taxonomy
from hmr_ros.training.synthetic.persistence import Clock, Persistence, persistent_error

JOINTS = COCO_FEET.size


def stamps(people, images, dt_s):
    return np.broadcast_to(dt_s * np.arange(images), (people, images))


@pytest.mark.parametrize(("dt_s", "expected"), [(0.02, np.exp(-0.1)), (0.2, np.exp(-1)), (20.0, 0.0)])
def test_a_state_is_kept_with_the_probability_that_its_time_constant_gives(dt_s, expected):
    rng = np.random.default_rng(0)
    clock = Clock.drawn(stamps(200, 20, dt_s), JOINTS, Persistence(seconds=(0.2, 0.2)), rng)
    state = clock.held(rng.random((200, 20, JOINTS, 2)), rng)
    kept = (state[:, 1:] == state[:, :-1]).all(-1)
    assert kept.mean() == pytest.approx(expected, abs=0.01)


def test_every_image_alone_has_the_error_classes_of_the_taxonomy():
    rng = np.random.default_rng(1)
    pixels = 100 * rng.random((400, 6, JOINTS, 2)) + 50
    clock = Clock.drawn(stamps(400, 6, 0.1), JOINTS, Persistence(), rng)
    quiet = Persistence(tremble=0.0)
    found = persistent_error(pixels, COCO_FEET, "coco", np.ones(400), clock, quiet, rng)
    size = np.sqrt(np.ptp(pixels, axis=2).prod(-1))[..., None]
    distance = np.linalg.norm(found - pixels, axis=-1) / size
    table, nose = taxonomy(COCO_FEET), COCO_FEET.index("nose")
    good = (distance[..., nose] <= table.outer[nose, 0]).mean()
    assert good == pytest.approx(table.probability[nose, 0], abs=0.03)


def test_people_without_errors_keep_their_keypoints():
    rng = np.random.default_rng(2)
    pixels = rng.random((3, 5, JOINTS, 2))
    clock = Clock.drawn(stamps(3, 5, 0.1), JOINTS, Persistence(), rng)
    for model in ("coco", "movenet", "human36m"):
        found = persistent_error(pixels, COCO_FEET, model, np.zeros(3), clock, Persistence(), rng)
        np.testing.assert_array_equal(found, pixels)


def test_small_errors_last_but_for_their_tremble():
    rng = np.random.default_rng(3)
    pixels = np.broadcast_to(300 * rng.random((100, 1, JOINTS, 2)), (100, 8, JOINTS, 2))
    clock = Clock.drawn(stamps(100, 8, 1e-6), JOINTS, Persistence(), rng)
    error = persistent_error(pixels, COCO_FEET, "human36m", np.ones(100), clock, Persistence(), rng) - pixels
    tremble = np.diff(error, axis=1).std() / error.std()
    assert 0.2 < tremble < 0.6
    still = persistent_error(pixels, COCO_FEET, "human36m", np.ones(100), clock, Persistence(tremble=0.0), rng)
    np.testing.assert_allclose(np.diff(still, axis=1), 0, atol=1e-9)
