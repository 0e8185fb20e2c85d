# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial import cKDTree

from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.motion import mirror
from hmr_ros.training.synthetic import pose_distance
from hmr_ros.training.synthetic.pose_distance import drawn_distance, evenly, nearest, pose_points, sparseness

KNEE, WRIST = SMPL.index("left_knee"), SMPL.index("left_wrist")


def pose(count: int = 1, **radians: float) -> np.ndarray:
    """(N, 24, 3) rest poses with some joints bent about x."""
    out = np.zeros((count, 24, 3), np.float32)
    for name, angle in radians.items():
        out[:, SMPL.index(name), 0] = angle
    return out


def test_the_distance_is_the_angle_of_joints_that_shape_a_pose():
    rest, joints = pose_points(pose()), len(pose_distance._JOINTS) + 1
    bent = np.linalg.norm(pose_points(pose(left_knee=0.4)) - rest)
    assert bent == pytest.approx(2 * np.sin(0.2) / np.sqrt(joints), rel=1e-5)
    assert np.linalg.norm(pose_points(pose(left_knee=0.4, right_hip=0.4)) - rest) == pytest.approx(
        np.sqrt(2) * bent, rel=1e-5
    )
    assert np.linalg.norm(pose_points(pose(left_wrist=0.4)) - rest) == 0, "hands are no posture"
    assert np.linalg.norm(pose_points(pose(pelvis=0.4)) - rest) == pytest.approx(bent, rel=1e-5), "leaning is one"


def test_a_heading_is_no_distance():
    turned = pose(2)
    turned[1, 0] = (0, 2.0, 0)
    np.testing.assert_allclose(*pose_points(turned), atol=1e-6)


def test_neighbours_are_those_of_a_search_tree(monkeypatch):
    monkeypatch.setattr(pose_distance, "_CHUNK", 7)
    rng = np.random.default_rng(0)
    points, among = (rng.normal(size=(n, 5)).astype(np.float32) for n in (20, 30))
    for neighbour in (1, 3):
        slow, _ = cKDTree(among).query(points, [neighbour])
        np.testing.assert_allclose(nearest(points, among, neighbour), slow[:, 0], atol=1e-5)


def test_drawn_poses_count_as_their_mirror_images_do():
    leaning = pose(left_knee=0.5)
    mirrored, _ = mirror(leaning, np.zeros(3))
    assert drawn_distance(leaning, mirrored)[0] == pytest.approx(0, abs=0.05)
    assert drawn_distance(leaning, pose())[0] > 5


def test_rare_poses_are_sparse_and_outliers_no_sparser():
    frames = pose(1000)
    frames[:, KNEE, 0] = np.random.default_rng(0).normal(0, 0.05, 1000)
    frames[900:, KNEE, 0] = np.linspace(1, 2, 100)
    frames[-5:, SMPL.index("left_hip"), 0] = 3
    found = sparseness(frames)
    assert found.shape == (1000,)
    assert np.median(found[900:995]) > 3 * np.median(found[:900])
    assert found[-1] == found.max() == pytest.approx(np.quantile(found, 0.95))


def test_kinds_weigh_the_same():
    weights = evenly(np.array([3, 3, 3, 5]), np.array([0.1, 0.2, 0.1, 0.6]))
    np.testing.assert_allclose(weights, [0.125, 0.25, 0.125, 0.5])
