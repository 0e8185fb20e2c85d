# SPDX-License-Identifier: Apache-2.0
"""What the smoother promises of people one by one: each by its own clock, its own speed, its own memory."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Estimates
from hmr_ros.core.temporal.one_euro import filter_rotations, rotations_at_rest
from hmr_ros.core.temporal.smoothing import BodySmoother
from test.core.conftest import random_parameters

BODY = load_body_model(models_dir() / "open_body.npz")
AHEAD = np.array([0.0, 0.0, 4.0])
RATE_HZ = 30


def person(cam_t: np.ndarray, seed: int = 0) -> Estimates:
    """One valid estimate at ``cam_t`` (3,) m."""
    known = dataclasses.replace(
        Estimates.unknown(1), **vars(random_parameters(1, seed, bend=0.2)), valid=np.ones(1, bool)
    )
    return dataclasses.replace(known, cam_t=np.array([cam_t]))


def people(estimates: list[Estimates]) -> Estimates:
    """The rows of several estimates in one."""
    names = [f.name for f in dataclasses.fields(Estimates)]
    return Estimates(**{name: np.concatenate([getattr(e, name) for e in estimates]) for name in names})


def walked(smoother: BodySmoother, steps: np.ndarray, ids: tuple[int, ...] = (3,), start_s: float = 0.0) -> np.ndarray:
    """(T, 3) m: smoothed positions of a person at ``steps`` (T, 3) m, one for every image."""
    out = [smoother(np.array(ids), person(step), start_s + k / RATE_HZ).cam_t[0] for k, step in enumerate(steps)]
    return np.array(out)


def ahead(images: int, velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """(T, 3) m: a steady walk, ``velocity`` in m/s."""
    return AHEAD + np.arange(images)[:, None] / RATE_HZ * np.array(velocity)


def test_each_person_is_smoothed_by_the_time_since_that_person_was_seen():
    together, alone = BodySmoother(BODY), BodySmoother(BODY)
    rng = np.random.default_rng(0)
    for k in range(12):
        often, rare = (person(AHEAD + 0.05 * rng.normal(size=3), seed) for seed in (k, 50 + k))
        if k % 3:
            together(np.array([3]), often, k / RATE_HZ)
            continue
        out = together(np.array([3, 5]), people([often, rare]), k / RATE_HZ)
        expected = alone(np.array([5]), rare, k / RATE_HZ)
        assert_allclose(out.cam_t[1:], expected.cam_t, atol=1e-6)
        assert_allclose(out.body_pose[1:], expected.body_pose, atol=1e-5)
        assert_allclose(out.betas[1:], expected.betas, atol=1e-6)


def test_positions_are_smoothed_as_much_as_the_setting_says():
    steps = np.concatenate([ahead(60), ahead(1) + (0.0, 0.0, 0.3)])
    settings = [SmoothingConfig(position_noise=n) for n in (0.0, 0.3, 1.0, 3.0)] + [SmoothingConfig(min_cutoff=0.0)]
    moved = [walked(BodySmoother(BODY, config), steps)[-1, 2] - 4 for config in settings]
    assert moved[0] == moved[4] == pytest.approx(0.3, abs=1e-6)
    assert moved[0] > moved[1] > moved[2] > moved[3] > 0


def test_a_new_speed_is_believed_only_after_a_while():
    """The first image of a jump passes less of it than when the speed has been believed for some images."""
    out = walked(BodySmoother(BODY), np.concatenate([ahead(30), ahead(30) + (0.0, 0.0, 0.5)]))
    steps = np.diff(out[29:36, 2])
    assert 0 < steps[0] < 0.8 * 0.5
    assert out[-1, 2] == pytest.approx(4.5, abs=0.03)


def test_after_a_pause_the_position_is_as_measured_and_the_old_velocity_is_over():
    smoother = BodySmoother(BODY)
    walked(smoother, ahead(60, (1.2, 0.0, 0.0)))
    back = np.array([-2.0, 0.0, 5.0])
    assert_allclose(walked(smoother, back[None], start_s=8.0)[0], back, atol=1e-6)
    drift = smoother.coasted(np.array([3]), 9.0).cam_t[0] - back
    assert np.linalg.norm(drift) < 0.2


def test_a_stamp_that_comes_twice_says_nothing_of_velocity():
    smoother = BodySmoother(BODY)
    walked(smoother, ahead(30))
    smoother(np.array([3]), person(AHEAD + (1.0, 0.0, 0.0)), 29 / RATE_HZ)
    expected = smoother.coasted(np.array([3]), 29 / RATE_HZ + 0.5).cam_t[0]
    assert_allclose(expected, AHEAD + (1.0, 0.0, 0.0), atol=0.02)


def test_forgetting_one_person_leaves_the_others_known():
    smoother = BodySmoother(BODY)
    both = people([person(AHEAD), person(AHEAD + (1.0, 0.0, 0.0), seed=1)])
    smoother(np.array([3, 5]), both, 0.0)
    smoother.forget([3])
    assert smoother.coasted(np.array([3, 5]), 0.1).valid.tolist() == [False, True]


def test_a_person_who_is_not_seen_for_some_images_stays_known():
    smoother = BodySmoother(BODY)
    walked(smoother, ahead(2), ids=(3,))
    walked(smoother, ahead(2), ids=(5,), start_s=0.1)
    assert smoother.coasted(np.array([3, 5]), 0.2).valid.tolist() == [True, True]


def test_a_stamp_from_before_forgets_only_who_was_seen_later():
    smoother = BodySmoother(BODY)
    smoother(np.array([5]), person(AHEAD), 1.0)
    smoother(np.array([3]), person(AHEAD), 10.0)
    smoother(np.array([7]), person(AHEAD), 5.0)
    assert smoother.coasted(np.array([3, 5, 7]), 5.1).valid.tolist() == [False, True, True]


def test_settings_may_change_between_images():
    smoother = BodySmoother(BODY)
    walked(smoother, ahead(5))
    smoother.config = SmoothingConfig(min_cutoff=0.0)
    raw = AHEAD + (1.0, 0.5, 0.0)
    out = smoother(np.array([3]), person(raw), 0.2).cam_t[0]
    assert_allclose(out / np.linalg.norm(out), raw / np.linalg.norm(raw), atol=1e-6)


def test_rotations_about_one_axis_are_filtered_as_their_angle():
    rng = np.random.default_rng(8)
    angles, config = np.cumsum(0.1 * rng.normal(size=20)), SmoothingConfig()
    turns = rotvec_to_rotmat(np.array([0, 0, 1.0]) * angles[:, None, None])
    state, value, last, speed = rotations_at_rest(turns[0][None]), angles[0], angles[0], 0.0
    for turn, raw in zip(turns[1:], angles[1:], strict=True):
        state = filter_rotations(state, turn[None], np.full(1, 0.05), config)
        w = 1 / (1 + 1 / (2 * np.pi * 0.05))
        speed, last = (1 - w) * speed + w * (raw - last) / 0.05, raw
        value += (raw - value) / (1 + 1 / (2 * np.pi * 0.05 * (config.min_cutoff + config.beta * abs(speed))))
        assert_allclose(rotmat_to_rotvec(state.value)[0, 0], [0, 0, value], atol=1e-9)


def test_the_shape_is_the_mean_over_views_by_their_certainty():
    """Good views (5.5 cm or better, or of unknown error) count 1, one of 11 cm a quarter; 30 of them are enough."""
    smoother, betas = BodySmoother(BODY), np.zeros((1, 10))
    seen = []
    for k, (beta, error, weight) in enumerate([(1.0, 0.055, 1), (-1.0, 0.11, 0.25), (2.0, 0.01, 1), (0.5, np.nan, 1)]):
        given = dataclasses.replace(person(AHEAD), betas=betas + beta, joint_error=np.full((1, 24), error))
        seen.append((beta, weight))
        out = smoother(np.array([3]), given, k / RATE_HZ)
        mean = sum(b * w for b, w in seen) / sum(w for _, w in seen)
        assert_allclose(out.betas, np.full((1, 10), mean), atol=1e-6)
    for k in range(4, 31):
        last = smoother(np.array([3]), dataclasses.replace(person(AHEAD), betas=betas), k / RATE_HZ).betas
    final = smoother(np.array([3]), dataclasses.replace(person(AHEAD), betas=betas + 3), 31 / RATE_HZ).betas
    assert_allclose(final, last)
    assert abs(last).min() > 0.1


@pytest.mark.parametrize(("gap_s", "filtered"), [(0.5, True), (0.55, False)])
def test_a_pause_longer_than_half_a_second_starts_the_filters_again(gap_s, filtered):
    smoother, there = BodySmoother(BODY), person(AHEAD + (0.3, 0, 0))
    smoother(np.array([3]), person(AHEAD), 1.0)
    out = smoother(np.array([3]), there, 1.0 + gap_s).cam_t
    assert (np.abs(out - there.cam_t).max() > 0.005) == filtered
