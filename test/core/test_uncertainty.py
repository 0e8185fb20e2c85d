# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.skeleton import JOINT_SETS, SMPL
from hmr_ros.core.uncertainty import (
    JOINT_DRIFT_M,
    LEVELS,
    ROOT_DRIFT_M_S,
    Calibration,
    Covariances,
    JointDeviations,
    RootDeviation,
    Uncertainty,
    grown,
    keypoint_of_joint,
    seen_growth,
)

SEEN = JointDeviations((0.0, *np.linspace(0.8, 1.3, 23).tolist()), (0.0, *np.linspace(0.6, 0.4, 23).tolist()))
UNSEEN = JointDeviations((0.0, *np.linspace(0.7, 0.9, 23).tolist()), (0.0, *np.linspace(0.5, 0.8, 23).tolist()))
CALIBRATION = Calibration(
    seen=SEEN,
    unseen=UNSEEN,
    root_along=RootDeviation(0.1, 1.0),
    root_across=RootDeviation(0.03, 1.7),
    levels=LEVELS,
    joint_radii=(1.3, 2.6, 3.2),
    root_radii=(1.2, 2.7, 3.1),
)
JOINTS = JOINT_SETS["coco_feet"]


def some_people(count, rng):
    """Expected errors (P, 24), scores (P, J) with a third missing, and places (P, 3)."""
    error = rng.uniform(0.02, 0.3, (count, 24)).astype(np.float32)
    score = np.where(rng.random((count, JOINTS.size)) < 0.3, 0, rng.random((count, JOINTS.size)))
    return error, score, rng.uniform((-3, -2, 1), (3, 2, 9), (count, 3))


def slow_covariance(along, across, ray):
    """The definition: deviations along three perpendicular axes, of which the first is the ray."""
    other = np.cross(ray, np.eye(3)[np.argmin(np.abs(ray))])
    other /= np.linalg.norm(other)
    axes = np.stack([ray, other, np.cross(ray, other)], 1)
    return axes @ np.diag([along**2, across**2, across**2]) @ axes.T


def slow_joint(error, score, cam_t, joint):
    name = SMPL.joints[joint].replace("hand", "wrist").replace("foot", "toe")
    seen = name not in JOINTS.joints or score[JOINTS.index(name)] > 0
    deviations = SEEN if seen else UNSEEN
    ray = cam_t / np.linalg.norm(cam_t)
    return slow_covariance(deviations.along[joint] * error[joint], deviations.across[joint] * error[joint], ray)


def slow_root(error, cam_t):
    distance = np.linalg.norm(cam_t)
    mean = error[1:].mean() / 0.1
    return slow_covariance(0.1 * distance * mean, 0.03 * mean**1.7, cam_t / distance)


def test_covariances_are_those_of_the_definition():
    error, score, cam_t = some_people(7, np.random.default_rng(0))
    found = Uncertainty(CALIBRATION, "coco_feet")(error, score, cam_t)
    for person in range(7):
        np.testing.assert_allclose(found.root[person], slow_root(error[person], cam_t[person]), rtol=1e-5, atol=1e-9)
        for joint in range(24):
            expected = slow_joint(error[person], score[person], cam_t[person], joint)
            np.testing.assert_allclose(found.joints[person, joint], expected, rtol=1e-5, atol=1e-9)


def test_keypoints_that_lie_off_their_body_are_doubted():
    error, score, cam_t = some_people(3, np.random.default_rng(0))
    calibration = dataclasses.replace(CALIBRATION, joint_doubt=0.5, along_doubt=1.0, across_doubt=2.0)
    doubted, plain = (Uncertainty(c, "coco_feet") for c in (calibration, CALIBRATION))
    misfit = np.array([0.135, 0.03, np.nan])  # (misfit + 0.005) / 0.035: 4, 1 and unknown
    found, as_before = doubted(error, score, cam_t, misfit), plain(error, score, cam_t, misfit)
    np.testing.assert_allclose(found.joints[0], 4 * as_before.joints[0])
    np.testing.assert_allclose(found.joints[1:], as_before.joints[1:])
    np.testing.assert_allclose(found.root[1:], as_before.root[1:])
    ray = cam_t[0] / np.linalg.norm(cam_t[0])
    assert ray @ found.root[0] @ ray == pytest.approx(16 * ray @ as_before.root[0] @ ray)
    assert np.trace(found.root[0]) - ray @ found.root[0] @ ray == pytest.approx(
        256 * (np.trace(as_before.root[0]) - ray @ as_before.root[0] @ ray)
    )
    np.testing.assert_allclose(doubted(error, score, cam_t).joints, as_before.joints)


def test_fused_joints_are_surer_the_fewer_keypoints_may_be_wrong_down_to_a_quarter():
    assert seen_growth(np.array([1.0, 0.5, 0.25, 0.1]), 0.5) == pytest.approx([1, 0.5**0.5, 0.5, 0.5])
    assert seen_growth(np.array([1.0, 0.3]), 0.0) == pytest.approx([1, 1])


@pytest.mark.parametrize("ray", np.eye(3), ids="xyz")
def test_the_line_of_sight_is_the_long_axis(ray):
    error, score, _ = some_people(1, np.random.default_rng(1))
    found = Uncertainty(CALIBRATION, "coco_feet")(error, score + 1, 4 * ray[None])
    axis = int(ray.argmax())
    for covariance in (found.root[0], found.joints[0, SMPL.index("left_wrist")]):
        assert covariance[axis, axis] > 2 * np.delete(np.diag(covariance), axis).max()
        np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-12)


def test_a_hidden_keypoint_makes_its_joints_rounder_only():
    error, score, cam_t = some_people(1, np.random.default_rng(2))
    uncertainty, hidden = Uncertainty(CALIBRATION, "coco_feet"), score + 1
    hidden[:, JOINTS.index("left_wrist")] = 0
    changed = uncertainty(error, score + 1, cam_t).joints != uncertainty(error, hidden, cam_t).joints
    changed_joints = {SMPL.joints[joint] for joint in np.flatnonzero(changed.any((0, 2, 3)))}
    assert changed_joints == {"left_wrist", "left_hand"}


def test_joints_are_shown_by_keypoints_of_their_own_side():
    shown = {SMPL.joints[j]: JOINTS.joints[k] for j, k in enumerate(keypoint_of_joint("coco_feet")) if k >= 0}
    assert len(shown) == 16
    assert shown["left_hand"] == "left_wrist"
    assert shown["right_foot"] == "right_toe"
    assert shown["right_knee"] == "right_knee"
    assert "spine1" not in shown


def test_nothing_is_known_without_calibration_or_keypoints_or_position():
    error, score, cam_t = some_people(3, np.random.default_rng(3))
    unknown = Uncertainty(None, "coco_feet")(error, score, cam_t)
    assert np.isnan(unknown.joints).all()
    assert np.isnan(unknown.root).all()
    score[0], cam_t[1] = 0, np.nan
    found = Uncertainty(CALIBRATION, "coco_feet")(error, score, cam_t)
    assert np.isnan(found.root[:2]).all()
    assert np.isnan(found.joints[:2]).all()
    assert np.isfinite(found.root[2]).all()
    assert np.isfinite(found.joints[2]).all()


def test_no_people_have_no_covariance():
    found = Uncertainty(CALIBRATION, "coco_feet")(np.zeros((0, 24)), np.zeros((0, JOINTS.size)), np.zeros((0, 3)))
    assert found.joints.shape == (0, 24, 3, 3)
    assert found.root.shape == (0, 3, 3)


def test_what_is_unseen_is_known_ever_less():
    error, score, cam_t = some_people(2, np.random.default_rng(4))
    seen = Uncertainty(CALIBRATION, "coco_feet")(error, score + 1, cam_t)
    later = grown(seen, np.array([0.0, 0.5]))
    np.testing.assert_allclose(later.root[0], seen.root[0])
    np.testing.assert_allclose(later.joints[0], seen.joints[0])
    np.testing.assert_allclose(later.root[1] - seen.root[1], (0.5 * ROOT_DRIFT_M_S) ** 2 * np.eye(3), atol=1e-12)
    wrist = SMPL.index("left_wrist")
    strayed = np.sqrt((later.joints - seen.joints)[1, wrist].diagonal())
    np.testing.assert_allclose(strayed, JOINT_DRIFT_M[wrist] * (1 - np.exp(-0.5 / 0.3)), rtol=1e-6)
    assert np.isnan(grown(Covariances.unknown(1), np.ones(1)).root).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": (0.5, 0.9)}, "levels: expected"),
        ({"joint_radii": (1.0, 3.0, 2.0)}, "joint_radii: expected 3 rising"),
        ({"root_radii": (0.0, 1.0, 2.0)}, "root_radii: expected 3 rising"),
        ({"root_radii": (1.0, 2.0)}, "root_radii: expected 3 rising"),
        ({"along_doubt": float("nan")}, "along_doubt: expected a finite number"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CALIBRATION, **changes)


def test_deviations_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="across: expected 24 finite numbers"):
        JointDeviations(SEEN.along, SEEN.across[1:])
    with pytest.raises(ValueError, match="along: expected 24 finite numbers"):
        JointDeviations((-1.0, *SEEN.along[1:]), SEEN.across)
    with pytest.raises(ValueError, match="positive scale"):
        RootDeviation(0.0, 1.0)


def test_radii_may_be_any_that_rise_and_are_finite():
    assert dataclasses.replace(CALIBRATION, joint_radii=(0.1, 0.2, 0.9)).joint_radii[0] == 0.1
    for radii in ((1.0, 1.0, 2.0), (1.0, 2.0, float("inf")), (1.0, 2.0, float("nan"))):
        with pytest.raises(ValueError, match="root_radii: expected 3 rising"):
            dataclasses.replace(CALIBRATION, root_radii=radii)


@pytest.mark.parametrize(("scale", "exponent"), [(-1.0, 1.0), (float("inf"), 1.0), (1.0, float("nan"))])
def test_a_deviation_is_positive_and_finite(scale, exponent):
    with pytest.raises(ValueError, match="positive scale and a finite exponent"):
        RootDeviation(scale, exponent)


def test_joints_stray_more_the_farther_out_and_alike_on_both_sides():
    drift = dict(zip(SMPL.joints, JOINT_DRIFT_M, strict=True))
    assert drift["pelvis"] == 0
    for chain in ("collar shoulder elbow wrist hand", "hip knee ankle foot"):
        sides = [[drift[f"{side}_{part}"] for part in chain.split()] for side in ("left", "right")]
        assert sides[0] == sides[1] == sorted(sides[0])
    spine = [drift[part] for part in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")]
    assert spine == sorted(spine)
