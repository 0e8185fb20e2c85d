# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from hmr_ros.core.settings import describe
from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix, _streak, expose
from test.training.published import assert_published, assert_ranges
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved, coarse

NOTHING = SensorMix(**{s.name: 100 if s.name == "quality" else 0.0 for s in describe(SensorMix)})


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (80, 60, 3)).astype(np.uint8)


def test_the_same_seed_gives_the_same_image(image):
    once, again = ([expose(image, SensorMix(), r) for _ in range(10)] for r in map(np.random.default_rng, (3, 3)))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once[0], once[1])


def test_without_effects_nothing_happens(image, rng):
    seen = expose(image, NOTHING, rng)
    np.testing.assert_allclose(seen.astype(int), image.astype(int), atol=1)


@pytest.mark.parametrize(
    ("strength", "value"),
    [("exposure", 2.0), ("contrast", 1.0), ("white_balance", 0.5), ("vignette", 1.0), ("noise", 0.4), ("grey", 1.0)]
    + [("low_light", 1.0), ("compressed", 1.0)],
)
def test_every_effect_changes_the_image(image, rng, strength, value):
    mix = replace(NOTHING, **{strength: value}, **({"quality": 30} if strength == "compressed" else {}))
    changes = [np.abs(expose(image, mix, rng).astype(int) - image).mean() for _ in range(10)]
    assert np.mean(changes) > 3


@pytest.mark.parametrize("effect", [{"blurred": 1.0, "defocus": 0.1}, {"moving": 1.0, "motion": 0.2}])
def test_blur_takes_detail_but_no_light(image, rng, effect):
    seen = expose(image, replace(NOTHING, **effect), rng)
    assert np.abs(np.diff(seen.astype(int), axis=0)).mean() < 0.8 * np.abs(np.diff(image.astype(int), axis=0)).mean()
    assert abs(seen.mean() - image.mean()) < 3


def test_noise_grows_with_the_light(rng):
    dark_and_bright = np.repeat(np.array([20, 180], np.uint8), 4000).reshape(80, 100, 1).repeat(3, 2)
    seen = [expose(dark_and_bright, replace(NOTHING, noise=0.15), rng) for _ in range(20)]
    dark, bright = (np.mean([s[rows].std() for s in seen]) for rows in (slice(0, 40), slice(40, 80)))
    assert bright > 1.1 * dark


def test_grey_images_have_no_colour(image, rng):
    assert np.ptp(expose(image, replace(NOTHING, grey=1.0), rng), axis=2).max() == 0


@pytest.mark.parametrize("length", [0.0, 0.4, 3.0, 12.8])
def test_a_streak_is_as_long_as_the_motion_and_centred(length, rng):
    for _ in range(20):
        kernel = _streak(length, rng)
        assert kernel.sum() == pytest.approx(1)
        assert kernel.shape[0] % 2 == 1
        assert kernel.shape[1] % 2 == 1
        y, x = (np.indices(kernel.shape) * kernel).sum((1, 2))
        assert np.hypot(y - kernel.shape[0] // 2, x - kernel.shape[1] // 2) < 0.3
        assert np.hypot(*kernel.shape) >= length


def test_published_errors_are_of_these_sensors():
    light = {"exposure": 0.8, "low_light": 0.1, "contrast": 0.35, "white_balance": 0.12, "vignette": 0.5, "grey": 0.06}
    blur = {"blurred": 0.35, "defocus": 0.012, "moving": 0.2, "motion": 0.04}
    assert_published(SensorMix, **light, **blur, noise=0.04, compressed=0.6, quality=35)
    limits = {"exposure": (0, 4), "contrast": (0, 2), "white_balance": (0, 1), "defocus": (0, 0.1), "motion": (0, 0.2)}
    assert_ranges(SensorMix, **limits, noise=(0, 0.5), quality=(5, 100))


GRADIENT = np.linspace(0, 255, 40 * 30 * 3).reshape(40, 30, 3).astype(np.uint8)


@pytest.mark.parametrize(
    "effect", "exposure low_light contrast white_balance vignette grey blurred moving noise".split()
)
@pytest.mark.parametrize("seed", range(3))
def test_a_seed_means_the_same_camera_from_version_to_version(effect, seed):
    strength = {"blurred": {"defocus": 0.1}, "moving": {"motion": 0.2}, "noise": {"noise": 0.3}}.get(effect, {})
    mix = replace(NOTHING, **{effect: 1.0} | strength)
    assert_approved(f"{effect} {seed}", coarse(expose(GRADIENT, mix, np.random.default_rng(seed))), atol=1.5)


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_means_the_same_image_of_all_effects(seed):
    assert_approved(f"camera {seed}", coarse(expose(GRADIENT, SensorMix(), np.random.default_rng(seed))), atol=1.5)


def test_a_stop_is_half_or_twice_the_light():
    grey = np.full((4, 4, 3), 100, np.uint8)
    for fraction, stops in ((0.0, -1), (0.5, 0), (1.0, 1)):
        seen = expose(grey, replace(NOTHING, exposure=1.0), Draws(fraction))
        np.testing.assert_allclose(seen, 100 * 2 ** (stops / 2.2), atol=1)


def test_a_vignette_takes_its_fraction_of_the_light_from_the_corners():
    seen = expose(np.full((64, 64, 3), 200, np.uint8), replace(NOTHING, vignette=0.5), Draws(1.0)).astype(float)
    np.testing.assert_allclose(seen[0, 0], 100, atol=4)
    np.testing.assert_allclose(seen[0, 32], 150, atol=4)
    np.testing.assert_allclose(seen[32, 32], 200, atol=2)
