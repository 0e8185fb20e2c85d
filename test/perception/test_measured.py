# SPDX-License-Identifier: Apache-2.0
"""The shipped networks with rendered depth."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.crowd import CAMERA, standing
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.perception.raster import rasterise

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")


def test_depth_tells_a_child_from_an_adult_farther_away():
    """A child beside an adult: without depth both are as tall, and the child stands a metre too far back."""
    true_z, true_size = np.array([3.5, 3.5]), np.array([1.0, 0.77])
    crowd = standing_at(true_z, true_size)
    wall = np.full((CAMERA.height, CAMERA.width, 3), (176, 182, 186), np.uint8)
    image, depth = draw_bodies(wall, crowd, CAMERA, BODY_MODEL.faces), DepthImage(rendered(crowd.vertices))
    errors = []
    for measured in (None, depth):
        with assemble(PipelineSettings(backend="onnxruntime")) as pipeline:
            for number in range(3):
                result = pipeline(image, CAMERA, 0.1 * number, measured)
        bodies = result.bodies.take(np.argsort(result.bodies.cam_t[:, 0]))
        assert bodies.valid.tolist() == [True, True]
        errors.append(np.abs(bodies.cam_t[:, 2] - true_z))
    heights = np.ptp(bodies.vertices[..., 1], axis=1)
    assert errors[0][1] > 0.7
    assert (errors[1] < 0.06).all()
    assert heights[1] / heights[0] == pytest.approx(0.77, abs=0.03)
    assert result.measured == 2


def standing_at(z, size):
    """People side by side on one floor, ``z`` (P,) m away and ``size`` (P,) times the mean person."""
    crowd = standing(BODY_MODEL, len(z))
    betas, cam_t = np.zeros((len(z), 10)), crowd.cam_t.copy()
    betas[:, 0] = (size - 1) / 0.141  # of the open body, whose first beta is the size
    cam_t *= (z / cam_t[:, 2])[:, None]
    cam_t[:, 1] = 0.9 * (1 - size)
    posed = BODY_MODEL.posed(crowd.global_orient, crowd.body_pose, betas, cam_t)
    return dataclasses.replace(crowd, betas=betas, cam_t=cam_t, joints=posed.joints, vertices=posed.vertices)


def rendered(vertices):
    """(H, W) m: the people of ``vertices`` (P, V, 3) before a wall."""
    z = np.full((CAMERA.height, CAMERA.width), 7.0)
    for body in vertices.astype(np.float64):
        seen = rasterise(project(body, CAMERA), body[:, 2], BODY_MODEL.faces, *z.shape)
        depth = seen.interpolate(BODY_MODEL.faces, body[:, 2:])[:, 0]
        z[seen.rows, seen.columns] = np.minimum(z[seen.rows, seen.columns], depth)
    return z
