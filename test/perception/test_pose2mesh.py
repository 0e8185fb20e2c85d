# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh with a network that knows the answer: what remains is the geometry around it."""

import contextlib
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.geometry.camera import project, undistort_points
from hmr_ros.core.geometry.virtual_camera import to_virtual_camera
from hmr_ros.core.manifest import Manifest, ManifestError, TensorSpec, models_dir
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.skeleton import BLAZEPOSE, COCO_FEET
from hmr_ros.core.uncertainty import stretched
from hmr_ros.engines.opening import open_engine
from hmr_ros.perception.pose2mesh import Pose2Mesh
from test.core.test_uncertainty import CALIBRATION

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]), 1280, 720)
FISHEYE = Camera(CAMERA.K, 1280, 720, "equidistant", np.array([0.02, -0.01, 0.0, 0.0]))

NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
JOINT_ERROR = 0.004
"""m, what the oracle says its error is: the surer it is, the less the shape leans on the mean."""

MANIFEST = Manifest(
    name="pose2mesh",
    kind="pose2mesh",
    file="pose2mesh.onnx",
    sha256="0" * 64,
    inputs=(TensorSpec("keypoints", "float32", ("N", 21, 3)), TensorSpec("context", "float32", ("N", 1))),
    outputs=(TensorSpec("vertices", "float32", ("N", 6890, 3)),),
    licence="Apache-2.0",
    joint_set="coco_feet",
    normalisation={"input": "virtual_camera"},
)


def ground_truth(people, seed=0):
    """Posed people in front of the camera: posed bodies and where their pelvis is."""
    random = np.random.default_rng(seed)
    upright = np.tile([np.pi, 0, 0], (people, 1)) + random.normal(0, 0.2, (people, 3))
    pose = random.normal(0, 0.15, (people, 23, 3))
    cam_t = np.stack(
        [random.uniform(-1, 1, people), random.uniform(-0.3, 0.3, people), random.uniform(3, 6, people)], 1
    )
    betas = np.zeros((people, 10))
    return BODY_MODEL.posed(upright, pose, betas, cam_t), cam_t, pose


def detections(posed, camera=CAMERA, score=0.9):
    """What a perfect detector says, in a joint set of more joints than the network's."""
    seen = project(BODY_MODEL.regressor("coco_feet") @ posed.vertices, camera)
    people = len(seen)
    kp2d, kp2d_score = np.zeros((people, BLAZEPOSE.size, 2)), np.zeros((people, BLAZEPOSE.size))
    for k, joint in enumerate(COCO_FEET.joints):
        kp2d[:, BLAZEPOSE.index(joint)] = seen[:, k]
        kp2d_score[:, BLAZEPOSE.index(joint)] = score
    boxes = np.concatenate([seen.min(1), seen.max(1)], 1)
    return Detections(boxes, np.full(people, 0.9), kp2d, kp2d_score, "blazepose", np.arange(people) + 10)


class Oracle:
    """Returns the true bodies, in the virtual camera of whoever is asked about (in order)."""

    def __init__(self, posed, cam_t, camera=CAMERA, manifest=MANIFEST):
        self.manifest = manifest
        self.asked = []
        normalized = undistort_points(project(BODY_MODEL.regressor("coco_feet") @ posed.vertices, camera), camera)
        view = to_virtual_camera(normalized, np.ones(normalized.shape[:2]))
        root_relative = posed.vertices - cam_t[:, None], posed.joints - cam_t[:, None]
        self._keypoints = view.keypoints
        self._vertices, self._joints = (x @ view.optical_from_virtual for x in root_relative)

    def run(self, inputs):
        self.asked.append(inputs)
        rows = [
            int(np.argmin([np.abs(k[:, :2] - mine[:, :2]).max() for mine in self._keypoints]))
            for k in inputs["keypoints"]
        ]
        joint_error = np.full((len(rows), 24), JOINT_ERROR, np.float32)
        return {"vertices": self._vertices[rows], "joints": self._joints[rows], "joint_error": joint_error}

    def close(self):
        pass


def estimated(oracle, found, camera=CAMERA):
    estimates = Pose2Mesh(oracle, BODY_MODEL).estimate(NO_IMAGE, found, camera)
    return pose_bodies(found, estimates, BODY_MODEL)


@pytest.mark.parametrize("camera", [CAMERA, FISHEYE])
def test_bodies_come_back_where_they_stood(camera):
    posed, cam_t, pose = ground_truth(3)
    found = detections(posed, camera)
    bodies = estimated(Oracle(posed, cam_t, camera), found, camera)
    assert bodies.valid.all()
    assert bodies.ids.tolist() == [10, 11, 12]
    assert np.abs(bodies.cam_t - cam_t).max() < 0.005
    assert np.abs(bodies.vertices - posed.vertices).max() < 0.005
    assert np.abs(bodies.joints - posed.joints).max() < 0.005
    assert np.allclose(bodies.joint_error, JOINT_ERROR)
    assert np.degrees(np.linalg.norm(bodies.body_pose - pose, axis=-1)).mean() < 3
    assert np.array_equal(bodies.kp2d, found.kp2d)


def test_network_sees_scores_and_zeros_for_missing_keypoints():
    posed, cam_t, _ = ground_truth(1)
    found = detections(posed)
    found.kp2d_score[0, BLAZEPOSE.index("left_wrist")] = 0.1
    oracle = Oracle(posed, cam_t)
    estimated(oracle, found)
    (asked,) = oracle.asked
    assert asked["keypoints"].shape == (1, COCO_FEET.size, 3)
    assert asked["context"].shape == (1, 1)
    assert not asked["keypoints"][0, COCO_FEET.index("left_wrist")].any()
    assert asked["keypoints"][0, COCO_FEET.index("nose"), 2] == pytest.approx(0.9)


def test_people_with_too_few_keypoints_stay_2d_and_the_others_do_not():
    posed, cam_t, _ = ground_truth(3)
    found = detections(posed)
    found.kp2d_score[1, 5:] = 0.0
    bodies = estimated(Oracle(posed, cam_t), found)
    assert bodies.valid.tolist() == [True, False, True]
    assert np.isnan(bodies.cam_t[1]).all()
    assert np.isnan(bodies.vertices[1]).all()
    assert np.abs(bodies.cam_t[[0, 2]] - cam_t[[0, 2]]).max() < 0.005


def test_keypoints_of_two_people_in_one_skeleton_are_refused():
    posed, cam_t, _ = ground_truth(1)
    found = detections(posed)
    found.kp2d[0, ::2] += 600.0
    bodies = estimated(Oracle(posed, cam_t), found)
    assert not bodies.valid.any()


def test_no_detections_give_no_estimates():
    posed, cam_t, _ = ground_truth(1)
    oracle = Oracle(posed, cam_t)
    bodies = estimated(oracle, Detections.empty("blazepose"))
    assert len(bodies) == 0
    assert bodies.vertices.shape == (0, BODY_MODEL.vertex_count, 3)
    assert oracle.asked == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "person_boxes"}, "pose2mesh"),
        ({"joint_set": "octopus"}, "octopus"),
        ({"normalisation": {"input": "pixels"}}, "pixels"),
        ({"body_model": "other", "body_model_sha256": "1" * 64}, "another body model"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(changes, words):
    posed, cam_t, _ = ground_truth(1)
    with pytest.raises(ManifestError, match=words):
        Pose2Mesh(Oracle(posed, cam_t, manifest=dataclasses.replace(MANIFEST, **changes)), BODY_MODEL)


def test_covariances_are_long_along_the_line_of_sight():
    posed, cam_t, _ = ground_truth(3)
    oracle = Oracle(posed, cam_t, manifest=dataclasses.replace(MANIFEST, uncertainty=CALIBRATION))
    method, found = Pose2Mesh(oracle, BODY_MODEL), detections(posed)
    estimates = method.estimate(NO_IMAGE, found, CAMERA)
    assert method.calibration is CALIBRATION
    distance = np.linalg.norm(estimates.cam_t, axis=1)
    fraction = JOINT_ERROR / 0.1
    expected = stretched(
        (0.1 * distance * fraction) ** 2, (0.03 * fraction**1.7) ** 2 * np.ones(3), estimates.cam_t / distance[:, None]
    )
    np.testing.assert_allclose(estimates.root_covariance, expected, rtol=1e-3, atol=1e-9)
    along = np.einsum("pi,pjik,pk->pj", cam_t, estimates.joint_covariance, cam_t) / (cam_t**2).sum(1)[:, None]
    np.testing.assert_allclose(
        np.sqrt(along), np.tile(CALIBRATION.seen.along, (3, 1)) * JOINT_ERROR, rtol=1e-2, atol=1e-9
    )


def test_an_uncalibrated_network_has_no_covariances():
    posed, cam_t, _ = ground_truth(2)
    method = Pose2Mesh(Oracle(posed, cam_t), BODY_MODEL)
    estimates = method.estimate(NO_IMAGE, detections(posed), CAMERA)
    assert method.calibration is None
    assert estimates.valid.all()
    assert np.isnan(estimates.joint_covariance).all()
    assert np.isnan(estimates.root_covariance).all()


@pytest.mark.skipif(not (models_dir() / "pose2mesh.json").is_file(), reason="needs the trained network")
def test_people_keep_their_size_at_distances_that_training_never_saw():
    """An adult at 20 m looks as large as a child at 12 m, and training ends at 10 m."""
    people = 6
    random = np.random.default_rng(3)
    upright = np.stack([np.full(people, np.pi), np.zeros(people), random.normal(0, 0.02, people)], 1)
    pose = random.normal(0, 0.1, (people, 23, 3))
    cam_t = np.stack([np.zeros(people), np.zeros(people), [4.0, 6.0, 10.0, 15.0, 25.0, 50.0]], 1)
    found = detections(BODY_MODEL.posed(upright, pose, np.zeros((people, 10)), cam_t))
    with contextlib.closing(open_engine(models_dir() / "pose2mesh.json")) as engine:
        estimates = Pose2Mesh(engine, BODY_MODEL).estimate(NO_IMAGE, found, CAMERA)
    np.testing.assert_allclose(estimates.cam_t[:, 2] / cam_t[:, 2], 1, atol=0.12)
