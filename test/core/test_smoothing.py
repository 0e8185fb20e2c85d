import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.people import Bodies, Detections
from hmr_ros.core.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.smoothing import (
    MAX_GAP_S,
    BodySmoother,
    filter_places,
    filter_rotations,
    places_at_rest,
    rotations_at_rest,
)
from test.core.conftest import random_parameters

CONFIG = SmoothingConfig()
DT = np.full(1, 1 / 30)


def filtered_places(track: np.ndarray, dt: np.ndarray, config: SmoothingConfig = CONFIG) -> np.ndarray:
    """(T, N, 3) -> (T, N, 3)."""
    state = places_at_rest(track[0])
    return np.array([track[0]] + [(state := filter_places(state, raw, dt, config)).value for raw in track[1:]])


def filtered_rotations(track: np.ndarray, config: SmoothingConfig = CONFIG) -> np.ndarray:
    """(T, N, J, 3, 3) -> the same."""
    state = rotations_at_rest(track[0])
    return np.array([track[0]] + [(state := filter_rotations(state, raw, DT, config)).value for raw in track[1:]])


def test_a_still_place_stops_trembling():
    rng = np.random.default_rng(0)
    noise = np.array([0.005, 0.005, 0.05]) * rng.normal(size=(300, 1, 3))
    out = filtered_places(np.array([0.3, 0, 4]) + noise, DT)[30:]
    assert (out.std(0) < [0.4, 0.4, 0.55] * noise.std(0)).all()
    assert_allclose(out.mean(0), [[0.3, 0, 4]], atol=0.01)


def test_depth_noise_does_not_shake_the_image_position():
    depth = 4 + 0.1 * np.random.default_rng(1).normal(size=(300, 1, 1))
    sight = np.array([0.5, 0.2, 1])  # the person's ray is known exactly
    out = filtered_places(depth * sight, DT)
    assert_allclose(out[..., :2] / out[..., 2:], np.broadcast_to(sight[:2], (300, 1, 2)), atol=1e-6)


@pytest.mark.parametrize("speed", [0.5, 1.5, 3.0])
def test_a_moving_place_lags_by_centimetres(speed: float):
    t = np.arange(60)[:, None, None] / 30
    track = np.array([-1.0, 0, 4]) + speed * t * np.array([1.0, 0, 0])
    lag = np.linalg.norm(filtered_places(track, DT) - track, axis=-1)[-1, 0]
    assert lag < 0.065


def test_fewer_images_are_smoothed_less():
    step = np.array([[[0.0, 0, 4]], [[0.1, 0, 4]]])
    once = filtered_places(step, np.array([1 / 10]))[-1]
    state = places_at_rest(step[0])
    for _ in range(3):
        state = filter_places(state, step[1], np.array([1 / 30]), SmoothingConfig(beta=0))
    assert once[0, 0] > 0.05
    assert_allclose(filtered_places(step, np.array([1 / 10]), SmoothingConfig(beta=0))[-1], state.value, atol=0.01)


def test_rotations_stop_trembling_and_do_not_lag():
    rng = np.random.default_rng(2)
    base = rotvec_to_rotmat(rng.normal(size=(1, 24, 3)))
    noise = rotvec_to_rotmat(0.05 * rng.normal(size=(300, 1, 24, 3)))
    out = filtered_rotations(base @ noise)[30:]
    off = np.linalg.norm(rotmat_to_rotvec(base.swapaxes(-1, -2) @ out), axis=-1)
    assert off.mean() < 0.6 * np.linalg.norm(rotmat_to_rotvec(noise), axis=-1).mean()
    assert_allclose(out @ out.swapaxes(-1, -2), np.broadcast_to(np.eye(3), out.shape), atol=1e-9)

    turning = rotvec_to_rotmat(np.array([0, 0, 5.0]) * np.arange(60)[:, None, None, None] / 30)  # through half turns
    lag = rotmat_to_rotvec(filtered_rotations(turning).swapaxes(-1, -2) @ turning)[-1]
    assert np.linalg.norm(lag) < 0.15


def test_a_cutoff_of_zero_filters_nothing():
    off = SmoothingConfig(min_cutoff=0.0)
    track = np.random.default_rng(3).normal(size=(5, 2, 3))
    assert_allclose(filtered_places(track, np.full(2, 0.1), off), track, atol=1e-12)
    turns = rotvec_to_rotmat(np.random.default_rng(4).normal(size=(5, 1, 24, 3)))
    assert_allclose(filtered_rotations(turns, off), turns, atol=1e-12)


def make_bodies(body: BodyModel, ids: list[int], seed: int = 0) -> Bodies:
    p = random_parameters(len(ids), seed, bend=0.2)
    nobody = Detections.empty("coco17")
    people = dataclasses.replace(
        nobody,
        boxes=np.zeros((len(ids), 4)),
        scores=np.ones(len(ids)),
        kp2d=np.zeros((len(ids), 17, 2)),
        kp2d_score=np.ones((len(ids), 17)),
        ids=np.array(ids, np.int64),
    )
    posed = body.posed(p.global_orient, p.body_pose, p.betas, p.cam_t)
    return dataclasses.replace(
        Bodies.without_geometry(people, body.vertex_count),
        **vars(p),
        joints=posed.joints,
        vertices=posed.vertices,
        valid=np.ones(len(ids), bool),
    )


def test_the_first_image_passes_and_the_result_is_consistent(body: BodyModel):
    smoother, first = BodySmoother(body), make_bodies(body, [3, 5])
    out = smoother(first, 0.0)
    assert_allclose(out.vertices, first.vertices, atol=1e-5)
    assert_allclose(out.betas, first.betas, atol=1e-6)
    second = smoother(make_bodies(body, [3, 5], seed=1), 0.1)
    posed = body.posed(second.global_orient, second.body_pose, second.betas, second.cam_t)
    assert_allclose(second.vertices, posed.vertices, atol=1e-6)
    assert_allclose(second.joints, posed.joints, atol=1e-6)
    assert_allclose(second.joints[:, 0], second.cam_t, atol=1e-6)


def test_people_are_known_by_their_ids_not_their_rows(body: BodyModel):
    here, there = make_bodies(body, [3, 5]), make_bodies(body, [3, 5], seed=1)
    in_order, crossed = BodySmoother(body), BodySmoother(body)
    in_order(here, 0.0)
    crossed(here, 0.0)
    expected = in_order(there, 0.03)
    swapped = crossed(there.take(np.array([1, 0])), 0.03)
    assert swapped.ids.tolist() == [5, 3]
    assert_allclose(swapped.take(np.array([1, 0])).vertices, expected.vertices, atol=1e-6)
    assert np.abs(expected.cam_t - there.cam_t).max() > 0.1  # it did filter


def test_newcomers_and_untracked_people_are_not_filtered(body: BodyModel):
    smoother = BodySmoother(body)
    smoother(make_bodies(body, [3, -1]), 0.0)
    now = make_bodies(body, [-1, -1, 7], seed=1)
    assert_allclose(smoother(now, 0.03).vertices, now.vertices, atol=1e-5)


@pytest.mark.parametrize(("gap", "known"), [(0.9 * MAX_GAP_S, True), (1.1 * MAX_GAP_S, False)])
def test_short_absence_is_bridged_and_long_absence_forgotten(body: BodyModel, gap: float, known: bool):
    smoother, back = BodySmoother(body, SmoothingConfig(min_cutoff=0.1)), make_bodies(body, [3], seed=1)
    smoother(make_bodies(body, [3]), 0.0)
    smoother(make_bodies(body, []), gap / 2)
    out = smoother(back, gap)
    assert (np.abs(out.cam_t - back.cam_t).max() > 1e-3) == known


def test_repeated_and_earlier_stamps_and_reset_start_anew(body: BodyModel):
    smoother, now = BodySmoother(body), make_bodies(body, [3], seed=1)
    for stamp in (10.0, 9.0):
        smoother(make_bodies(body, [3]), 10.0)
        assert_allclose(smoother(now, stamp).vertices, now.vertices, atol=1e-5)
        smoother.reset()
    smoother(make_bodies(body, [3]), 10.0)
    smoother.reset()
    assert_allclose(smoother(now, 10.03).vertices, now.vertices, atol=1e-5)


def test_the_shape_is_averaged(body: BodyModel):
    smoother, betas = BodySmoother(body), np.arange(1.0, 5)
    for k, beta in enumerate(betas):
        bodies = make_bodies(body, [3])
        out = smoother(dataclasses.replace(bodies, betas=np.full((1, 10), beta)), k / 30)
    assert_allclose(out.betas, betas.mean(), atol=1e-6)


def test_invalid_rows_pass_and_keep_their_filters(body: BodyModel):
    smoother, now = BodySmoother(body), make_bodies(body, [3, 5], seed=1)
    before = make_bodies(body, [3, 5])
    smoother(before, 0.0)
    unknown = dataclasses.replace(now, valid=np.array([True, False]), cam_t=now.cam_t * [[1], [np.nan]])
    out = smoother(unknown, 0.03)
    assert np.isnan(out.cam_t[1]).all()
    assert_allclose(out.vertices[1], now.vertices[1])
    assert not np.allclose(out.cam_t[0], now.cam_t[0])
    again = smoother(now, 0.06)
    assert not np.allclose(again.cam_t[1], now.cam_t[1])  # still known from the first image


def test_nobody_is_a_normal_value(body: BodyModel):
    assert len(BodySmoother(body)(make_bodies(body, []), 0.0)) == 0
