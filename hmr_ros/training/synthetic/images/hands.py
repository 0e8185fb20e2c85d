# SPDX-License-Identifier: Apache-2.0
"""Images of single right hands, most of them with their forearm, in front of backgrounds.

MediaPipe's hand network is shown them, so that Pose2Mesh on hands learns from the errors that it really makes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Float32s, Float64s, Floats, Image, Int32s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.camera import Camera
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic.hands import HandDraws, PlacedHands, palm_lengths
from hmr_ros.training.synthetic.images.rendering.framing import project
from hmr_ros.training.synthetic.images.rendering.raster import NOTHING, Canvas, vertex_normals
from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix, expose
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds

SIDE_PX = 256
"""Side of the images."""

SENSOR = SensorMix(blurred=0.25, defocus=0.008, moving=0.1, motion=0.02)
"""Blurred less than images of people: the detector is shown hands that it can see."""

_HAND_PX = (50, 170)
"""Smallest and largest size of a hand."""
_WITH_ARM, _SLEEVED = 0.8, 0.7
_SLEEVE_M = (0.005, 0.2)
"""From the wrist to the sleeve."""
_SKIN = np.array([0.86, 0.66, 0.55])
_GAMMA = 2.2
_EDGE_PX = 0.6
"""Blur of the hand's outline."""


@dataclass(frozen=True, eq=False)
class _Forearm:
    """``rest`` (V, 3) m of a right forearm from its wrist, in the hand's frame at rest, with ``faces`` (F, 3)."""

    rest: Float64s
    faces: Int32s


class HandPainter:
    """Paints hands; the same generator paints the same."""

    def __init__(self, hand: HandModel, body: BodyModel, backgrounds: Backgrounds) -> None:
        """``hand`` is the open hand, right, and ``body`` the open body, which gives the forearm."""
        self._hand_faces = hand.faces.astype(np.int32)
        self._arm = _forearm(hand, body)
        self._palm_m = palm_lengths(hand.rest_keypoints(np.zeros((1, 10))))[0]
        self._backgrounds = backgrounds

    def paint(self, rng: Generator, draws: HandDraws, placed: PlacedHands) -> tuple[list[Image], list[Camera]]:
        """Each hand's image (SIDE_PX, SIDE_PX, 3) uint8 RGB, and the camera that took it."""
        cameras = [_framing(rng, exact) for exact in placed.exact]
        images = [self._image(rng, draws, placed, row, camera) for row, camera in enumerate(cameras)]
        return images, cameras

    def _image(self, rng: Generator, draws: HandDraws, placed: PlacedHands, row: int, camera: Camera) -> Image:
        vertices, faces = placed.vertices[row].astype(np.float64), self._hand_faces
        colours = _skin(rng, vertices)
        if rng.random() < _WITH_ARM:
            scale = palm_lengths(placed.joints[row : row + 1])[0] / self._palm_m
            arm = self._arm.rest * scale @ _bent(rng, draws.orient[row]).T + draws.wrist[row]
            colours = np.concatenate([colours, self._arm_colours(rng, colours)])
            faces = np.concatenate([faces, self._arm.faces + len(vertices)])
            vertices = np.concatenate([vertices, arm])
        image = self._shaded(rng, vertices.astype(np.float32), faces, colours, camera)
        return expose(image, SENSOR, rng)

    def _arm_colours(self, rng: Generator, skin: Floats) -> Floats:
        """(V, 3) of the forearm: that of the hand's ``skin`` (778, 3), and of a sleeve."""
        colours = np.tile(skin.mean(0), (len(self._arm.rest), 1))
        if rng.random() < _SLEEVED:
            colours[self._arm.rest[:, 0] > rng.uniform(*_SLEEVE_M)] = rng.uniform(0.03, 0.95, 3) ** _GAMMA
        return colours

    def _shaded(self, rng: Generator, vertices: Float32s, faces: Int32s, colours: Floats, camera: Camera) -> Image:
        """A mesh (V, 3) m of ``colours`` (V, 3), linear RGB, in the light of some lamps, before a background."""
        points = project(vertices[None], camera.K.astype(np.float64))[0]
        canvas = Canvas.blank(SIDE_PX, SIDE_PX)
        canvas.draw(points, faces, 0)
        light = _light(rng, vertex_normals(vertices, faces))
        rows, columns = np.nonzero(canvas.face != NOTHING)
        corners = faces[canvas.face[rows, columns]]
        weights = _weights(points[corners], np.stack([columns, rows], 1))
        linear = np.einsum("nk,nkc->nc", weights, (colours * light)[corners])
        image = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32)
        image[rows, columns] = 255 * linear.clip(0, 1) ** (1 / _GAMMA)
        return _before(image, canvas.face != NOTHING, self._background(rng))

    def _background(self, rng: Generator) -> Image:
        behind = self._backgrounds.sample(rng, SIDE_PX, SIDE_PX)
        return np.asarray(cv2.GaussianBlur(behind, (0, 0), rng.uniform(0.5, 4)) if rng.random() < 0.7 else behind)


def _forearm(hand: HandModel, body: BodyModel) -> _Forearm:
    """The faces of ``body`` between right elbow and ``hand``, and some of the hand's, which the hand hides."""
    if hand.body_vertices is None:
        raise ValueError("expected the shipped open_hand.npz: it says which vertices are the body's")
    elbow, wrist = SMPL.index("right_elbow"), SMPL.index("right_wrist")
    of_hand = np.zeros(body.vertex_count, np.bool_)
    of_hand[hand.body_vertices["right"][hand.body_vertices["right"] >= 0]] = True
    of_arm = of_hand | (body.weights[:, elbow] > 0.3) | (body.weights[:, wrist] > 0.2)
    faces = body.faces[of_arm[body.faces].all(1) & ~of_hand[body.faces].all(1)]
    kept, renumbered = np.unique(faces, return_inverse=True)
    origin = body.rest_joints(np.zeros((1, 10)))[0, wrist]
    return _Forearm((body.v_template[kept] - origin).astype(np.float64), renumbered.reshape(-1, 3).astype(np.int32))


def _framing(rng: Generator, exact: Floats) -> Camera:
    """A camera whose image shows the points ``exact`` (21, 2) near its middle."""
    low, high = exact.min(0), exact.max(0)
    focal = rng.uniform(*_HAND_PX) / np.linalg.norm(high - low)
    centre = SIDE_PX / 2 - 0.5 - focal * (low + high) / 2 + rng.uniform(-15, 15, 2)
    K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    return Camera(K=K, width=SIDE_PX, height=SIDE_PX)


def _bent(rng: Generator, orient: Floats) -> Floats:
    """(3, 3) of a forearm at a wrist that bends: optical frame from the hand's at rest."""
    bend = rng.normal(0, (0.3, 0.2, 0.5)).clip(-1, 1)
    return np.asarray(rotvec_to_rotmat(orient) @ rotvec_to_rotmat(bend))


def _skin(rng: Generator, vertices: Floats) -> Floats:
    """(V, 3) linear RGB: a tone, with some blotches."""
    tone = (_SKIN * rng.uniform(0.3, 1.12) * rng.uniform(0.93, 1.07, 3)).clip(0, 1)
    colours = tone * rng.uniform(0.93, 1.07, (len(vertices), 1))
    for centre in vertices[rng.integers(0, len(vertices), 6)]:
        near = np.exp(-((np.linalg.norm(vertices - centre, axis=1) / 0.015) ** 2))
        colours *= 1 - near[:, None] * rng.uniform(-0.1, 0.18) * np.array([0.3, 1, 1])
    return np.asarray(colours.clip(0, 1) ** _GAMMA)


def _light(rng: Generator, normals: Floats) -> Floats:
    """(V, 3) light on surfaces with ``normals`` (V, 3): from above more than from below, and one to three lamps."""
    light = np.ones(3) * rng.uniform(0.15, 0.6) * (1 - 0.5 * normals[:, 1:2])
    lamps = int(rng.integers(1, 4))
    for _ in range(lamps):
        towards = rng.normal(size=3) + np.array([0, -rng.uniform(0.3, 1.5), -0.6])
        towards /= np.linalg.norm(towards)
        colour = rng.uniform(0.15, 1) * (1 + rng.uniform(-0.15, 0.15) * np.array([1, 0.1, -1])) / np.sqrt(lamps)
        light = light + np.clip(normals @ towards, 0, None)[:, None] * colour
    return np.asarray(light)


def _weights(corners: Floats, pixels: Floats) -> Floats:
    """(N, 3) barycentric weights of ``pixels`` (N, 2) in triangles ``corners`` (N, 3, 3): column, row, depth."""
    a, b, c = (corners[:, k, :2] for k in range(3))
    area = _cross(b - a, c - a)
    second, third = _cross(pixels - a, c - a) / area, _cross(b - a, pixels - a) / area
    weights = np.stack([1 - second - third, second, third], 1) / corners[:, :, 2]
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _cross(u: Floats, v: Floats) -> Floats:
    return np.asarray(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def _before(image: Float32s, covered: Floats, behind: Image) -> Image:
    """``image`` (H, W, 3) where it is ``covered`` (H, W), with a soft edge, before the image ``behind``."""
    alpha = cv2.GaussianBlur(covered.astype(np.float32), (0, 0), _EDGE_PX)[..., None]
    spread = cv2.GaussianBlur(image, (0, 0), _EDGE_PX) / np.maximum(alpha, 1e-3)
    full = np.where(covered[..., None], image, spread)
    return np.asarray((full * alpha + behind * (1 - alpha)).clip(0, 255), np.uint8)
