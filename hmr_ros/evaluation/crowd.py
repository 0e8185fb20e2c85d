# SPDX-License-Identifier: Apache-2.0
"""Images with a known number of people in them: open bodies, rendered side by side."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.people import Bodies, Camera, Detections, State
from hmr_ros.core.skeleton import COCO17, SMPL
from hmr_ros.perception.overlay import draw_bodies

WIDTH, HEIGHT = 1280, 720
CAMERA = Camera(np.array([[1000.0, 0, WIDTH / 2], [0, 1000.0, HEIGHT / 2], [0, 0, 1]]), WIDTH, HEIGHT)

_PER_ROW = 4
_DISTANCE_M = {1: 4.0, 2: 5.4}
"""Distance by number of rows, so that all rows fit into the image."""

_COLOR_OF = 7
"""The id whose colour all bodies have. It is the nearest to skin: the detector misses blue people."""


def crowd_image(body_model: BodyModel, people: int) -> Image:
    """(720, 1280, 3) RGB: ``people`` standing bodies before a plain wall, as CAMERA sees them."""
    wall = np.full((HEIGHT, WIDTH, 3), (176, 182, 186), np.uint8)
    if people == 0:
        return wall
    return draw_bodies(wall, standing(body_model, people), CAMERA, body_model.faces)


def standing(body_model: BodyModel, people: int) -> Bodies:
    """``people`` bodies with hanging arms that face the camera, in rows of up to four."""
    rows = -(-people // _PER_ROW)
    z = _DISTANCE_M[rows]
    cam_t = np.array([_position(i, people, rows, z) for i in range(people)])
    upright = np.tile([np.pi, 0.0, 0.0], (people, 1))
    pose = np.zeros((people, 23, 3))
    pose[:, SMPL.index("left_shoulder") - 1, 2], pose[:, SMPL.index("right_shoulder") - 1, 2] = -1.2, 1.2
    betas = np.zeros((people, 10))
    posed = body_model.posed(upright, pose, betas, cam_t)
    empty = Detections.empty(COCO17.name)
    return Bodies(
        ids=np.full(people, _COLOR_OF),
        states=np.full(people, State.TRACKED),
        unseen_s=np.zeros(people),
        scores=np.ones(people),
        kp2d=np.zeros((people, *empty.kp2d.shape[1:])),
        kp2d_score=np.zeros((people, COCO17.size)),
        joint_set=COCO17.name,
        global_orient=upright,
        body_pose=pose,
        betas=betas,
        cam_t=cam_t,
        joints=posed.joints,
        vertices=posed.vertices,
        joint_error=np.full((people, 24), 0.02),
        disagreement=np.full((people, 24), np.nan),
        joint_covariance=np.tile(1e-3 * np.eye(3), (people, 24, 1, 1)),
        root_covariance=np.tile(1e-2 * np.eye(3), (people, 1, 1)),
        valid=np.ones(people, np.bool_),
    )


def _position(index: int, people: int, rows: int, z: float) -> Floats:
    """(3,) m: root of one body, in rows of up to four at depth ``z``."""
    row, column = divmod(index, _PER_ROW)
    in_row = min(people - row * _PER_ROW, _PER_ROW)
    x = (column - (in_row - 1) / 2) * z * 0.3
    y = (row - (rows - 1) / 2) * 1.75
    return np.array([x, y - 0.1, z])
