# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from hmr_ros.core import metrics

RNG = np.random.default_rng(0)
GROUND_TRUTH = RNG.normal(size=(6, 24, 3))
TURN = Rotation.random(6, random_state=1).as_matrix()


def similar(points: np.ndarray) -> np.ndarray:
    """Each sample scaled, turned and shifted in its own way."""
    scale = np.linspace(0.3, 3, len(points))[:, None, None]
    return scale * points @ TURN.swapaxes(1, 2) + RNG.normal(size=(len(points), 1, 3))


def test_mpjpe_is_in_millimetres_and_ignores_the_position():
    assert_allclose(metrics.mpjpe(GROUND_TRUTH + RNG.normal(size=(6, 1, 3)), GROUND_TRUTH), 0, atol=1e-12)
    moved = GROUND_TRUTH.copy()
    moved[:, 5] += [0.003, 0, 0.004]
    assert_allclose(metrics.mpjpe(moved, GROUND_TRUTH), 5 / 24)
    assert_allclose(metrics.mpjpe(moved, GROUND_TRUTH, root=5), 5 * 23 / 24)
    assert_allclose(metrics.mpjpe(moved, GROUND_TRUTH, joints=np.array([5, 7])), 5 / 2)


def test_mpvpe_aligns_the_pelves():
    shift, other = RNG.normal(size=(2, 6, 3))
    assert_allclose(
        metrics.mpvpe(GROUND_TRUTH + shift[:, None], GROUND_TRUTH + other[:, None], shift, other), 0, atol=1e-12
    )
    assert_allclose(metrics.mpvpe(GROUND_TRUTH, GROUND_TRUTH, shift, shift + np.array([0, 0.002, 0])), 2)


def test_pa_mpjpe_removes_similarities_only():
    assert_allclose(metrics.pa_mpjpe(similar(GROUND_TRUTH), GROUND_TRUTH), 0, atol=1e-10)
    mirrored = GROUND_TRUTH * [-1, 1, 1]
    assert (metrics.pa_mpjpe(mirrored, GROUND_TRUTH) > 100).all()
    flat = GROUND_TRUTH * [1, 1, 0]
    assert_allclose(metrics.pa_mpjpe(similar(flat), flat), 0, atol=1e-10)


def test_alignment_is_the_best_similarity():
    noisy = GROUND_TRUTH + 0.2 * RNG.normal(size=GROUND_TRUTH.shape)
    aligned = metrics.similarity_aligned(similar(noisy), GROUND_TRUTH)
    best = ((aligned - GROUND_TRUTH) ** 2).sum((1, 2))
    centre = aligned.mean(1, keepdims=True)
    for nudge in Rotation.random(40, random_state=2).as_rotvec():
        turned = (aligned - centre) @ Rotation.from_rotvec(0.02 * nudge).as_matrix().T
        for scale in (0.99, 1, 1.01):
            assert ((((scale * turned + centre) - GROUND_TRUTH) ** 2).sum((1, 2)) >= best).all()


def test_one_point_can_be_aligned():
    assert_allclose(metrics.pa_mpjpe(np.zeros((2, 3, 3)), np.ones((2, 3, 3))), 0, atol=1e-12)


def test_f_score_by_hand():
    ground_truth = np.array([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]])
    predicted = np.array([[[0.004, 0, 0], [0, 0.003, 0], [1, 0.006, 0]]])
    assert_allclose(metrics.f_score(predicted, ground_truth, 5), 2 * (2 / 3) * (1 / 4) / (2 / 3 + 1 / 4))
    assert_allclose(metrics.f_score(predicted, ground_truth, 15), 2 * 1 * (2 / 4) / (1 + 2 / 4))
    assert_allclose(metrics.f_score(predicted, ground_truth + 1, 15), 0)


def test_a_point_at_the_threshold_itself_does_not_count():
    """FreiHAND's is strict; 1/8 m has no rounding."""
    ground_truth = np.zeros((1, 2, 3))
    predicted = np.array([[[0.125, 0, 0], [0.1249, 0, 0]]])
    assert_allclose(metrics.f_score(predicted[:, :1], ground_truth, 125), 0)
    assert_allclose(metrics.f_score(predicted, ground_truth, 125), 2 * 0.5 / 1.5)


def test_f_score_of_many_points_goes_through_in_parts():
    points = RNG.uniform(size=(2, 3000, 3))
    assert_allclose(metrics.f_score(points, points[:, ::-1], 0.01), 1)


def test_accel_error_sees_jitter_and_not_drift():
    t = np.arange(10)[:, None, None]
    ground_truth = np.zeros((10, 3, 3))
    assert_allclose(metrics.accel_error(ground_truth + 0.5 * t, ground_truth), 0, atol=1e-9)
    assert_allclose(metrics.accel_error(ground_truth + [0.001, 0, 0] * t**2, ground_truth), 2)
    visible = np.ones(10, bool)
    visible[4] = False
    assert np.isnan(metrics.accel_error(ground_truth, ground_truth, visible)).tolist() == [
        i in (2, 3, 4) for i in range(8)
    ]
    assert metrics.accel_error(ground_truth[:2], ground_truth[:2]).shape == (0,)


@pytest.mark.parametrize("multiple", [0.5, 1, 3])
def test_coverage_of_calibrated_spreads(multiple: float):
    joint_error = RNG.uniform(0.01, 0.1, (2000, 24))
    error = RNG.normal(size=(2000, 24, 3))
    error *= (RNG.exponential(joint_error) / np.linalg.norm(error, axis=-1))[..., None]
    expected = metrics.expected_coverage(multiple)
    assert metrics.coverage(error, joint_error, multiple).mean() == pytest.approx(expected, abs=0.01)
    assert metrics.coverage(error, 2 * joint_error, multiple).mean() > expected + 0.04


def test_bootstrap_is_repeatable_and_covers_the_mean():
    values = RNG.normal(50, 10, 400)
    interval = metrics.bootstrap_mean(values)
    assert interval == metrics.bootstrap_mean(values)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 10 / 20, rel=0.15)
    assert interval.low < 50 < interval.high
    assert str(metrics.Interval(1.234, 1.0, 1.5)) == "1.2 [1.0, 1.5]"


def test_bootstrap_by_groups_is_wider_where_samples_repeat():
    values, clips = np.repeat(RNG.normal(50, 10, 20), 30), np.repeat(np.arange(20) * 7, 30)
    by_clip, by_frame = metrics.bootstrap_mean(values, clips), metrics.bootstrap_mean(values)
    assert by_clip.mean == by_frame.mean
    assert by_clip.high - by_clip.low > 3 * (by_frame.high - by_frame.low)


@pytest.mark.parametrize("values", [np.zeros(0), np.array([1.0, np.nan])])
def test_bootstrap_of_nothing_is_refused(values: np.ndarray):
    with pytest.raises(ValueError, match="finite"):
        metrics.bootstrap_mean(values)


def test_no_people_have_no_errors():
    nobody = np.zeros((0, 24, 3))
    for errors in (metrics.mpjpe(nobody, nobody), metrics.pa_mpjpe(nobody, nobody), metrics.f_score(nobody, nobody, 5)):
        assert errors.shape == (0,)


def test_sets_of_different_numbers_of_samples_are_not_compared():
    with pytest.raises(ValueError, match="zip"):
        metrics.f_score(GROUND_TRUTH, GROUND_TRUTH[:5], 5)


def test_an_error_as_long_as_expected_is_covered_and_a_point_at_the_threshold_is_not_hit():
    error = np.array([[[3.0, 0, 4], [0, 5, 0], [0, 0, 5.5], [0, 0, 0]]])
    assert_allclose(metrics.coverage(error, np.full((1, 4), 2.5), 2), 3 / 4)
    assert_allclose(metrics.expected_coverage(np.log(4)), 3 / 4)
    assert_allclose(metrics.f_score(np.zeros((1, 1, 3)), np.array([[[0.5, 0, 0]]]), 500), 0)
    assert_allclose(metrics.f_score(np.zeros((1, 1, 3)), np.array([[[0.5, 0, 0]]]), 501), 1)


def test_bootstrap_draws_as_its_seed_says_and_as_wide_as_its_confidence():
    values = RNG.exponential(50, 60)
    assert metrics.bootstrap_mean(values) == metrics.bootstrap_mean(values, None, 0.95, 1000, 0)
    assert metrics.bootstrap_mean(values, seed=1) != metrics.bootstrap_mean(values)
    half = metrics.bootstrap_mean(values, confidence=0.5, resamples=4000)
    deviation = values.std() / np.sqrt(60)
    assert_allclose([half.mean - half.low, half.high - half.mean], 0.674 * deviation, rtol=0.12)
    groups = np.repeat([3, 7], [10, 50])  # either group alone, or both in the middle
    by_group = metrics.bootstrap_mean(values, groups)
    assert_allclose([by_group.low, by_group.high], sorted([values[:10].mean(), values[10:].mean()]))
