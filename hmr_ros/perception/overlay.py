# SPDX-License-Identifier: Apache-2.0
"""Bodies drawn over the image they were estimated from."""

from __future__ import annotations

from colorsys import hsv_to_rgb, rgb_to_hsv

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image, Ints
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.perception.raster import rasterise, vertex_normals

Color = tuple[float, float, float]

_LIGHT_COLORS: tuple[Color, ...] = (
    (0.55, 0.75, 0.95),
    (0.98, 0.70, 0.55),
    (0.62, 0.86, 0.64),
    (0.93, 0.65, 0.83),
    (0.98, 0.88, 0.55),
    (0.68, 0.64, 0.93),
    (0.55, 0.87, 0.86),
    (0.92, 0.60, 0.60),
)


def _deeper(color: Color, times: int) -> Color:
    """``color`` darker and more saturated, of a hue between those of the light ones."""
    hue, saturation, value = rgb_to_hsv(*color)
    return hsv_to_rgb((hue + times / 16) % 1, min(1, saturation * 1.8**times), value * 0.7**times)


_PALETTE = tuple(_deeper(color, times) for times in range(3) for color in _LIGHT_COLORS)
"""24 colours, each as far from all others (CIE 1976: 20) as the light ones are from each other."""

_LIGHT = np.array([-0.35, -0.55, -0.75]) / np.linalg.norm([-0.35, -0.55, -0.75])
"""Unit vector towards the light in the optical frame: from the upper left behind the camera."""

_AMBIENT, _DIFFUSE = 0.38, 0.72
_OPACITY, _COASTING_OPACITY = 0.92, 0.45
_SEEN = 0.3


def person_color(track_id: int) -> Color:
    """RGB 0..1 of a track, the same wherever people are shown; 24 consecutive ids have colours of their own."""
    return _PALETTE[track_id % len(_PALETTE)]


def draw_bodies(image: Image, bodies: Bodies, camera: Camera | None, faces: Ints) -> Image:
    """A copy of ``image`` (H, W, 3) uint8 RGB with shaded meshes, and keypoints of people without a position.

    ``faces`` (F, 3) are those of every body. Coasting tracks are paler, and behind the others. Without ``camera``,
    there are no meshes.
    """
    canvas = image.copy()
    if camera is not None:
        seen = bodies.states != State.COASTING
        for rows, opacity in ((bodies.valid & ~seen, _COASTING_OPACITY), (bodies.valid & seen, _OPACITY)):
            if rows.any():
                _draw_meshes(canvas, bodies.take(rows), camera, faces, opacity)
    for row in np.flatnonzero(~bodies.valid):
        _draw_keypoints(canvas, bodies, int(row))
    return canvas


def _draw_meshes(canvas: Image, bodies: Bodies, camera: Camera, faces: Ints, opacity: float) -> None:
    """Draw valid ``bodies`` into ``canvas`` (H, W, 3) with one depth buffer, so that they hide each other."""
    people, vertex_count = bodies.vertices.shape[:2]
    vertices = bodies.vertices.reshape(-1, 3).astype(np.float64)
    all_faces = (faces.astype(np.int64) + vertex_count * np.arange(people)[:, None, None]).reshape(-1, 3)
    colors = np.array([person_color(int(i)) for i in bodies.ids])
    tint = np.repeat(colors, vertex_count, 0) * shade(vertex_normals(vertices, all_faces))[:, None]
    draw_surface(canvas, project(vertices, camera), vertices[:, 2], all_faces, tint, opacity)


def shade(normals: Floats) -> Floats:
    """Brightness (V,) of surfaces with unit ``normals`` (V, 3) in optical axes (Lambert)."""
    brightness: Floats = _AMBIENT + _DIFFUSE * np.clip(normals @ _LIGHT, 0, None)
    return brightness


def draw_surface(
    canvas: Image,
    pixels: Floats,
    depth: Floats,
    faces: Ints,
    tint: Floats,
    opacity: float = _OPACITY,
) -> None:
    """Draw a mesh into ``canvas`` (H, W, 3) uint8 RGB, with a soft rim.

    ``pixels`` (V, 2) px; ``depth`` (V,) m along the optical axis; ``faces`` (F, 3); ``tint`` (V, 3) RGB 0..1.
    """
    height, width = canvas.shape[:2]
    visible = rasterise(pixels, depth, faces, height, width)
    if len(visible.rows) == 0:
        return
    color = np.clip(visible.interpolate(faces, tint), 0, 1) * 255
    where = visible.rows, visible.columns
    coverage = np.zeros((height, width), np.float32)
    coverage[where] = 1
    alpha = opacity * cv2.blur(coverage, (3, 3))[where][:, None]
    canvas[where] = (alpha * color + (1 - alpha) * canvas[where]).astype(np.uint8)


def _draw_keypoints(canvas: Image, bodies: Bodies, row: int) -> None:
    """Draw bones between the seen keypoints of one person into ``canvas`` (H, W, 3)."""
    color = tuple(255 * c for c in person_color(int(bodies.ids[row])))
    seen = bodies.kp2d_score[row] > _SEEN
    points = np.round(np.nan_to_num(bodies.kp2d[row])).astype(int)
    for a, b in JOINT_SETS[bodies.joint_set].edge_indices:
        if seen[a] and seen[b]:
            cv2.line(canvas, points[a].tolist(), points[b].tolist(), color, 2, cv2.LINE_AA)
