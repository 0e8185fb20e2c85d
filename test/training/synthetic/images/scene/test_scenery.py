# SPDX-License-Identifier: Apache-2.0
"""Places: rooms, streets, clutter; each by itself, its surfaces flat so that their borders are seen."""

import itertools

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.scene import scenery
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved, coarse

HEIGHT, WIDTH = 80, 60


@pytest.fixture
def flat(monkeypatch):
    """Every texture is of one level, the next one of another."""
    levels = itertools.cycle(range(20, 250, 37))

    def texture(rng, height, width):
        return np.full((height, width, 3), next(levels), np.uint8)

    monkeypatch.setattr(scenery, "texture", texture)


@pytest.mark.parametrize("place", scenery._PLACES[:3])
@pytest.mark.parametrize("seed", range(5))
def test_a_seed_means_the_same_place_from_version_to_version(place, seed, flat):
    drawn = place(np.random.default_rng(seed), HEIGHT, WIDTH)
    assert_approved(f"{place.__name__} {seed}", coarse(drawn), atol=1.0)


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.75, 0.95])
@pytest.mark.parametrize("place", scenery._PLACES[:3])
def test_a_place_is_made_of_what_was_drawn(place, fraction, flat):
    drawn = place(Draws(fraction), HEIGHT, WIDTH)
    assert_approved(f"{place.__name__} at {fraction}", coarse(drawn), atol=1.0)


@pytest.mark.parametrize("seed", range(6))
def test_scenery_is_one_of_the_places_in_its_light(seed, flat):
    assert_approved(f"scenery {seed}", coarse(scenery.scenery(np.random.default_rng(seed), HEIGHT, WIDTH)), atol=1.0)


def test_the_sky_is_brightest_at_the_horizon_and_stays_so_below():
    sky = scenery._sky(Draws(0.0), 100, 4, 50.0)  # no clouds
    np.testing.assert_array_equal(sky[:, 0], np.minimum(255 * np.arange(100) / 50, 255).astype(np.uint8))
    assert scenery._sky(Draws(0.0), 3, 4, 0.0)[1, 0] == 255


def test_what_stands_on_the_horizon_rises_from_it():
    for seed in range(20):
        canvas = np.full((60, 40, 3), 255, np.uint8)
        scenery._horizon(np.random.default_rng(seed), canvas, 40.0)
        changed = (canvas != 255).any((1, 2))
        assert not changed[41:].any(), "nothing hangs below it"
        assert changed[36:40].any()


@pytest.mark.parametrize("fraction", [0.25, 0.75])
def test_furniture_stands_on_its_ground_and_runs_to_the_vanishing_point(fraction, flat):
    canvas = np.zeros((80, 60, 3), np.uint8)
    scenery._furnish(Draws(fraction), canvas, 60.0, np.array([30.0, 20.0]), 16.0)
    rows, _ = np.nonzero(canvas.any(-1))
    back = 20 + 24 * (0.6 + 0.35 * fraction)  # px, of the top, which is 24 below the vanishing point in front
    assert (rows.min(), rows.max()) == (pytest.approx(back, abs=1), pytest.approx(60, abs=1))
    assert_approved(f"furniture at {fraction}", coarse(canvas), atol=1.0)


@pytest.mark.parametrize(
    ("low", "high", "rows", "columns"),
    [
        ((2, 3), (5, 7), (3, 7), (2, 5)),
        ((-4, -4), (4, 4), (0, 4), (0, 4)),
        ((6, 6), (99, 99), (6, 10), (6, 8)),
        ((3, 3), (3, 6), (0, 0), (0, 0)),
        ((3, 3), (6, 3), (0, 0), (0, 0)),
        ((20, 20), (30, 30), (0, 0), (0, 0)),
        ((1.6, 2.4), (4.4, 5.6), (2, 6), (2, 4)),
    ],
)
def test_a_surface_is_pasted_as_far_as_it_lies_in_the_canvas(low, high, rows, columns):
    canvas, expected = np.zeros((10, 8, 3), np.uint8), np.zeros((10, 8, 3), np.uint8)
    scenery._paste(canvas, np.array(low, float), np.array(high, float), np.full((2, 2, 3), 9, np.uint8))
    expected[slice(*rows), slice(*columns)] = 9
    np.testing.assert_array_equal(canvas, expected)


def test_a_surface_is_laid_onto_its_corners_in_perspective():
    surface = np.zeros((40, 40, 3), np.uint8)
    surface[20:] = 200  # the nearer half
    canvas = np.full((50, 60, 3), 77, np.uint8)
    scenery._lay(canvas, np.array([(20.0, 10), (40, 10), (60, 50), (0, 50)]), surface)
    assert (canvas[:10] == 77).all()
    assert (canvas[12:18, 25:35] == 0).all(), "the far half is foreshortened: it ends at a quarter of the height"
    assert (canvas[22:49, 20:40] == 200).all()
    assert (canvas[15, :15] == 77).all()
    outside = canvas.copy()
    for quad in ([(70, 0), (90, 0), (90, 9), (70, 9)], [(0, 60), (9, 60), (9, 70), (0, 70)]):
        scenery._lay(outside, np.array(quad, float), surface)
    np.testing.assert_array_equal(outside, canvas)
