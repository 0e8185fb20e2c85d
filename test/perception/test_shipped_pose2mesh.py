# SPDX-License-Identifier: Apache-2.0
"""The shipped network on known bodies: whatever is retrained must still put people where they are, upright."""

import numpy as np
import pytest

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.skeleton import COCO_FEET, SMPL
from hmr_ros.engines.opening import open_engine
from hmr_ros.perception.pose2mesh import Pose2Mesh

MANIFEST = models_dir() / "pose2mesh.json"
pytestmark = pytest.mark.skipif(not MANIFEST.is_file(), reason="needs the trained network")

CAMERA = Camera(np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]]), 1280, 720)
UPRIGHT = rotvec_to_rotmat(np.array([np.pi, 0, 0]))  # the body's y up is the optical frame's y down, facing the camera
PLACES = np.array([[0.0, 0.1, 4.0], [-1.5, 0.2, 5.0], [1.2, 0.0, 3.5], [0.4, 0.3, 7.0]])


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="module")
def estimated(body):
    """Four people who stand with their arms down, each facing another way; ground truth and the network's answer."""
    people = len(PLACES)
    heading = rotvec_to_rotmat(np.array([[0, angle, 0] for angle in (0.0, 0.8, np.pi, -1.5)]))
    pose = np.zeros((people, 23, 3))
    pose[:, SMPL.index("left_shoulder") - 1, 2] = -1.2
    pose[:, SMPL.index("right_shoulder") - 1, 2] = 1.2
    ground_truth = body.posed(rotmat_to_rotvec(UPRIGHT @ heading), pose, np.zeros((people, 10)), PLACES)
    kp2d = project(body.regressor("coco_feet") @ ground_truth.vertices, CAMERA)
    score = np.ones((people, COCO_FEET.size))
    seen = Detections(np.zeros((people, 4)), np.ones(people), kp2d, score, "coco_feet", np.arange(people))
    estimates = Pose2Mesh(open_engine(MANIFEST), body).estimate(np.zeros((720, 1280, 3), np.uint8), seen, CAMERA)
    return ground_truth, pose_bodies(seen, estimates, body)


def test_standing_people_are_where_they_stand(estimated):
    ground_truth, bodies = estimated
    assert bodies.valid.all()
    error = np.linalg.norm(
        bodies.joints - bodies.joints[:, :1] - ground_truth.joints + ground_truth.joints[:, :1], axis=-1
    )
    assert error.mean() < 0.07
    assert np.abs(bodies.cam_t[:, 2] / PLACES[:, 2] - 1).max() < 0.15


def test_the_mesh_lies_on_the_keypoints(body, estimated):
    _, bodies = estimated
    pixels = project(body.regressor("coco_feet") @ bodies.vertices, CAMERA)
    height = np.ptp(bodies.kp2d[..., 1], axis=1)
    assert (np.linalg.norm(pixels - bodies.kp2d, axis=-1).mean(1) / height).max() < 0.03


def test_heads_are_up_and_the_expected_error_is_believable(estimated):
    _, bodies = estimated
    assert (bodies.joints[:, SMPL.index("head"), 1] < bodies.joints[:, SMPL.index("left_foot"), 1] - 1).all()
    assert (bodies.joint_error[:, 1:] > 0.005).all()
    assert bodies.joint_error[:, 1:].mean() < 0.15
