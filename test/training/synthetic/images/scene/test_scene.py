# SPDX-License-Identifier: Apache-2.0
"""How a crop of a scene is painted: in order, at the sensor's resolution, black beyond the image."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH
from hmr_ros.training.synthetic.images.clothing.garments import CUT, MATERIAL, Stuff
from hmr_ros.training.synthetic.images.clothing.shading import Template
from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix
from hmr_ros.training.synthetic.images.scene import scene as module
from hmr_ros.training.synthetic.images.scene.figures import Figures
from hmr_ros.training.synthetic.images.scene.occluders import Layer
from hmr_ros.training.synthetic.images.scene.scene import Scene, paint

FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]], np.int32)
STORED = np.array([100.0, 50, 340, 370])
K = np.array([[500.0, 0, 220], [0, 500, 210], [0, 0, 1]])
REST = np.array([(0, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 0)], np.float32)
TEMPLATE = Template(REST, FACES, *(np.zeros(4, np.int32) for _ in range(3)))
PERFECT = SensorMix(*[0.0] * 12, quality=100)


class Blue:
    """A background of one colour."""

    def sample(self, rng, height, width):
        return np.full((height, width, 3), (0, 0, 200), np.uint8)


def figure(left: float, right: float, top: float, bottom: float, depth: float = 3.0) -> np.ndarray:
    pixels = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return np.concatenate([(pixels - K[:2, 2]) / 500 * depth, np.full((4, 1), depth)], 1).astype(np.float32)


def scene_of(*vertices: np.ndarray, layer: Layer | None = None) -> Scene:
    """Red figures that face the camera."""
    count = len(vertices)
    materials = np.zeros((count, len(Stuff)), MATERIAL)
    materials["colour"] = (1, 0, 0)
    normals = np.tile(np.array([0, 0, -1], np.float32), (count, 4, 1))
    figures = Figures(np.stack(vertices), normals, np.tile(REST, (count, 1, 1)), np.zeros(count, CUT), materials)
    return Scene(figures, K, np.array([640, 480]), np.array([0.0, -1, 0]), -1.0, STORED, layer)


def painted(scene: Scene, stored: np.ndarray = STORED) -> np.ndarray:
    return paint(scene, stored, TEMPLATE, Blue(), PERFECT, np.random.default_rng(0)).astype(int)


def test_figures_are_drawn_where_the_camera_sees_them(monkeypatch):
    monkeypatch.setattr(module, "FLOORS", 0.0)
    image = painted(scene_of(figure(200, 240, 100, 300)))
    assert image.shape == (CROP_HEIGHT, CROP_WIDTH, 3)
    red = (image[..., 0] > 40) & (image[..., 2] < 30)
    rows, columns = np.nonzero(red)
    assert (columns.min(), columns.max()) == (pytest.approx(100, abs=1), pytest.approx(140, abs=1))
    assert (rows.min(), rows.max()) == (pytest.approx(50, abs=1), pytest.approx(250, abs=1))
    np.testing.assert_allclose(image[:, :98], np.broadcast_to((0, 0, 200), (CROP_HEIGHT, 98, 3)), atol=1)


def test_the_nearer_of_two_figures_is_seen(monkeypatch):
    monkeypatch.setattr(module, "FLOORS", 0.0)
    scene = scene_of(figure(200, 240, 100, 300), figure(220, 260, 100, 300, depth=2.0))
    scene.figures.materials["colour"][1] = (0, 1, 0)
    image = painted(scene)
    assert image[150, 110, 0] > 40
    assert image[150, 130, 1] > 40
    assert image[150, 130, 0] == 0
    assert len(scene.alone().figures.vertices) == 1
    assert scene.alone().layer is None


@pytest.mark.parametrize("floors", [0.0, 1.0])
def test_shadows_fall_on_a_fraction_of_the_floors(monkeypatch, floors):
    monkeypatch.setattr(module, "FLOORS", floors)
    shaded = []
    monkeypatch.setattr(module, "shade_floor", lambda *arguments: shaded.append(arguments))
    painted(scene_of(figure(200, 240, 100, 300)))
    assert len(shaded) == floors
    if shaded:
        image, _, _, camera, _, floor, _ = shaded[0]
        assert image.shape == (CROP_HEIGHT, CROP_WIDTH, 3)
        np.testing.assert_allclose(camera, [[500, 0, 119.5], [0, 500, 159.5], [0, 0, 1]])
        assert floor == -1.0


def test_small_people_are_drawn_small_and_enlarged():
    small = np.array([200.0, 100, 230, 140])
    image = painted(scene_of(figure(214, 400, 0, 500)), small)
    assert image.shape == (CROP_HEIGHT, CROP_WIDTH, 3)
    edge = image[160, :, 0].astype(float)
    rise = np.flatnonzero((edge > 5) & (edge < edge.max() - 5))
    assert len(rise) >= 4, "a sensor's pixel is eight of the crop, and its edges are as soft"


def test_beyond_the_image_all_is_black():
    image = painted(scene_of(figure(-900, 900, -900, 900)), np.array([-60.0, -80, 180, 240]))
    assert not image[:79].any()
    assert not image[:, :59].any()
    assert (image[81:, 61:].max(-1) > 0).all()


def test_a_thing_hides_the_same_part_of_the_image_in_every_crop(monkeypatch):
    monkeypatch.setattr(module, "FLOORS", 0.0)
    layer = Layer(np.full((CROP_HEIGHT, CROP_WIDTH, 3), 255, np.uint8), np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32))
    layer.alpha[100:200, 60:120] = 1  # px 160 to 220 and 150 to 250 of the image
    scene = scene_of(figure(200, 240, 100, 300), layer=layer)
    for stored in (STORED, STORED + (12, 20, 12, 20), np.array([80.0, 30, 320, 350])):
        rows, columns = np.nonzero((painted(scene, stored) > 250).all(-1))
        left, top = stored[:2]
        assert (columns.min() + left, columns.max() + left) == (pytest.approx(160, abs=1), pytest.approx(219, abs=1))
        assert (rows.min() + top, rows.max() + top) == (pytest.approx(150, abs=1), pytest.approx(249, abs=1))
    assert (painted(dataclasses.replace(scene, layer=None)) < 250).all()
