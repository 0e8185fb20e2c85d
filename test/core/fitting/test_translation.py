# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.translation import SURFACE_OFFSET_M, TranslationFit, _median, fit_translation
from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS, Keypoints
from test.core.conftest import random_parameters

NAN3 = [np.nan] * 3


def placed(points, normalized, weight, *depth, **expected) -> TranslationFit:
    """``fit_translation`` of keypoints of which some may be missing."""
    return fit_translation(points, Keypoints.of(normalized, weight), *depth, **expected)


@pytest.fixture(scope="module")
def people(exact_body: BodyModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(40, 21, 3) root-relative keypoints, their rays and the true translations."""
    p = random_parameters(40)
    posed = exact_body.posed(p.global_orient, p.body_pose, p.betas, p.cam_t)
    keypoints = exact_body.regressor("coco_feet") @ posed.vertices
    return keypoints - p.cam_t[:, None], keypoints[..., :2] / keypoints[..., 2:], p.cam_t


def test_exact_keypoints_give_the_exact_position(people):
    points, normalized, cam_t = people
    fit = placed(points, normalized, np.ones(normalized.shape[:2]))
    assert fit.ok.all()
    assert_allclose(fit.translation, cam_t, atol=1e-9)
    assert_allclose(fit.residual, 0, atol=1e-9)


def test_unseen_keypoints_do_not_matter(people):
    points, normalized, cam_t = people
    weight, normalized = np.ones(normalized.shape[:2]), normalized.copy()
    normalized[:, 15:] = np.nan
    weight[:, :4], normalized[:, :4] = 0, 100
    assert_allclose(placed(points, normalized, weight).translation, cam_t, atol=1e-9)


def test_noise_moves_the_depth_by_per_cents(people):
    points, normalized, cam_t = people
    noise = 0.02 * np.random.default_rng(0).normal(size=normalized.shape) / cam_t[:, None, 2:]  # 2 cm at the person
    fit = placed(points, normalized + noise, np.ones(normalized.shape[:2]))
    off = np.abs(fit.translation[:, 2] / cam_t[:, 2] - 1)
    assert np.median(off) < 0.015
    assert off.max() < 0.08
    assert_allclose(np.median(fit.residual * np.linalg.norm(cam_t, axis=1)), 0.02, rtol=0.3)


def test_gross_errors_are_ignored(people):
    points, normalized, cam_t = people
    rng = np.random.default_rng(1)
    wrong = rng.permuted(np.arange(21) < 6, axis=None)  # 6 of 21, half a metre off
    normalized = normalized + 0.5 * wrong[:, None] * rng.normal(size=normalized.shape) / cam_t[:, None, 2:]
    fit = placed(points, normalized, np.ones(normalized.shape[:2]))
    off = np.linalg.norm(fit.translation - cam_t, axis=1)
    assert np.median(off) < 0.01
    assert fit.ok.all()


@pytest.mark.parametrize("metres", [0.3, 1.0, 4.0])
def test_an_outlier_among_noisy_keypoints_changes_little(people, metres):
    """By how much the root moves with one keypoint off, against leaving that keypoint out."""
    points, normalized, cam_t = people
    normalized = normalized + 0.02 * np.random.default_rng(0).normal(size=normalized.shape) / cam_t[:, None, 2:]
    weight = np.ones(normalized.shape[:2])
    without = placed(points, normalized, weight * (np.arange(21) != 9)).translation
    normalized[:, 9, 0] += metres / cam_t[:, 2]
    moved = np.linalg.norm(placed(points, normalized, weight).translation - without, axis=1)
    assert np.median(moved) < 0.02
    assert (moved / cam_t[:, 2]).max() < 0.03


def test_distance_scales_with_the_size_of_the_body(people):
    points, normalized, cam_t = people
    fit = placed(1.2 * points, normalized, np.ones(normalized.shape[:2]))
    assert_allclose(fit.translation, 1.2 * cam_t, atol=1e-9)


def test_depth_overrules_a_body_of_the_wrong_size(people):
    points, normalized, cam_t = people
    weight = np.ones(normalized.shape[:2])
    depth = points[..., 2] + cam_t[:, None, 2] - SURFACE_OFFSET_M
    depth[:, 3] = np.nan
    depth[:, 7:11] += 3  # the wall behind an arm
    assert_allclose(placed(points, normalized, weight, depth).translation, cam_t, atol=0.02)
    child_taken_for_an_adult = placed(1.3 * points, normalized, weight, depth)
    off = np.abs(child_taken_for_an_adult.translation[:, 2] / cam_t[:, 2] - 1)
    assert np.median(off) < 0.1  # 0.3 without depth


def test_what_cannot_be_placed_is_not_ok(people):
    points, normalized = (a[:1] for a in people[:2])
    weight = np.ones(normalized.shape[:2])
    few = weight * (np.arange(21) < 3)
    behind = placed(points, normalized * -1 + 2 * normalized.mean(1, keepdims=True), weight)
    for fit in (placed(points, normalized, few), placed(points, normalized * 0, weight), behind):
        assert not fit.ok.any()
        assert_allclose(fit.translation, [NAN3])
        assert_allclose(fit.residual, [np.nan])
    nobody_seen = placed(points, np.full_like(normalized, np.nan), weight)
    assert not nobody_seen.ok.any()


def test_no_people_can_be_placed():
    fit = placed(np.zeros((0, 21, 3)), np.zeros((0, 21, 2)), np.zeros((0, 21)))
    assert fit.translation.shape == (0, 3)
    assert fit.ok.shape == fit.residual.shape == (0,)


def test_an_expected_distance_decides_where_keypoints_hardly_tell_it(people):
    points, normalized, cam_t = people
    noise = 0.02 * np.random.default_rng(0).normal(size=normalized.shape) / cam_t[:, None, 2:]
    head = np.ones(normalized.shape[:2]) * (np.arange(21) < MIN_KEYPOINTS)  # and a shoulder
    for weight, fraction in ((np.ones_like(head), (0.0, 0.3)), (head, (0.7, 1.0))):
        fit = placed(points, normalized + noise, weight, expected_z=1.3 * cam_t[:, 2])
        followed = np.median(fit.translation[:, 2] / cam_t[:, 2] - 1) / 0.3
        assert fraction[0] <= followed <= fraction[1]


def rows_of(points, seen, weight, root_z, weight_z):
    """Weighted rows of the least squares for one person's translation, and their right sides."""
    rows, sides = [], []
    for (x, y, z), (u, v), w in zip(points, seen, weight, strict=True):
        rows += [np.sqrt(w) * np.array([1, 0, -u]), np.sqrt(w) * np.array([0, 1, -v])]
        sides += [np.sqrt(w) * (u * z - x), np.sqrt(w) * (v * z - y)]
    for z, w in zip(root_z, weight_z, strict=True):
        rows.append(np.sqrt(w) * np.array([0, 0, 1]))
        sides.append(np.sqrt(w) * z)
    return np.array(rows), np.array(sides)


def slow_fit(points, seen, score, depth, expected_z):
    """``fit_translation`` of one person in plain words: six rounds of weighted least squares."""

    def robust(x):
        return 1 / (1 + x**2) ** 2

    def solve(*arguments):
        return np.linalg.lstsq(*rows_of(points, seen, *arguments), rcond=None)[0]

    measured = np.isfinite(depth) & (score > 0)
    root_z = np.where(measured, depth + 0.07 - points[:, 2], 0)
    t = solve(score, np.where(measured, _lower_median(root_z[measured]), 0), 1e6 * measured)
    centre = (score[:, None] * seen).sum(0) / score.sum()
    size = np.sqrt((score * ((seen - centre) ** 2).sum(1)).sum() / score.sum())
    for _ in range(6):
        at = points + t
        distance = np.linalg.norm(at, axis=1)
        angle = np.linalg.norm(at[:, :2] - seen * at[:, 2:], axis=1) / distance
        scale = max(2 * _lower_median(angle[score > 0]), 0.01 * size)
        belief = score * robust(angle / scale)
        belief_z = np.where(measured, score * robust((root_z - t[2]) / 0.06 / 3), 0) / 0.06**2
        prior = (0, 0) if expected_z is None else (expected_z, 1 / (0.1 * expected_z) ** 2)
        t = solve(belief / (scale * distance) ** 2, [*root_z, prior[0]], [*belief_z, prior[1]])
    return t, np.sqrt((belief * angle**2).sum() / belief.sum())


def _lower_median(values):
    return sorted(values)[(len(values) - 1) // 2] if len(values) else 0.0


@pytest.mark.parametrize("with_depth", [False, True])
@pytest.mark.parametrize("with_expected", [False, True])
def test_the_fit_is_that_of_plain_weighted_least_squares(people, with_depth, with_expected):
    points, normalized, cam_t = (a[:6] for a in people)
    rng = np.random.default_rng(5)
    normalized = normalized + rng.choice([0.005, 0.1], (6, 21, 1)) * rng.normal(size=normalized.shape)
    score = rng.choice([0.0, 0.5, 1.0], (6, 21))
    depth = points[..., 2] + cam_t[:, None, 2] + 0.1 * rng.normal(size=(6, 21))
    depth[rng.random((6, 21)) < (0.4 if with_depth else 2)] = np.nan
    expected_z = 1.1 * cam_t[:, 2] if with_expected else None
    fit = placed(points, normalized, score, depth, expected_z=expected_z)
    assert fit.ok.all()
    for p in range(6):
        seen = np.where(score[p, :, None] > 0, normalized[p], 0)
        t, residual = slow_fit(points[p], seen, score[p], depth[p], None if expected_z is None else expected_z[p])
        assert_allclose(fit.translation[p], t, rtol=1e-5)
        assert_allclose(fit.residual[p], residual, rtol=1e-4)


def test_the_lower_median_of_the_chosen():
    values = np.array([[3.0, 1, 2, 9], [3, 1, 2, 9], [3, 1, 2, 9], [3, 1, 2, 9]])
    chosen = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
    assert_allclose(_median(values, chosen), [2, 2, 9, 0])


def facing(z, count=21, radius=0.5):
    """Keypoints on a circle about the root, and where they are seen from ``z`` m."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], -1)[None]
    return points, points[..., :2] / z


@pytest.mark.parametrize(("size", "ok"), [(1.9e-3, False), (2.1e-3, True)])
def test_people_below_two_milliradians_have_no_distance_but_a_measured_one(size, ok):
    points, normalized = facing(0.5 / size)
    assert placed(points, normalized, np.ones((1, 21))).ok.tolist() == [ok]
    depth = np.full((1, 21), np.nan)
    depth[0, 4] = 0.5 / size
    assert placed(points, normalized, np.ones((1, 21)), depth).ok.all()


@pytest.mark.parametrize(("z", "ok"), [(0.19, False), (0.21, True)])
def test_bodies_with_a_keypoint_nearer_than_ten_centimetres_are_refused(z, ok):
    points, _ = facing(z)
    points[0, 3, 2] = -0.1
    seen = points[..., :2] / (points[..., 2:] + z)
    assert placed(points, seen, np.ones((1, 21))).ok.tolist() == [ok]


def test_six_seen_keypoints_are_enough():
    points, normalized = facing(3.0)
    for count in (5, 6):
        fit = placed(points, normalized, (np.arange(21) % 4 == 0)[None] * (np.arange(21)[None] < 4 * count) * 1.0)
        assert fit.ok.tolist() == [count >= 6]
