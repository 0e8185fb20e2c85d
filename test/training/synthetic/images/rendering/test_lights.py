# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.rendering.lights import (
    Lights,
    cast_shadows,
    lit_fraction,
    sample_lights,
    shade_floor,
)
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved

CAMERA = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])


def lights(towards: tuple[float, float, float]) -> Lights:
    """One lamp; the camera is level."""
    one = np.ones(3, np.float32)
    direction = np.array([towards], np.float32) / np.linalg.norm(towards)
    return Lights(np.array([0, -1, 0], np.float32), one, one, direction, direction, one[None])


def slab(height: float, depth: tuple[float, float], half: float) -> np.ndarray:
    """Corners of a horizontal square, y down."""
    near, far = depth
    corners = [(-half, height, near), (half, height, near), (half, height, far), (-half, height, far)]
    return np.array(corners, np.float32)


FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]], np.int32)


def test_a_roof_shades_what_is_below_it():
    roof, ground = slab(-0.5, (2.8, 3.2), 0.2), slab(0.5, (2, 4), 1)
    shadows = cast_shadows(np.stack([ground, roof]), FACES, lights((0, -1, 0)), CAMERA)

    def reached(x: float, y: float, z: float) -> float:
        return lit_fraction(shadows, np.float32(100 * x / z + 50), np.float32(100 * y / z + 50), np.float32(z))

    assert reached(0, 0.5, 3) == 0
    assert reached(0.6, 0.5, 3) == 1
    assert reached(0, -0.5, 3) == 1
    assert reached(5, 0.5, 3) == 1


def upright(x: float, y: float, depth: float, half: float) -> np.ndarray:
    """Corners of a square that faces the camera."""
    return np.array([(x + i * half, y + k * half, depth) for i, k in [(-1, -1), (1, -1), (1, 1), (-1, 1)]], np.float32)


@pytest.mark.parametrize("towards", [(0, 0, -1), (0, -0.6, -0.8), (0.6, 0, -0.8)])
def test_a_thing_before_a_wall_shades_it_where_no_lamp_shines_past(towards):
    wall, thing = upright(0, 0, 4, 1), upright(0.25, 0.25, 3.6, 0.2)
    shadows = cast_shadows(np.stack([wall, thing]), FACES, lights(towards), CAMERA)
    shift = -0.4 * np.array(towards) / -towards[2]  # of the shadow from the thing
    for i in (-1, 1):
        for k in (-1, 1):
            x, y = 0.25 * i + shift[0], 0.25 * k + shift[1]
            reached = lit_fraction(shadows, *map(np.float32, (100 * x / 4 + 50, 100 * y / 4 + 50, 4)))
            assert reached == (0 if i == k == 1 else 1)


def test_shadows_fall_on_the_floor_away_from_the_lamp(rng):
    """A lamp on the left throws the shadow of what floats in the middle to the right."""
    image = np.full((100, 100, 3), 200, np.uint8)
    slanted = lights((-1, -1, 0))
    shade_floor(image, slab(0.2, (2.8, 3.2), 0.2)[None], FACES, CAMERA, slanted, -1.0, rng)
    dark = np.argwhere(image[..., 0] < 190)
    assert len(dark)
    assert (dark[:, 1] > 60).all()
    assert (dark[:, 0] > 70).all()


def test_low_lamps_throw_none(rng):
    image = np.full((100, 100, 3), 200, np.uint8)
    shade_floor(image, slab(0.2, (2.8, 3.2), 0.2)[None], FACES, CAMERA, lights((-1, -0.1, 0)), -1.0, rng)
    assert (image == 200).all()


def test_surroundings_set_the_ambient_light():
    def ambient(colour: int) -> float:
        surroundings = np.full((20, 20, 3), colour, np.uint8)
        drawn = [sample_lights(surroundings, np.array([0, -1.0, 0]), np.random.default_rng(i)) for i in range(20)]
        return float(np.mean([light.above for light in drawn]))

    assert ambient(220) > 1.5 * ambient(20)


def test_one_to_three_lamps_light_a_scene_mostly_from_above():
    surroundings, up = np.full((20, 20, 3), 100, np.uint8), np.array([0, -1.0, 0])
    drawn = [sample_lights(surroundings, up, np.random.default_rng(i)) for i in range(60)]
    assert {len(light.towards) for light in drawn} == {len(light.colour) for light in drawn} == {1, 2, 3}
    towards = np.concatenate([light.towards for light in drawn])
    np.testing.assert_allclose(np.linalg.norm(towards, axis=1), 1, rtol=1e-5)
    assert 0.7 < (towards @ up > 0).mean() < 1


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_light_is_what_was_drawn(fraction):
    """Unit vectors, and colours from warm to cold; the brighter half of the surroundings is above."""
    surroundings = np.repeat(np.array([200, 40], np.uint8), 10)[:, None, None].repeat(8, 1).repeat(3, 2)
    drawn = sample_lights(surroundings, np.array([0, -1.0, 0]), Draws(fraction))
    assert all(part.dtype == np.float32 for part in drawn)
    np.testing.assert_allclose(np.linalg.norm(drawn.towards, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(drawn.halfway, axis=1), 1, rtol=1e-4)
    between = drawn.towards + (0, 0, -1)
    np.testing.assert_allclose(np.cross(between, drawn.halfway), 0, atol=1e-5)
    assert (drawn.above > drawn.below).all()
    numbers = np.concatenate([part.ravel() for part in drawn])
    assert_approved(f"lights at {fraction}", numbers, atol=1e-3)


@pytest.mark.parametrize(("sine", "shaded"), [(0.29, False), (0.31, True)])
def test_lamps_throw_shadows_on_the_floor_from_17_degrees_up(sine, shaded, rng):
    image = np.full((100, 100, 3), 200, np.uint8)
    lamp = lights((0.0, -sine, -np.sqrt(1 - sine**2)))
    shade_floor(image, slab(0.8, (2.8, 3.2), 0.4)[None], FACES, CAMERA, lamp, -1.0, rng)
    assert (image < 200).any() == shaded
