# SPDX-License-Identifier: Apache-2.0
"""One image: the people and things in it, and how a crop of it is painted."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Float64s, Image, Int64s
from hmr_ros.core.geometry.crop import inverse
from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH
from hmr_ros.training.synthetic.images.clothing.shading import SAMPLES, Meshes, Template, shade
from hmr_ros.training.synthetic.images.rendering.framing import (
    blacken_outside,
    canvas_camera,
    canvas_from_image,
    canvas_size,
    project,
)
from hmr_ros.training.synthetic.images.rendering.lights import cast_shadows, sample_lights, shade_floor
from hmr_ros.training.synthetic.images.rendering.raster import Canvas
from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix, expose
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds
from hmr_ros.training.synthetic.images.scene.figures import Figures
from hmr_ros.training.synthetic.images.scene.occluders import Layer

FLOORS = 0.6
"""Fraction of images with shadows on the floor: not every background has one."""


@dataclass(frozen=True, eq=False)
class Scene:
    """``figures``, the labelled one first; the camera's ``K`` (3, 3) px and ``image_size`` (2,); ``up`` (3,) the
    world's up in the optical frame and the ``floor``'s place along it, m; and a thing in front of all, ``layer``, drawn
    over the crop that shows ``stored`` (4,) px.
    """

    figures: Figures
    K: Float64s
    image_size: Int64s
    up: Float64s
    floor: float
    stored: Float64s
    layer: Layer | None

    def alone(self) -> Scene:
        """The subject with no people or things around it."""
        return dataclasses.replace(self, figures=self.figures.take(slice(1)), layer=None)


def paint(
    scene: Scene, stored: Float64s, template: Template, backgrounds: Backgrounds, sensor: SensorMix, rng: Generator
) -> Image:
    """(CROP_HEIGHT, CROP_WIDTH, 3): ``stored`` (4,) px of the full image as a camera saw it.

    Small people are drawn as small as the sensor would, spoiled by it, and then enlarged; large ones, of which the
    sensor saw more than the crop keeps, are drawn at the size of the crop.
    """
    height, width = canvas_size(stored)
    image = np.ascontiguousarray(backgrounds.sample(rng, height, width))
    draw_figures(scene, stored, template, image, rng)
    if scene.layer is not None:
        image = _fitted(scene.layer, scene.stored, stored, height, width).over(image)
    image = np.ascontiguousarray(expose(image, sensor, rng))
    blacken_outside(image, stored, scene.image_size)
    if (height, width) == (CROP_HEIGHT, CROP_WIDTH):
        return image
    return np.asarray(cv2.resize(image, (CROP_WIDTH, CROP_HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)


def draw_figures(scene: Scene, stored: Float64s, template: Template, image: Image, rng: Generator) -> None:
    """Draw the figures into ``image`` (H, W, 3), in place, which shows ``stored`` (4,) px of the full image."""
    figures, faces = scene.figures, template.faces
    lights = sample_lights(image, scene.up, rng)
    camera = canvas_camera(scene.K, canvas_from_image(stored, *image.shape[:2]))
    if rng.random() < FLOORS:
        shade_floor(image, figures.vertices, faces, camera, lights, scene.floor, rng)
    height, width = image.shape[0] * SAMPLES, image.shape[1] * SAMPLES
    camera = canvas_camera(scene.K, canvas_from_image(stored, height, width))
    points = project(figures.vertices, camera)
    canvas = Canvas.blank(height, width)
    for index in range(len(points)):
        canvas.draw(points[index], faces, index * len(faces))
    meshes = Meshes(points, figures.normals, figures.rest, figures.cuts, figures.materials)
    shade(canvas.face, meshes, template, lights, cast_shadows(figures.vertices, faces, lights, camera), image)


def _fitted(layer: Layer, drawn: Float64s, stored: Float64s, height: int, width: int) -> Layer:
    """``layer``, drawn over a crop of ``drawn`` (4,) px, as a crop of ``stored`` (4,) px sees it."""
    to_canvas = canvas_from_image(stored, height, width)
    from_layer = inverse(canvas_from_image(drawn, CROP_HEIGHT, CROP_WIDTH))
    affine = to_canvas[:, :2] @ from_layer
    affine[:, 2] += to_canvas[:, 2]

    size = (width, height)
    rgb = cv2.warpAffine(layer.rgb, affine, size, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(layer.alpha, affine, size, borderMode=cv2.BORDER_REPLICATE)
    return Layer(np.asarray(rgb, np.uint8), np.asarray(alpha, np.float32))
