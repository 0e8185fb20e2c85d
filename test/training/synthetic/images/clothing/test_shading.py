# SPDX-License-Identifier: Apache-2.0
"""Flat squares painted and lit: what a pixel shows of colours, light, edges and depth."""

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.clothing.garments import CUT, MATERIAL, Stuff
from hmr_ros.training.synthetic.images.clothing.shading import SAMPLES, Meshes, Template, shade
from hmr_ros.training.synthetic.images.rendering.lights import Lights, ShadowMap
from hmr_ros.training.synthetic.images.rendering.raster import Canvas

SIDE = 8
FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]], np.int32)
FACING, UP, DOWN = (0.0, 0, -1), (0.0, -1, 0), (0.0, 1, 0)
GREY = (0.25, 0.25, 0.25)
NONE = (0.0, 0, 0)
NO_SHADOWS = ShadowMap(np.zeros((3, 3), np.float32), np.full(3, -1, np.float32), np.zeros((2, 2), np.float32))
HALF_SHADOW = ShadowMap(
    np.zeros((3, 3), np.float32), np.array([0.5, 0, 50], np.float32), np.array([[1, 0], [1, 0]], np.float32)
)
ALL_SHADOW = ShadowMap(np.zeros((3, 3), np.float32), np.array([0, 0, 50], np.float32), np.ones((2, 2), np.float32))


def square(left: float = -1, right: float = SIDE + 1, top: float = -1, bottom: float = SIDE + 1) -> list:
    """Corners (4, 2) px of the image: column, row."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def wearing(colour, shoes=NONE, gloss: float = 0) -> np.ndarray:
    """Materials: bare skin of a ``colour``, and shoes."""
    materials = np.zeros(len(Stuff), MATERIAL)
    materials["colour"][Stuff.SKIN], materials["colour"][Stuff.SHOES] = colour, shoes
    materials["gloss"] = gloss
    return materials


def lights(above=(1, 1, 1), below=None, lamps=((FACING, NONE),)) -> Lights:
    """Ambient light, and lamps: the directions they are in, their colours."""
    towards = np.array([direction for direction, _ in lamps], np.float64)
    halfway = towards + FACING
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    arrays = (UP, above, above if below is None else below, towards, halfway, [colour for _, colour in lamps])
    return Lights(*(np.array(array, np.float32) for array in arrays))


def painted(corners, materials, light, normal=FACING, depth=(2, 2, 2, 2), shadows=NO_SHADOWS, behind=0) -> np.ndarray:
    """(SIDE, SIDE, 3): bodies, each with ``corners`` (4, 2) px, before a grey ``behind``. Shoes reach up to the middle
    of every body.
    """
    bodies = len(corners)
    cuts = np.zeros(bodies, CUT)
    for name in ("inner_sleeve", "outer_sleeve", "waist", "sock"):
        cuts[name] = -9
    cuts["hair_length"], cuts["shoe"] = 9, 0.5
    pixels = SAMPLES * (np.array(corners) + 0.5) - 0.5
    points = np.concatenate([pixels, np.broadcast_to(depth, (bodies, 4))[..., None]], -1).astype(np.float32)
    rest = np.tile(np.array([(0, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 0)], np.float32), (bodies, 1, 1))
    normals = np.tile(np.array(normal, np.float32), (bodies, 4, 1))
    canvas = Canvas.blank(SIDE * SAMPLES, SIDE * SAMPLES)
    for body in range(bodies):
        canvas.draw(points[body], FACES, body * len(FACES))
    image = np.full((SIDE, SIDE, 3), behind, np.uint8)
    joints = np.zeros(4, np.int32)
    template = Template(rest[0], FACES, joints, joints, joints)
    shade(canvas.face, Meshes(points, normals, rest, cuts, np.stack(materials)), template, light, shadows, image)
    return image


def skin(light: Lights, gloss: float = 0, colour=GREY, **options) -> list[int]:
    """RGB of a square's skin."""
    return painted([square()], [wearing(colour, gloss=gloss)], light, **options)[2, 2].tolist()


def test_where_no_body_is_the_background_stays():
    image = painted([square(left=3.5)], [wearing(GREY)], lights(), behind=77)
    assert (image[:, :4] == 77).all()
    assert (image[:3, 4:] == 128).all()


def test_colours_are_lit_in_linear_light():
    assert skin(lights(above=(1, 0.5, 0)), colour=(0.25, 0.5, 1)) == [128, 128, 0]
    assert skin(lights(above=(3, 3, 3)), colour=(1, 1, 1)) == [255] * 3


def test_a_pixel_that_is_half_a_body_shows_half_the_background():
    image = painted([square(left=4)], [wearing((1, 1, 1))], lights(), behind=100)
    expected = np.sqrt(((100 / 255) ** 2 + 1) / 2) * 255
    assert image[2, 3:6, 0].tolist() == [100, pytest.approx(expected, abs=1), 255]


def test_a_pixel_of_two_bodies_shows_half_of_each():
    colours = [wearing((1, 0, 0)), wearing((0, 1, 0))]
    image = painted([square(right=4), square(left=4.1)], colours, lights(above=(1, 1, 1)))
    assert image[2, 3].tolist() == [255, 0, 0]
    assert image[2, 4].tolist() == [180, 180, 0]
    assert image[2, 5].tolist() == [0, 255, 0]


@pytest.mark.parametrize(("depth", "border"), [((2, 2, 2, 2), 4), ((6, 6, 2, 2), 2)])
def test_garments_end_where_perspective_shows_their_end(depth, border):
    """The middle of a square whose upper end is three times as far away is seen at a quarter of its height."""
    body = square(top=-0.5, bottom=SIDE - 0.5)
    image = painted([body], [wearing((1, 0, 0), shoes=(0, 0, 1))], lights(), depth=depth)
    assert (image[:border, :, 0] == 255).all()
    assert (image[border:, :, 2] == 255).all()


@pytest.mark.parametrize(("normal", "expected"), [(UP, [255, 0, 0]), (DOWN, [0, 0, 255]), (FACING, [180, 0, 180])])
def test_surroundings_light_a_surface_from_where_it_faces(normal, expected):
    assert skin(lights((1, 0, 0), (0, 0, 1)), normal=normal, colour=(1, 1, 1)) == expected


@pytest.mark.parametrize(("normal", "fraction"), [(FACING, 0), (UP, 1), (DOWN, 0), ((0, -0.6, -0.8), 0.6)])
def test_a_lamp_lights_what_faces_it(normal, fraction):
    light = lights(NONE, lamps=((UP, (0.5, 0.25, 0)),))
    expected = np.sqrt(np.array([0.5, 0.25, 0]) * fraction) * 255
    assert skin(light, normal=normal, colour=(1, 1, 1)) == pytest.approx(expected, abs=1)


def test_the_first_lamp_alone_throws_shadows():
    light = lights(NONE, lamps=((FACING, (1, 0, 0)), (FACING, (0, 1, 0))))
    assert skin(light, colour=(1, 1, 1)) == [255, 255, 0]
    assert skin(light, colour=(1, 1, 1), shadows=HALF_SHADOW) == [180, 255, 0]
    assert skin(light, colour=(1, 1, 1), shadows=ALL_SHADOW) == [0, 255, 0]


def test_what_shines_shows_the_lamp_itself_where_it_is_mirrored():
    light = lights(NONE, lamps=((FACING, (0.5, 0.25, 0.1)),))
    mirrored = np.sqrt(0.5 * np.array([0.5, 0.25, 0.1])) * 255
    black = {"gloss": 0.5, "colour": NONE}
    assert skin(light, **black) == pytest.approx(mirrored, abs=1)
    assert skin(light, **black, shadows=HALF_SHADOW) == pytest.approx(mirrored / np.sqrt(2), abs=1)
    assert max(skin(light, **black, normal=(0.6, 0, -0.8))) < 0.3 * mirrored[0]
    assert skin(light, colour=NONE) == [0, 0, 0]
    assert skin(light, **black, shadows=ALL_SHADOW) == [0, 0, 0]
