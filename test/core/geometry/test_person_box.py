# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.person_box import person_boxes
from hmr_ros.core.people import Bodies, Camera, Detections

CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)


@pytest.fixture
def bodies(body):
    """Two people: one with a mesh, one with keypoints only."""
    detections = Detections(
        boxes=np.zeros((2, 4)),
        scores=np.ones(2),
        kp2d=np.tile(np.array([[100.0, 50.0], [140.0, 250.0]] + [[9999.0, 9999.0]] * 15), (2, 1, 1)),
        kp2d_score=np.tile([0.9, 0.9] + [0.1] * 15, (2, 1)),
        joint_set="coco17",
        ids=np.array([1, 2]),
    )
    posed = body.posed(np.full((2, 3), [np.pi, 0, 0]), np.zeros((2, 23, 3)), np.zeros((2, 10)), np.full((2, 3), 3.0))
    return dataclasses.replace(
        Bodies.without_geometry(detections, body.vertex_count),
        vertices=posed.vertices,
        valid=np.array([True, False]),
    )


def test_boxes_are_around_the_mesh_or_the_seen_keypoints(bodies):
    mesh, keypoints = person_boxes(bodies, CAMERA, 0.3)
    pixels = project(bodies.vertices[0].astype(np.float64), CAMERA)
    assert np.allclose(mesh, [*pixels.min(0), *pixels.max(0)], atol=6)  # not every vertex is looked at
    assert np.allclose(keypoints, [70, 20, 170, 280])  # 15 % of 200 px on each side; unseen ones do not count


def test_without_a_camera_keypoints_tell(bodies):
    assert np.allclose(person_boxes(bodies, None, 0.3), [[70, 20, 170, 280]] * 2)


def test_a_person_not_seen_has_no_box(bodies):
    assert np.isnan(person_boxes(bodies, None, 0.95)).all()
    assert person_boxes(bodies.take(slice(0, 0)), CAMERA, 0.3).shape == (0, 4)


def test_a_keypoint_at_the_threshold_counts_and_the_larger_side_gives_the_margin(bodies):
    wide = dataclasses.replace(bodies, kp2d=bodies.kp2d[..., ::-1].copy())
    assert np.allclose(person_boxes(wide, None, 0.9), [[20, 70, 280, 170]] * 2)
