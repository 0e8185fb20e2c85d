# SPDX-License-Identifier: Apache-2.0
"""People who stand on a floor before a camera that looks down, as a network might estimate them."""

import dataclasses

import numpy as np

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Camera, Estimates

BODY = load_body_model(models_dir() / "open_body.npz")
GROWTH = Growth.of(BODY)
CAMERA = Camera.pinhole(700, 1280, 720)
PITCH, HEIGHT_M = 0.15, 1.3
OPTICAL_FROM_LEVEL = rotvec_to_rotmat(np.array([PITCH, 0.0, 0.0]))
"""Level: x right, y down, z forward."""
GROUND = Ground.stated(OPTICAL_FROM_LEVEL @ [0.0, -1, 0], HEIGHT_M, 0.01, 0.005)


def standing(places, sizes, above_m=0.0):
    """People of ``sizes`` (P,) at ``places`` (P, 2) m right and ahead, so far above the floor; exact estimates."""
    places, sizes = np.asarray(places, float), np.asarray(sizes, float)
    people = len(places)
    betas = GROWTH.grown(np.zeros((people, 10)), sizes)
    rest = BODY.posed(np.zeros((people, 3)), np.zeros((people, 23, 3)), betas, np.zeros((people, 3)))
    level = np.stack([places[:, 0], HEIGHT_M - above_m + rest.vertices[..., 1].min(1), places[:, 1]], 1)
    orient = rotmat_to_rotvec(OPTICAL_FROM_LEVEL @ np.diag([1.0, -1, -1]))
    return dataclasses.replace(
        Estimates.unknown(people),
        global_orient=np.tile(orient, (people, 1)),
        body_pose=np.zeros((people, 23, 3)),
        betas=betas,
        cam_t=level @ OPTICAL_FROM_LEVEL.T,
        joint_covariance=np.tile(4e-4 * np.eye(3), (people, 24, 1, 1)),
        root_covariance=_covariance(level @ OPTICAL_FROM_LEVEL.T),
        valid=np.ones(people, np.bool_),
    )


def mistaken(people, factors):
    """``people`` taken for larger by ``factors`` (P,), and so for farther away: they look the same."""
    factors = np.asarray(factors, float)
    cam_t = people.cam_t * factors[:, None]
    betas = GROWTH.grown(people.betas, factors)
    return dataclasses.replace(people, cam_t=cam_t, betas=betas, root_covariance=_covariance(cam_t))


def sizes_of(people):
    """(P,) template sizes."""
    return GROWTH.size(people.betas)


def soles_m(people):
    """(P,) m: the lowest vertex of each body above the floor."""
    posed = BODY.posed(people.global_orient, people.body_pose, people.betas, people.cam_t)
    return GROUND.elevation(posed.vertices.astype(float)).min(1)


def _covariance(cam_t):
    """(P, 3, 3) m^2: 8 % along the line of sight, 2 cm across it."""
    square = cam_t[:, :, None] * cam_t[:, None, :]
    bearing = square / (cam_t**2).sum(1)[:, None, None]
    return 0.08**2 * square + 0.02**2 * (np.eye(3) - bearing)
