# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.forecasts import HORIZONS_S
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.core.people import Bodies, Detections, Estimates
from hmr_ros.core.temporal.forecasting import STOPPING_S, JointChanges, Walks
from hmr_ros.evaluation.sequences.ahead import Ahead, people_ahead, rotated
from hmr_ros.evaluation.sequences.calibration import ahead_distances, fitted_forecasts
from hmr_ros.evaluation.sequences.forecasts import forecast_rows, forecast_table
from hmr_ros.evaluation.sequences.fusion_report import covered_ahead
from hmr_ros.evaluation.sequences.trial import Case
from hmr_ros.perception.fusion import FusingSmoother, PoseFusion
from test.evaluation.sequences.test_scores import truth
from test.perception.test_fusion import Oldest

IMAGES = 3000
AT = np.array([0.0, 0.0, 4.0])
BODY = load_body_model(models_dir() / "open_body.npz")
ESTIMATOR = load_manifest(models_dir() / "pose2mesh.json").uncertainty


def ahead(speed=1.0, stray_m=0.1, joint_stray_m=0.05, seed=0) -> Ahead:
    """People who walk to the right and slowly stop, straying as they go; joints are held, and stray."""
    rng, times = np.random.default_rng(seed), np.array(HORIZONS_S)
    found = Bodies.without_geometry(Detections.of_boxes(np.zeros((IMAGES, 4))), 0)
    velocity = np.tile([speed, 0, 0], (IMAGES, 1))
    way = velocity[:, None] * (-STOPPING_S * np.expm1(-times / STOPPING_S))[:, None]
    strayed = stray_m * times[:, None] * rng.normal(size=(IMAGES, 3, 3))
    return Ahead(
        bodies=dataclasses.replace(
            found,
            cam_t=np.tile(AT, (IMAGES, 1)),
            joints=np.tile(AT, (IMAGES, 24, 1)),
            joint_covariance=np.tile(1e-4 * np.eye(3), (IMAGES, 24, 1, 1)),
            root_covariance=np.tile(1e-8 * np.eye(3), (IMAGES, 1, 1)),
            valid=np.ones(IMAGES, np.bool_),
        ),
        walks=Walks(velocity, np.full(IMAGES, speed)),
        changes=JointChanges(np.zeros((IMAGES, 3, 24, 3)), np.full((IMAGES, 3, 24), 0.1)),
        velocity=velocity,
        joint_velocity=np.zeros((IMAGES, 24, 3)),
        cam_t=np.tile(AT, (IMAGES, 1)),
        later=AT + way + strayed,
        joints=joint_stray_m * rng.normal(size=(IMAGES, 3, 24, 3)),
        known=np.ones((IMAGES, 3), np.bool_),
        speed=np.full(IMAGES, speed),
        clip=np.arange(IMAGES),
    )


def test_deviations_are_fitted_and_hold_of_others_what_they_say():
    forecast = fitted_forecasts(ahead())
    np.testing.assert_allclose(forecast.root_along, 0.1 * np.array(HORIZONS_S) / 1.05**0.6, rtol=0.08)
    np.testing.assert_allclose(forecast.root_across, 0.1 * np.array(HORIZONS_S) / 1.05**0.6, rtol=0.08)
    assert forecast.joints[0][0] == 0
    others, calibration = ahead(seed=1), dataclasses.replace(ESTIMATOR, forecast=forecast)
    distances = ahead_distances(others, calibration)
    for k in range(3):
        for covered in distances.covered(np.ones(IMAGES, np.bool_), k):
            assert covered == pytest.approx((50, 90, 95), abs=3)
    rows = covered_ahead(others, np.array(["coco"] * IMAGES), calibration)
    assert {row.group for row in rows} == {"all", "walking", "coco", "coco, walking"}
    assert ahead_distances(others, ESTIMATOR) is None


def test_a_motion_that_ends_too_soon_is_refused():
    short = ahead()
    short.known[:, 2] = False
    with pytest.raises(ValueError, match="forecasts: no take goes on for 1 s"):
        fitted_forecasts(short)


def test_the_table_has_simpler_forecasts_beside_ours():
    case = Case("coco", 10.0, truth(), {}, ahead(stray_m=0), dataclasses.replace(ESTIMATOR, forecast=None))
    rows = forecast_rows(case)
    assert {(row.group, row.horizon_s) for row in rows} == {(g, h) for g in ("all", "walking") for h in HORIZONS_S}
    soon = rows[0]
    hold, velocity, damped, ours = soon.root
    assert (damped, ours) == (0, 0)
    assert hold == pytest.approx(100 * STOPPING_S * (1 - np.exp(-0.25 / STOPPING_S)), abs=0.05)
    assert velocity == pytest.approx(25 - hold, abs=0.1)
    assert soon.joints[0] == soon.joints[2] > 0, "joints are held"
    assert soon.joints_covered == soon.root_covered == ()
    assert len(forecast_table(rows).splitlines()) == 1 + len(rows)
    assert forecast_rows(dataclasses.replace(case, ahead=None)) == []


def test_people_are_followed_in_axes_that_do_not_turn():
    """A camera that turns by a rad sees the person who stands still move; the forecast must not."""
    angles = np.linspace(0, 1, 40)
    turns = rotvec_to_rotmat(np.stack([np.zeros(40), angles, np.zeros(40)], 1))
    real = dataclasses.replace(truth(), stamps=np.tile(np.arange(40) / 30, (1, 1)), optical_from_world=turns[None])
    real = dataclasses.replace(
        real,
        pelvis=(turns @ AT)[None],
        future_pelvis=np.tile((turns @ AT)[None, :, None], (1, 1, 3, 1)),
        future=np.zeros((1, 40, 3, 24, 3), np.float32),
        known=np.ones((1, 40, 4), np.bool_),
        clip=np.zeros(1, np.int64),
    )
    person = dataclasses.replace(
        Estimates.unknown(1),
        global_orient=np.array([[np.pi, 0, 0]]),
        body_pose=np.zeros((1, 23, 3)),
        betas=np.zeros((1, 10)),
        cam_t=AT[None],
        joint_error=np.full((1, 24), 0.1),
        joint_covariance=np.tile(0.01 * np.eye(3), (1, 24, 1, 1)),
        root_covariance=0.01 * np.eye(3)[None],
        valid=np.ones(1, np.bool_),
    )
    images = [rotated(person, turn[None]) for turn in turns]
    orient = rotvec_to_rotmat(images[-1].global_orient)
    assert np.linalg.norm(rotmat_to_rotvec(orient @ rotvec_to_rotmat(person.global_orient).swapaxes(1, 2))) > 0.9
    found = people_ahead(images, real, FusingSmoother(BODY, PoseFusion(Oldest(), BODY)), BODY)
    assert len(found) == 39, "one image says nothing about what comes"
    np.testing.assert_allclose(found.bodies.cam_t, np.tile(AT, (39, 1)), atol=1e-6)
    np.testing.assert_allclose(found.root_errors()["forecast"], 0, atol=1e-6)
    np.testing.assert_allclose(found.speed[-1], 0, atol=1e-9)
    assert np.isnan(found.speed[0])
