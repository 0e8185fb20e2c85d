# SPDX-License-Identifier: Apache-2.0
"""A room as its cameras see it, and in space: fused people, where they truly are, and what each camera says alone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image, Ints
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.people import Bodies, State
from hmr_ros.evaluation.rooms.cameras import Said
from hmr_ros.evaluation.rooms.scenes import ROOM_M, Room, looking
from hmr_ros.perception.overlay import draw_surface, person_color, shade
from hmr_ros.perception.raster import vertex_normals

_SIZE = (720, 1280)
_WALL, _LINE, _TRUTH, _NEAREST_M = (236, 239, 243), (176, 184, 196), (20, 20, 20), 0.1
_CAMERAS = ((200, 60, 40), (30, 120, 200), (40, 150, 70), (150, 80, 180))
_FROM_ABOVE = looking(np.array([-5.5, -7.5, 6.5]), np.array([0.0, 0.3, 0.3]))
_FOCAL = 1050.0


def draw_room(room: Room, said: Sequence[Said], bodies: Bodies, time_s: float, faces: Ints) -> Image:
    """(H, W, 3) RGB: a panel for each camera with the fused ``bodies`` at ``time_s`` on true keypoints, as dots.

    Below it the room from above: bodies, true roots as dots, and a cross for what each camera in ``said`` says alone.
    """
    panels = []
    for number, camera in enumerate(room.cameras):
        panel = _panel(camera.actual, float(camera.camera.K[0, 0]), bodies, faces)
        for person in room.walkers.keypoints_at(time_s):
            _dots(panel, camera.actual, float(camera.camera.K[0, 0]), person, _TRUTH)
        cv2.putText(panel, camera.name, (20, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.4, _CAMERAS[number], 3, cv2.LINE_AA)
        panels.append(panel)
    space = _panel(_FROM_ABOVE, _FOCAL, bodies, faces)
    _dots(space, _FROM_ABOVE, _FOCAL, room.walkers.roots_at(time_s), _TRUTH, 7)
    for number, camera in enumerate(room.cameras):
        _crosses(space, _single(room, said, number, time_s), _CAMERAS[number])
        _dots(space, _FROM_ABOVE, _FOCAL, camera.stated.translation[None], _CAMERAS[number], 14)
    return _arranged(panels, space)


def _single(room: Room, said: Sequence[Said], number: int, time_s: float) -> Floats:
    """(N, 3) m: where one camera alone, with its stated pose, says that people are."""
    last = [each for each in said if each.camera == number and each.time_s <= time_s][-1].bodies
    seen = last.take(last.valid & (last.states == State.TRACKED))
    return room.cameras[number].stated(seen.cam_t.astype(np.float64))


def _panel(pose: Transform, focal: float, bodies: Bodies, faces: Ints) -> Image:
    """The floor's grid of one metre and the bodies, from a camera at ``pose``, world from optical."""
    canvas = np.full((*_SIZE, 3), _WALL, np.uint8)
    half = np.array(ROOM_M) / 2
    for axis in (0, 1):
        inner = np.arange(np.floor(1 - half[axis]), half[axis])
        for place in (-half[axis], *inner, half[axis]):
            ends = np.zeros((60, 3))
            ends[:, axis], ends[:, 1 - axis] = place, np.linspace(-half[1 - axis], half[1 - axis], 60)
            _polyline(canvas, pose, focal, ends)
    people, count = bodies.vertices.shape[:2]
    vertices = pose.inverse()(bodies.vertices.reshape(-1, 3).astype(np.float64))
    every = (faces.astype(np.int64) + count * np.arange(people)[:, None, None]).reshape(-1, 3)
    colors = np.repeat(np.array([person_color(int(i)) for i in bodies.ids]).reshape(-1, 3), count, 0)
    if (vertices[:, 2] > _NEAREST_M).all() and people:
        tint = colors * shade(vertex_normals(vertices, every))[:, None]
        draw_surface(canvas, _pixels(vertices, focal), vertices[:, 2], every, tint)
    return canvas


def _pixels(points: Floats, focal: float) -> Floats:
    return np.asarray(points[:, :2] / np.maximum(points[:, 2:], _NEAREST_M) * focal + [_SIZE[1] / 2, _SIZE[0] / 2])


def _polyline(canvas: Image, pose: Transform, focal: float, points: Floats) -> None:
    optical = pose.inverse()(points)
    pixels = _pixels(optical, focal).round().astype(int)
    for k in range(len(points) - 1):
        if (optical[k : k + 2, 2] > _NEAREST_M).all():
            cv2.line(canvas, pixels[k].tolist(), pixels[k + 1].tolist(), _LINE, 1, cv2.LINE_AA)


def _dots(
    canvas: Image, pose: Transform, focal: float, points: Floats, color: tuple[int, int, int], radius: int = 4
) -> None:
    optical = pose.inverse()(points)
    for pixel in _pixels(optical[optical[:, 2] > _NEAREST_M], focal).round().astype(int).tolist():
        cv2.circle(canvas, pixel, radius, color, -1, cv2.LINE_AA)


def _crosses(canvas: Image, points: Floats, color: tuple[int, int, int]) -> None:
    for pixel in _pixels(_FROM_ABOVE.inverse()(points), _FOCAL).round().astype(int).tolist():
        cv2.drawMarker(canvas, pixel, color, cv2.MARKER_TILTED_CROSS, 22, 3, cv2.LINE_AA)


def _arranged(panels: Sequence[Image], space: Image) -> Image:
    """The cameras' panels in a row above the room."""
    width = space.shape[1] // len(panels)
    small = [cv2.resize(panel, (width, width * _SIZE[0] // _SIZE[1]), interpolation=cv2.INTER_AREA) for panel in panels]
    row = np.concatenate(small, 1)
    row = np.pad(row, ((0, 6), (0, space.shape[1] - row.shape[1]), (0, 0)), constant_values=255)
    return np.concatenate([row, space]).astype(np.uint8)
