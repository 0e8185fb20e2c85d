# SPDX-License-Identifier: Apache-2.0
"""People in space: the bodies of one image seen from beside its camera, over a floor grid of one metre."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image, Ints
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.perception.overlay import draw_surface, person_color, shade
from hmr_ros.perception.raster import vertex_normals
from hmr_ros.results.floor import Floor

_WIDTH, _HEIGHT = 1280, 720
_FOCAL = 1300.0
_SKY = ((250, 250, 252), (222, 228, 236))
_GRID, _SHADOW, _FRUSTUM = (186, 194, 206), (150, 158, 172), (70, 90, 130)
_PLATE_DEPTH = 0.15
"""Length of the drawn frustum, as a fraction of the distance to the farthest body."""
_MARGIN = 0.82
"""Fraction of the image that the scene fills."""


@dataclass(frozen=True, eq=False)
class _View:
    """A virtual camera: its rotation and position in the real camera's optical frame."""

    view_from_optical: Floats
    eye: Floats

    def to_view(self, points: Floats) -> Floats:
        """(..., 3) m, optical frame -> this view's optical frame."""
        return (points - self.eye) @ self.view_from_optical.T

    def pixels(self, points: Floats) -> Floats:
        """(..., 3) m, optical frame -> (..., 2) px; NaN behind the view."""
        x, y, z = np.moveaxis(self.to_view(points), -1, 0)
        z = np.where(z > 0.05, z, np.nan)
        return np.stack([_FOCAL * x / z + _WIDTH / 2, _FOCAL * y / z + _HEIGHT / 2], -1)


def draw_view(image: Image, bodies: Bodies, camera: Camera, faces: Ints, floor: Floor) -> Image:
    """An image (720, 1280, 3) RGB of ``bodies`` (all with a position), the floor and the camera that saw ``image``."""
    view = _beside(bodies, floor)
    canvas = _background()
    _draw_grid(canvas, view, floor, bodies)
    _draw_shadows(canvas, view, floor, bodies, faces)
    _draw_camera(canvas, view, image, camera, _PLATE_DEPTH * float(bodies.cam_t[:, 2].max()))
    people, vertex_count = bodies.vertices.shape[:2]
    vertices = view.to_view(bodies.vertices.reshape(-1, 3).astype(np.float64))
    all_faces = (faces.astype(np.int64) + vertex_count * np.arange(people)[:, None, None]).reshape(-1, 3)
    colors = np.repeat(np.array([person_color(int(i)) for i in bodies.ids]), vertex_count, 0)
    tint = colors * shade(vertex_normals(vertices, all_faces))[:, None]
    pixels = vertices[:, :2] / vertices[:, 2:] * _FOCAL + (_WIDTH / 2, _HEIGHT / 2)
    draw_surface(canvas, pixels, vertices[:, 2], all_faces, tint)
    return canvas


def _beside(bodies: Bodies, floor: Floor) -> _View:
    """A view from behind, above and to the right of the camera that holds the camera and every body."""
    forward, right = floor.axes
    scene = np.concatenate([bodies.joints.reshape(-1, 3), np.zeros((1, 3))]).astype(np.float64)
    target = (scene.min(0) + scene.max(0)) / 2
    back = -0.62 * forward + 0.68 * right + 0.40 * floor.up
    back /= np.linalg.norm(back)
    z = -back
    x = np.cross(z, floor.up)
    x /= np.linalg.norm(x)
    rotation = np.stack([x, np.cross(z, x), z])
    offset = np.abs((scene - target) @ rotation.T)
    reach = np.maximum(offset[:, 0] / (_WIDTH / 2), offset[:, 1] / (_HEIGHT / 2)) * _FOCAL / _MARGIN
    return _View(rotation, target + back * float((reach + offset[:, 2]).max() + 0.5))


def _background() -> Image:
    ramp = np.linspace(0, 1, _HEIGHT)[:, None, None]
    top, bottom = (np.array(color, np.float64) for color in _SKY)
    return np.tile((1 - ramp) * top + ramp * bottom, (1, _WIDTH, 1)).astype(np.uint8)


def _draw_grid(canvas: Image, view: _View, floor: Floor, bodies: Bodies) -> None:
    """Lines one metre apart, from the camera to beyond the farthest body."""
    forward, right = floor.axes
    origin = floor.up * floor.height
    ahead, aside = bodies.cam_t @ forward, bodies.cam_t @ right
    z = np.arange(-1, int(np.ceil(ahead.max())) + 3)
    x = np.arange(int(np.floor(min(aside.min(), 0))) - 2, int(np.ceil(max(aside.max(), 0))) + 3)
    for k in z:
        _line(canvas, view, origin + k * forward + x[0] * right, origin + k * forward + x[-1] * right, _GRID)
    for k in x:
        _line(canvas, view, origin + k * right + z[0] * forward, origin + k * right + z[-1] * forward, _GRID)


def _line(canvas: Image, view: _View, a: Floats, b: Floats, color: tuple[int, int, int], width: int = 1) -> None:
    """A straight line, cut into pieces so that one behind the view loses only its hidden part."""
    pixels = view.pixels(a + np.linspace(0, 1, 33)[:, None] * (b - a))
    visible = np.asarray(np.isfinite(pixels).all(1) & (np.abs(pixels) < 4 * _WIDTH).all(1))
    # OpenCV takes fixed-point pixels: smooth lines need the fraction.
    fixed = np.round(np.where(visible[:, None], pixels, 0) * 16).astype(int)
    for i in np.flatnonzero(visible[:-1] & visible[1:]):
        cv2.line(canvas, fixed[i].tolist(), fixed[i + 1].tolist(), color, width, cv2.LINE_AA, shift=4)


def _draw_shadows(canvas: Image, view: _View, floor: Floor, bodies: Bodies, faces: Ints) -> None:
    layer = canvas.copy()
    for vertices in bodies.vertices:
        pixels = view.pixels(floor.below(vertices.astype(np.float64)))
        triangles = pixels[faces][np.isfinite(pixels[faces]).all((1, 2))]
        for triangle in np.round(triangles).astype(np.int32):
            cv2.fillConvexPoly(layer, triangle, _SHADOW)
    softened = cv2.GaussianBlur(layer, (0, 0), 2.0)
    np.copyto(canvas, cv2.addWeighted(canvas, 0.45, softened, 0.55, 0))


def _draw_camera(canvas: Image, view: _View, image: Image, camera: Camera, length_m: float) -> None:
    """The camera's frustum with the image itself as its front."""
    height, width = image.shape[:2]
    corners_px = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    normalized = (corners_px - camera.K[:2, 2]) / (camera.K[0, 0], camera.K[1, 1])
    corners = np.concatenate([normalized, np.ones((4, 1))], 1) * length_m
    plate = view.pixels(corners)
    if np.isfinite(plate).all():
        warp = cv2.getPerspectiveTransform(corners_px.astype(np.float32), plate.astype(np.float32))
        size = (_WIDTH, _HEIGHT)
        covered = cv2.warpPerspective(np.full((height, width), 255, np.uint8), warp, size)[..., None] / 255.0 * 0.9
        warped = cv2.warpPerspective(image, warp, size, flags=cv2.INTER_AREA)
        np.copyto(canvas, (covered * warped + (1 - covered) * canvas).astype(np.uint8))
    for i in range(4):
        _line(canvas, view, np.zeros(3), corners[i], _FRUSTUM, 2)
        _line(canvas, view, corners[i], corners[(i + 1) % 4], _FRUSTUM, 2)
