# SPDX-License-Identifier: Apache-2.0
"""The clip of `hmr demo --hands`: the open body, rendered, with hands that open and close before the camera."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.body.finger_skin import FingerSkin
from hmr_ros.core.body.hand_model import HandModel, load_hand_model, mirrored_rotations
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.fitting.hand_pose import finger_rotations
from hmr_ros.core.fitting.wrist import wrist_of_angles
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Camera, Detections, Estimates
from hmr_ros.core.skeleton import SMPL
from hmr_ros.media.video import write_video
from hmr_ros.perception.overlay import draw_surface, shade
from hmr_ros.perception.raster import vertex_normals

NAME = "hands.mp4"
FOV_DEG, RATE_HZ = 60.0, 10.0
_SIZE, _IMAGES = (960, 720), 60
_CLOSE_S = 2.0
"""Time in which all fingers close and open again, one after the other."""
_SHOULDER, _ELBOW = np.array([0.0, 0.3245, 1.1681]), np.array([0.0, 1.2427, -1.8912])
"""rad, of a raised right arm with the palm to the front."""
_SKIN, _SHIRT, _HAIR = (0.86, 0.66, 0.56), (0.2, 0.3, 0.5), (0.2, 0.14, 0.1)
_WALL = (168, 172, 178)
_BRIGHTNESS = 1.15
_HAND = "open_hand.npz"


def write_clip(path: Path) -> None:
    """Render the clip into an MP4 file."""
    write_video(path, clip(), RATE_HZ)


def clip(images: int = _IMAGES) -> Iterator[Image]:
    """As many images (720, 960, 3) uint8 RGB, at RATE_HZ, of a camera with FOV_DEG."""
    body, hand = load_body_model(models_dir() / "open_body.npz"), load_hand_model(models_dir() / _HAND)
    skin, camera, color = FingerSkin(body, hand), Camera.from_fov(FOV_DEG, *_SIZE), _colors(body)
    for k in range(images):
        yield _rendered(_person(body, hand, skin, k / RATE_HZ), body, camera, color)


def _person(body: BodyModel, hand: HandModel, skin: FingerSkin, time_s: float) -> Bodies:
    """The person at a moment, both arms raised."""
    pose = np.zeros((1, SMPL.size - 1, 3))
    wrist = np.array([0.0, 0.25 * np.sin(2 * np.pi * time_s / (2 * _CLOSE_S)), 0.0])
    right = (_SHOULDER, _ELBOW, rotmat_to_rotvec(wrist_of_angles(wrist, np.array(False))))
    for joint, rotation in zip(("shoulder", "elbow", "wrist"), right, strict=True):
        pose[0, SMPL.index(f"right_{joint}") - 1] = rotation
        pose[0, SMPL.index(f"left_{joint}") - 1] = mirrored_rotations(rotation)
    estimates = dataclasses.replace(
        Estimates.unknown(1),
        global_orient=np.array([[np.pi, 0, 0]]),
        body_pose=pose,
        betas=np.zeros((1, 10)),
        cam_t=np.array([[0, 0.35, 1.5]]),
        valid=np.ones(1, np.bool_),
    )
    seen = Detections.of_boxes(np.zeros((1, 4)), ids=np.zeros(1, np.int64))
    return skin.posed(pose_bodies(seen, estimates, body), _hands(hand, time_s))


def _hands(hand: HandModel, time_s: float) -> BodyHands:
    """Fingers that close one after the other, from the index finger on; the thumb rests."""
    assert hand.fingers is not None, "the open hand has them"
    still = BodyHands.at_rest(1)
    angles = np.zeros(still.angles.shape)
    # Index, middle, little and ring finger, in the order of the hand's joints.
    phase = np.repeat([0.0, 0.1, 0.3, 0.2], 3)
    angles[..., :12, 0] = 0.6 * (1 - np.cos(2 * np.pi * (time_s / _CLOSE_S - phase)))
    axes = np.stack([mirrored_rotations(hand.fingers.axes), hand.fingers.axes])
    pose = rotmat_to_rotvec(finger_rotations(angles, axes.astype(np.float64)))
    return dataclasses.replace(still, weights=np.ones((1, 2)), angles=angles, pose=pose)


def _colors(body: BodyModel) -> Floats:
    """(V, 3) RGB 0..1: hair, skin, and a shirt with short sleeves, by where vertices are at rest."""
    x, y, z = body.v_template.T
    top = y.max()
    head = y > top - 0.2
    hair = (y > top - 0.09) | (head & (z < z[head].mean() - 0.01))
    shirt = (y < top - 0.27) & (np.abs(x) < 0.33)
    color = np.tile(_SKIN, (len(x), 1))
    color[shirt], color[hair] = _SHIRT, _HAIR
    return color


def _rendered(person: Bodies, body: BodyModel, camera: Camera, color: Floats) -> Image:
    """(H, W, 3) uint8 RGB."""
    image = np.full((camera.height, camera.width, 3), _WALL, np.uint8)
    vertices = person.vertices[0].astype(np.float64)
    light = shade(vertex_normals(vertices, body.faces))
    tint = np.clip(_BRIGHTNESS * color * light[:, None], 0, 1)
    draw_surface(image, project(vertices, camera), vertices[:, 2], body.faces, tint, 1.0)
    return image
