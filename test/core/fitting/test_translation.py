# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.translation import SURFACE_OFFSET_M, TranslationFit, fit_translation
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
