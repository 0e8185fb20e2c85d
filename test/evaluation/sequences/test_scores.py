# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.sequences.report import _after_gap, _groups, rows, table
from hmr_ros.evaluation.sequences.scores import (
    KNEES,
    acceleration_errors,
    bend_bias,
    bends,
    bone_variation,
    covered,
    lag_s,
    position_errors,
)
from hmr_ros.evaluation.sequences.trial import FUSED_TF, SMOOTHED, Case, Output
from hmr_ros.training.synthetic.sequences import Sequences

RATE, PEOPLE, IMAGES = 30.0, 4, 90


def swinging(late_s=0.0):
    """Joints (S, T, 24, 3) that swing, each at its own pace."""
    rng = np.random.default_rng(0)
    place, paces = rng.normal(0, 0.3, (PEOPLE, 1, 24, 3)), rng.uniform(2, 6, (PEOPLE, 1, 24, 3))
    joints = place + 0.1 * np.sin(paces * (np.arange(IMAGES) / RATE - late_s)[None, :, None, None])
    return joints - joints[:, :, :1]


def truth() -> Sequences:
    joints = swinging()
    return Sequences(
        stamps=np.broadcast_to(np.arange(IMAGES) / RATE, (PEOPLE, IMAGES)),
        normalized=np.zeros((PEOPLE, IMAGES, 21, 2)),
        score=np.ones((PEOPLE, IMAGES, 21)),
        rotations=np.broadcast_to(np.eye(3), (PEOPLE, IMAGES, 24, 3, 3)),
        joints=joints,
        pelvis=np.zeros((PEOPLE, IMAGES, 3)),
        future=np.stack([swinging(-h) for h in (0.25, 0.5, 1.0)], 2).astype(np.float32),
        future_pelvis=np.zeros((PEOPLE, IMAGES, 3, 3), np.float32),
        known=np.ones((PEOPLE, IMAGES, 4), np.bool_),
        optical_from_world=np.broadcast_to(np.eye(3), (PEOPLE, IMAGES, 3, 3)),
        betas=np.zeros((PEOPLE, 10)),
        clip=np.arange(PEOPLE),
    )


def output(joints, deviation_m=0.1) -> Output:
    covariance = np.broadcast_to(deviation_m**2 * np.eye(3), (*joints.shape, 3))
    return Output(joints, covariance, (1.0, 2.0, 3.0), np.ones(joints.shape[:2], np.bool_))


@pytest.mark.parametrize("late_s", [0.0, 0.01, 0.1, -0.04])
def test_the_lag_of_a_late_copy_is_found(late_s):
    assert lag_s(output(swinging(late_s)), truth(), RATE) == pytest.approx(late_s, abs=0.004)


def test_images_without_a_pose_do_not_count():
    late, hole = output(swinging(0.05)), np.ones((PEOPLE, IMAGES), np.bool_)
    hole[:, 20:25] = False
    broken = np.where(hole[..., None, None], late.joints, 7.0)
    gap = dataclasses.replace(late, joints=broken, known=hole)
    assert lag_s(gap, truth(), RATE) == pytest.approx(0.05, abs=0.006)
    joint, aligned = position_errors(gap, truth())
    assert np.isnan(joint[:, 20:25]).all()
    assert np.isnan(aligned[:, 20:25]).all()
    assert np.nanmax(joint) < 100
    assert np.isnan(acceleration_errors(gap, truth())[:, 18:25]).all()
    assert np.isfinite(acceleration_errors(gap, truth())[:, :18]).all()


def test_a_camera_that_turns_adds_no_acceleration():
    angle = np.linspace(0, 1, IMAGES) ** 2
    turn = np.zeros((PEOPLE, IMAGES, 3, 3))
    turn[..., 0, 0], turn[..., 0, 2], turn[..., 2, 0], turn[..., 2, 2] = (
        np.cos(angle),
        np.sin(angle),
        -np.sin(angle),
        np.cos(angle),
    )
    turn[..., 1, 1] = 1
    still = truth()
    turning = dataclasses.replace(still, joints=still.joints @ turn.swapaxes(-1, -2), optical_from_world=turn)
    late = output(swinging(0.05))
    turned = dataclasses.replace(late, joints=late.joints @ turn.swapaxes(-1, -2))
    np.testing.assert_allclose(acceleration_errors(turned, turning), acceleration_errors(late, still), atol=1e-9)
    assert lag_s(turned, turning, RATE) == pytest.approx(0.05, abs=0.004)


def test_bends_are_angles_between_bones():
    joints = np.zeros((24, 3))
    hip, knee, ankle = KNEES[0]
    joints[hip], joints[knee], joints[ankle] = (0, 1, 0), (0, 0, 0), (0, -np.cos(0.5), np.sin(0.5))
    assert bends(joints, KNEES)[0] == pytest.approx(np.degrees(0.5))
    bent = dataclasses.replace(truth(), joints=np.broadcast_to(joints, (PEOPLE, IMAGES, 24, 3)))
    straight = joints.copy()
    straight[ankle] = (0, -1, 0)
    bias = bend_bias(output(np.broadcast_to(straight, (PEOPLE, IMAGES, 24, 3))), bent, KNEES[:1])
    assert bias[1] == pytest.approx(-np.degrees(0.5))
    assert np.isnan(bias[0])
    assert np.isnan(bias[2])


def test_coverage_counts_joints_within_their_regions():
    away = swinging() + np.where(np.arange(24)[:, None] < 12, [0.15, 0, 0], [0.25, 0, 0])
    everything = np.ones((PEOPLE, IMAGES), np.bool_)
    assert covered(output(away), truth(), everything) == pytest.approx((0, 100 * 11 / 23, 100))
    assert covered(dataclasses.replace(output(away), radii=()), truth(), everything) == ()


def test_bones_that_keep_their_length_do_not_vary():
    rigid = np.broadcast_to(swinging()[:, :1], (PEOPLE, IMAGES, 24, 3))
    assert bone_variation(output(rigid), truth()) == pytest.approx(0)
    scale = 1 + 0.1 * (-1.0) ** np.arange(IMAGES)
    assert bone_variation(output(rigid * scale[:, None, None]), truth()) == pytest.approx(10)


def test_the_report_has_all_groups():
    real = truth()
    case = Case("true", RATE, real, {SMOOTHED: output(swinging(0.05)), FUSED_TF: output(swinging())})
    found = rows(case)
    assert {(row.group, row.output) for row in found} == {
        (group, name)
        for group in ("all", "first 0.3 s", "all keypoints seen", "sitting or crouching")
        for name in case.outputs
    }
    best = next(row for row in found if (row.group, row.output) == ("all", FUSED_TF))
    assert best.mpjpe.mean == pytest.approx(0, abs=1e-6)
    assert best.images == PEOPLE * IMAGES
    assert len(table(found).splitlines()) == 1 + len(found)


def test_only_the_first_image_after_a_gap_is_after_it():
    seen = np.array([[False, True, False, False, False, True, True, False, True]])
    stamps = 0.1 * np.arange(9)[None]
    np.testing.assert_array_equal(np.flatnonzero(_after_gap(seen, stamps)[0]), [5])


def upright() -> np.ndarray:
    """(24, 3) m: a trunk and two legs that hang, y down."""
    joints = np.zeros((24, 3))
    for joint, y in {"neck": -0.5, "hip": 0.1, "knee": 0.5, "ankle": 0.9}.items():
        for name in [joint] if joint == "neck" else [f"left_{joint}", f"right_{joint}"]:
            joints[SMPL.index(name), 1] = y
    return joints


def group(name, **changes) -> set[bool]:
    """What the masks of a group are, of the same people throughout."""
    case = Case("true", RATE, dataclasses.replace(truth(), **changes), {})
    return set(np.unique(_groups(case)[name]).tolist())


def test_people_who_face_away_are_seen_from_the_back():
    far = np.broadcast_to([1.0, 0, 4.0], (PEOPLE, IMAGES, 3))
    away, facing = (np.broadcast_to(np.diag([z, 1.0, z]), (PEOPLE, IMAGES, 24, 3, 3)) for z in (1.0, -1.0))
    assert group("seen from the back", pelvis=far, rotations=away) == {True}
    assert group("seen from the back", pelvis=far, rotations=facing) == {False}


def test_who_sits_has_both_thighs_bent():
    sitting, one_leg = upright(), upright()
    for posture, sides in ((sitting, ("left", "right")), (one_leg, ("left",))):
        for side in sides:
            posture[SMPL.index(f"{side}_knee")] = (0, 0.1, -0.4)
    for posture, expected in ((upright(), False), (one_leg, False), (sitting, True)):
        joints = np.broadcast_to(posture, (PEOPLE, IMAGES, 24, 3))
        assert group("sitting or crouching", joints=joints) == {expected}


def test_half_a_body_has_two_thirds_of_its_keypoints_or_fewer():
    score = np.ones((PEOPLE, IMAGES, 21))
    score[..., 15:] = 0
    assert group("half body missing", score=score) == {False}
    score[..., 14] = 0
    assert group("half body missing", score=score) == {True}
