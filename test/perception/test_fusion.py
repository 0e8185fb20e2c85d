# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import Manifest, ManifestError, TensorSpec, load_manifest, models_dir
from hmr_ros.core.people import UNTRACKED, Estimates
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.fusion import FusingSmoother, PoseFusion

BODY = load_body_model(models_dir() / "open_body.npz")
ELBOW = SMPL.index("left_elbow")
OPTICAL_FROM_BODY = np.array([np.pi, 0, 0])


class Oldest:
    """A network that answers with the pose of the oldest image in the window."""

    def __init__(self, kind="fusion"):
        spec = (TensorSpec("x", "float32", ("N",)),)
        calibration = load_manifest(models_dir() / "pose2mesh.json").uncertainty
        self.manifest = Manifest("oldest", kind, "x.onnx", "0" * 64, spec, spec, "MIT", uncertainty=calibration)
        self.given = []

    def run(self, inputs):
        self.given.append(inputs)
        people = len(inputs["age"])
        oldest = inputs["age"].argmax(1)
        return {
            "fused": inputs["rotations"][np.arange(people), oldest],
            "fused_error": np.full((people, 24), 0.05, np.float32),
            "forecast": np.broadcast_to(np.float32([0, 0, 1]), (people, 3, 24, 3)),
            "forecast_error": np.full((people, 3, 24), 0.2, np.float32),
        }


def estimates(angles, valid=None) -> Estimates:
    """People 3 m away to the right whose left elbows are turned by ``angles`` (P,) rad."""
    people = len(angles)
    pose = np.zeros((people, 23, 3))
    pose[:, ELBOW - 1, 0] = angles
    return dataclasses.replace(
        Estimates.unknown(people),
        global_orient=np.tile(OPTICAL_FROM_BODY, (people, 1)),
        body_pose=pose,
        betas=np.zeros((people, 10)),
        cam_t=np.tile([1.0, 0.2, 3.0], (people, 1)),
        joint_error=np.full((people, 24), 0.1),
        joint_covariance=np.broadcast_to(0.01 * np.eye(3), (people, 24, 3, 3)),
        valid=np.ones(people, np.bool_) if valid is None else np.array(valid),
    )


def test_who_is_seen_for_the_first_time_keeps_the_estimate():
    fusion, given = PoseFusion(Oldest(), BODY), estimates([0.1, 0.2])
    found = fusion(np.array([1, 2]), given, 0.0)
    for name, column in vars(given).items():
        np.testing.assert_array_equal(getattr(found, name), column)
    assert fusion._engine.given == []


def test_poses_are_fused_by_id_and_all_else_stays():
    fusion = PoseFusion(Oldest(), BODY)
    fusion(np.array([1, 2]), estimates([0.1, 0.2]), 0.0)
    given = estimates([0.5, 0.6, 0.7])
    found = fusion(np.array([2, 3, 1]), given, 0.1)
    np.testing.assert_allclose(found.body_pose[:, ELBOW - 1, 0], [0.2, 0.6, 0.1], atol=1e-6)
    turned = rotvec_to_rotmat(found.global_orient)
    np.testing.assert_allclose(turned, rotvec_to_rotmat(given.global_orient), atol=1e-6)
    np.testing.assert_allclose(found.joint_error[:, 5], [0.05, 0.1, 0.05])
    np.testing.assert_allclose(found.joint_covariance[:, 5, 0, 0], [0.0025, 0.01, 0.0025])
    for name in ("betas", "cam_t", "valid", "root_covariance"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name))


def test_the_network_reads_what_was_published_of_the_older_images():
    fusion = PoseFusion(Oldest(), BODY)
    fusion(np.array([1, 2]), estimates([0.1, 0.2]), 0.0)
    fusion(np.array([2, 1]), estimates([0.6, 0.5]), 0.1)
    fusion(np.array([1]), estimates([0.9]), 0.2)
    given = fusion._engine.given[-1]
    images, published = (rotmat_to_rotvec(given[name][0, :, ELBOW])[:, 0] for name in ("rotations", "published"))
    np.testing.assert_allclose(images[:3], [0.9, 0.5, 0.1], atol=1e-6)
    np.testing.assert_allclose(published[:2], [0.1, 0.1], atol=1e-6, err_msg="the answer, and a first image as it was")
    root = given["published"][0, 0, 0] @ given["rotations"][0, 1, 0].T
    np.testing.assert_allclose(root, np.eye(3), atol=1e-6)


def keypoints_of(people: Estimates, seen=1.0) -> Keypoints:
    """Exact keypoints of the bodies of ``people``, with the score ``seen``."""
    posed = BODY.posed(people.global_orient, people.body_pose, people.betas, people.cam_t)
    points = BODY.regressor(PoseFusion.joint_set.name) @ posed.vertices
    return Keypoints.of(points[..., :2] / points[..., 2:], np.full(points.shape[:2], seen))


def test_fused_bodies_go_back_to_the_keypoints_of_their_image_at_their_distance():
    first, second = estimates([0.1]), estimates([0.3])
    second = dataclasses.replace(second, cam_t=second.cam_t + [0.05, 0, 0])
    keypoints, found = keypoints_of(second), {}
    for name, seen in (("fused", None), ("unseen", keypoints_of(second, seen=0.0)), ("on keypoints", keypoints)):
        fusion = PoseFusion(Oldest(), BODY)
        fusion(np.array([1]), first, 0.0)
        given = dataclasses.replace(second, cam_t=first.cam_t)
        found[name] = fusion(np.array([1]), given, 0.1, keypoints=seen)
    off = {name: np.abs(keypoints_of(people).normalized - keypoints.normalized) for name, people in found.items()}
    assert off["fused"].max() > 0.015
    assert off["on keypoints"].max() < 0.3 * off["fused"].max()
    np.testing.assert_allclose(found["on keypoints"].cam_t[:, 2], 3.0, rtol=2e-3)
    np.testing.assert_allclose(off["unseen"], off["fused"], atol=1e-6)


def test_a_keypoint_that_is_far_off_moves_no_one():
    given = estimates([0.1])
    keypoints = keypoints_of(given)
    wrong = keypoints.normalized.copy()
    wrong[0, PoseFusion.joint_set.joints.index("left_wrist")] += 0.3
    fusion = PoseFusion(Oldest(), BODY)
    fusion(np.array([1]), given, 0.0)
    found = fusion(np.array([1]), given, 0.1, keypoints=Keypoints.of(wrong, keypoints.score))
    np.testing.assert_allclose(keypoints_of(found).normalized, keypoints.normalized, atol=2e-3)


def test_what_keypoints_put_right_is_smoothed_so_that_who_stands_does_not_tremble_with_them():
    given, found = estimates([0.1]), {}
    exact = keypoints_of(given)
    for rate in (3.0, 30.0):
        fusion, wrists = PoseFusion(Oldest(), BODY), []
        for image in range(12):
            away = 0.01 * (-1) ** image
            keypoints = Keypoints.of(exact.normalized + [away, 0], exact.score)
            seen = keypoints_of(fusion(np.array([1]), given, image / rate, keypoints=keypoints))
            wrists.append(seen.normalized[0, PoseFusion.joint_set.joints.index("left_wrist"), 0])
        found[rate] = np.abs(np.diff(wrists, 2)[3:]).mean()
    assert found[30.0] < 0.5 * found[3.0]


def test_covariances_grow_with_the_keypoints_that_are_seen_as_the_calibration_says():
    given = estimates([0.1])
    exact, spread = keypoints_of(given), {}
    for seen in (21, 10):
        fusion = PoseFusion(Oldest(), BODY)
        fusion._engine.manifest = with_seen_power(fusion._engine.manifest, 0.5)
        fusion(np.array([1]), given, 0.0)
        keypoints = Keypoints.of(exact.normalized, np.where(np.arange(21) < seen, exact.score, 0))
        spread[seen] = fusion(np.array([1]), given, 0.1, keypoints=keypoints).joint_covariance[0, ELBOW, 0, 0]
    assert spread[21] == pytest.approx(0.0025, rel=1e-5)
    assert spread[10] == pytest.approx(0.0025 * 10 / 21, rel=1e-5)


def with_seen_power(manifest: Manifest, power: float) -> Manifest:
    """``manifest`` calibrated so."""
    return dataclasses.replace(manifest, uncertainty=dataclasses.replace(manifest.uncertainty, seen_power=power))


def test_forgotten_tracks_are_corrected_anew():
    given = estimates([0.1])
    exact = keypoints_of(given)
    aside = Keypoints.of(exact.normalized + [0.03, 0], exact.score)
    found = {}
    for forgotten in ((), (1,)):
        fusion = PoseFusion(Oldest(), BODY)
        for image in range(4):
            fusion(np.array([1]), given, image / 30, keypoints=aside)
        fusion.forget(forgotten)
        fusion(np.array([1]), given, 4 / 30)
        found[forgotten] = fusion(np.array([1]), given, 5 / 30, keypoints=exact).cam_t[0, 0]
    assert found[()] - given.cam_t[0, 0] > 0.01
    assert found[(1,)] == pytest.approx(given.cam_t[0, 0], abs=1e-3)


def test_forecasts_are_in_the_optical_frame():
    fusion = PoseFusion(Oldest(), BODY)
    fusion(np.array([1]), estimates([0.1]), 0.0)
    poses = fusion.fused(np.array([1]), estimates([0.1]), 0.1)
    sight = np.array([1.0, 0.2, 3.0]) / np.linalg.norm([1.0, 0.2, 3.0])
    np.testing.assert_allclose(poses.forecast[0, 2, 7], sight, atol=1e-6)


def test_the_turning_of_the_camera_is_no_motion_of_the_person():
    fusion, turn = PoseFusion(Oldest(), BODY), rotvec_to_rotmat(np.array([[0, 0.4, 0]]))
    fusion(np.array([1]), estimates([0.1]), 0.0, np.eye(3)[None])
    given = estimates([0.1])
    root = turn[0] @ rotvec_to_rotmat(given.global_orient)[0]
    found = fusion(np.array([1]), given, 0.1, turn)
    np.testing.assert_allclose(rotvec_to_rotmat(found.global_orient)[0], root, atol=1e-6)


def test_untracked_and_invalid_people_pass_and_leave_nothing_behind():
    fusion = PoseFusion(Oldest(), BODY)
    ids = np.array([UNTRACKED, 4])
    for stamp in (0.0, 0.1):
        given = estimates([0.1 + stamp, 0.2], valid=[True, False])
        np.testing.assert_array_equal(fusion(ids, given, stamp).body_pose, given.body_pose)


def test_forgotten_tracks_begin_again():
    fusion = PoseFusion(Oldest(), BODY)
    fusion(np.array([1]), estimates([0.1]), 0.0)
    fusion.forget([1])
    assert fusion(np.array([1]), estimates([0.5]), 0.1).body_pose[0, ELBOW - 1, 0] == pytest.approx(0.5)
    fusion.reset()
    assert fusion(np.array([1]), estimates([0.7]), 0.2).body_pose[0, ELBOW - 1, 0] == pytest.approx(0.7)


def test_its_radii_stand_for_the_estimators():
    fusion, own = PoseFusion(Oldest(), BODY), load_manifest(models_dir() / "pose2mesh.json").uncertainty
    other = dataclasses.replace(own, joint_radii=(1.0, 2.0, 3.0))
    assert fusion.calibration(other) == own
    assert fusion.calibration(None) is None


def test_the_smoother_fuses_poses_and_filters_positions():
    smoother, filtered = FusingSmoother(BODY, PoseFusion(Oldest(), BODY)), BodySmoother(BODY)
    for stamp, angle in ((0.0, 0.1), (0.1, 0.5), (0.2, 0.9)):
        given = estimates([angle])
        found, usual = (smooth(np.array([1]), given, stamp) for smooth in (smoother, filtered))
    assert found.body_pose[0, ELBOW - 1, 0] == pytest.approx(0.1, abs=1e-6)
    assert 0.1 < usual.body_pose[0, ELBOW - 1, 0] < 0.9
    np.testing.assert_array_equal(found.cam_t, usual.cam_t)
    np.testing.assert_array_equal(found.betas, usual.betas)
    coasted = smoother.coasted(np.array([1]), 0.3)
    assert coasted.body_pose[0, ELBOW - 1, 0] == pytest.approx(0.1, abs=1e-6), "the fused pose is held"
    smoother.forget([1])
    again = smoother(np.array([1]), estimates([0.7]), 0.3)
    assert again.body_pose[0, ELBOW - 1, 0] == pytest.approx(0.7)
    assert again.betas[0, 0] == 0
    smoother.reset()
    assert smoother(np.array([1]), estimates([0.2]), 0.4).body_pose[0, ELBOW - 1, 0] == pytest.approx(0.2)
    assert smoother.calibration(None) is None


def _turned(angle, segment=0):
    """The pose of a camera that has turned about its vertical axis."""
    turn = rotvec_to_rotmat(np.array([[0.0, angle, 0.0]]))[0]
    return CameraPose(Transform(turn, np.zeros(3)), segment)


def _seen_from(angle):
    """A person who stands still, as the camera of ``_turned`` sees them."""
    turn = rotvec_to_rotmat(np.array([[0.0, -angle, 0.0]]))[0]
    orient = rotmat_to_rotvec(turn @ rotvec_to_rotmat(OPTICAL_FROM_BODY))
    return dataclasses.replace(estimates([0.1]), global_orient=orient[None], cam_t=(turn @ [1.0, 0.2, 3.0])[None])


def _difference(found, given):
    """Angle between the orientations of a person, rad."""
    a, b = (rotvec_to_rotmat(e.global_orient[0]) for e in (found, given))
    return np.linalg.norm(rotmat_to_rotvec(a.T @ b))


def test_the_turning_of_the_camera_is_no_motion_of_the_people():
    world, still = (FusingSmoother(BODY, PoseFusion(Oldest(), BODY)) for _ in range(2))
    for stamp, angle in ((0.0, 0.0), (0.1, 0.2), (0.2, 0.4)):
        given = _seen_from(angle)
        known = world(np.array([1]), given, stamp, pose=_turned(angle))
        unknown = still(np.array([1]), given, stamp)
    assert _difference(known, given) == pytest.approx(0, abs=1e-6)
    assert _difference(unknown, given) == pytest.approx(0.4, abs=0.15), "the pose of the oldest image, as it was then"


def test_after_the_world_has_jumped_poses_of_before_count_no_more():
    smoother = FusingSmoother(BODY, PoseFusion(Oldest(), BODY))
    smoother.config = SmoothingConfig(position_noise=0)  # feet are not held
    smoother(np.array([1]), estimates([0.1]), 0.0, pose=_turned(0.0))
    found = smoother(np.array([1]), estimates([0.5]), 0.1, pose=_turned(1.0, segment=1))
    assert found.body_pose[0, ELBOW - 1, 0] == pytest.approx(0.5)


def test_another_network_is_refused():
    with pytest.raises(ManifestError, match="expected kind fusion, got 'pose2mesh'"):
        PoseFusion(Oldest("pose2mesh"), BODY)
