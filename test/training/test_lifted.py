# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.training.lifted import Lifter


@pytest.fixture(scope="module")
def lifter():
    return Lifter(models_dir() / "pose2mesh.json", load_body_model(models_dir() / "open_body.npz"))


def head_down(lifter, degrees):
    """Keypoints (1, J, 2) of the mean body 4 m away, whose image is turned clockwise, and the rotation (3, 3)."""
    body = load_body_model(models_dir() / "open_body.npz")
    overhead = np.array([[np.pi, 0.0, 0.0]])  # the body's y points up, the camera's down
    posed = body.posed(overhead, np.zeros((1, 23, 3)), np.zeros((1, 10)), np.array([[0.0, 0.0, 4.0]]))
    turn = rotvec_to_rotmat(np.array([0.0, 0.0, np.deg2rad(degrees)]))
    seen = (body.regressor(lifter.joint_set) @ posed.vertices) @ turn.T
    return seen[..., :2] / seen[..., 2:], turn


@pytest.mark.parametrize("degrees", [140, -170])
def test_who_hangs_head_down_is_estimated_as_who_stands(lifter, degrees):
    score = np.ones((1, JOINT_SETS[lifter.joint_set].size))
    standing = lifter.estimates(head_down(lifter, 0)[0], score)
    points, turn = head_down(lifter, degrees)
    hanging = lifter.estimates(points, score)
    assert hanging.valid.all()
    np.testing.assert_allclose(hanging.cam_t, standing.cam_t @ turn.T, atol=2e-3)
    np.testing.assert_allclose(hanging.body_pose, standing.body_pose, atol=5e-3)
    np.testing.assert_allclose(hanging.joint_error, standing.joint_error, atol=1e-3)
    expected = turn @ rotvec_to_rotmat(standing.global_orient)
    np.testing.assert_allclose(rotvec_to_rotmat(hanging.global_orient), expected, atol=5e-3)
