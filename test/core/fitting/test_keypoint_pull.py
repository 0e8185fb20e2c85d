# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.fitting.keypoint_pull import KeypointPull
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.skeleton import COCO_FEET
from test.core.conftest import random_parameters


@pytest.fixture(scope="module")
def pull(body):
    return KeypointPull.of_body(body, "coco_feet")


@pytest.fixture
def people(body):
    """Three bodies 2 to 6 m away, and the rays of their keypoints."""
    given = random_parameters(3)
    posed = body.posed(given.global_orient, given.body_pose, given.betas, given.cam_t)
    keypoints = body.regressor("coco_feet") @ posed.vertices
    return posed, keypoints, keypoints[..., :2] / keypoints[..., 2:]


def typical_and_weights(distance, score):
    """The median distance of one person's seen keypoints, and Tukey's biweight of each, times its score."""
    seen = [d for d, s in zip(distance, score, strict=True) if s > 0]
    typical = float(np.median(seen)) if seen else 0.0
    fractions = [d / (4 * max(typical, 0.03)) for d in distance]
    return typical, [s * (1 - f * f) ** 2 if f < 1 else 0.0 for f, s in zip(fractions, score, strict=True)]


def test_the_field_is_that_of_gaussian_process_regression(body, pull, people, rng):
    """Person by person and keypoint by keypoint, with a kernel of 18 cm and noise that grows with the distances."""
    posed, keypoints, normalized = people
    normalized = normalized + rng.choice([0.01, 0.05, 0.3], (3, 21, 1)) * rng.normal(size=(3, 21, 2))
    score = rng.choice([0.0, 0.4, 1.0], (3, 21))
    pulled = pull(posed.vertices, Keypoints.of(normalized, score))
    rest = body.regressor("coco_feet") @ body.v_template
    for p in range(3):
        off = normalized[p] * keypoints[p, :, 2:] - keypoints[p, :, :2]
        off[score[p] == 0] = 0
        typical, weights = typical_and_weights(np.linalg.norm(off, axis=1), score[p])
        noise = (0.05 + 0.5 * (typical / 0.03) ** 3) / np.maximum(weights, 1e-6)
        covariance = np.exp([[-((a - b) @ (a - b)) / (2 * 0.18**2) for b in rest] for a in rest])
        solved = np.linalg.solve(covariance + np.diag(noise), off)
        for vertex in (0, 2000, 6889):
            square = ((body.v_template[vertex] - rest) ** 2).sum(1)
            moved = posed.vertices[p, vertex, :2] + np.exp(-square / (2 * 0.18**2)) @ solved
            np.testing.assert_allclose(pulled[p, vertex, :2], moved, atol=2e-5)


def test_a_body_on_its_keypoints_stays(pull, people):
    posed, _, normalized = people
    vertices = pull(posed.vertices, Keypoints.of(normalized, np.ones(normalized.shape[:2])))
    np.testing.assert_allclose(vertices, posed.vertices, atol=1e-4)


def test_keypoints_come_nearer_and_depth_stays(body, pull, people, rng):
    posed, keypoints, normalized = people
    normalized = normalized + 0.02 * rng.normal(size=normalized.shape) / keypoints[..., 2:]
    vertices = pull(posed.vertices, Keypoints.of(normalized, np.ones(normalized.shape[:2])))
    moved = body.regressor("coco_feet") @ vertices
    before = np.linalg.norm(normalized * keypoints[..., 2:] - keypoints[..., :2], axis=-1)
    after = np.linalg.norm(normalized * moved[..., 2:] - moved[..., :2], axis=-1)
    assert after.mean() < 0.5 * before.mean()
    np.testing.assert_array_equal(vertices[..., 2], posed.vertices[..., 2])


def test_what_is_far_from_a_keypoint_hardly_moves(body, pull, people):
    posed, keypoints, normalized = people
    wrist = COCO_FEET.index("left_wrist")
    normalized[:, wrist] += 0.04 / keypoints[:, wrist, 2:]
    vertices = pull(posed.vertices, Keypoints.of(normalized, np.ones(normalized.shape[:2])))
    step = np.linalg.norm(vertices - posed.vertices, axis=-1)
    arm, legs = body.weights[:, 20] > 0.5, body.weights[:, [4, 5, 7, 8]].sum(1) > 0.9
    assert step[:, arm].mean() > 0.01
    assert step[:, legs].max() < 0.005


def test_one_wild_keypoint_is_ignored(pull, people):
    posed, keypoints, normalized = people
    normalized[:, 9] += 0.6 / keypoints[:, 9, 2:]
    vertices = pull(posed.vertices, Keypoints.of(normalized, np.ones(normalized.shape[:2])))
    assert np.linalg.norm(vertices - posed.vertices, axis=-1).max() < 0.01


def test_an_outlier_among_noisy_keypoints_counts_as_missing(pull, people, rng):
    posed, keypoints, normalized = people
    z, wrist = keypoints[..., 2:], COCO_FEET.index("left_wrist")
    normalized = normalized + 0.02 * rng.normal(size=normalized.shape) / z
    score = np.ones(normalized.shape[:2])
    without = score * (np.arange(score.shape[1]) != wrist)
    expected = pull(posed.vertices, Keypoints.of(normalized, without))
    for metres in (0.3, 3.0):
        wild = normalized.copy()
        wild[:, wrist] = (keypoints[:, wrist, :2] + [metres, 0]) / z[:, wrist]
        np.testing.assert_allclose(pull(posed.vertices, Keypoints.of(wild, score)), expected, atol=4e-3)


def test_a_keypoint_pulls_less_the_more_it_stands_out(pull, people):
    posed, keypoints, normalized = people
    wrist, moved = COCO_FEET.index("left_wrist"), []
    for metres in (0.02, 0.06, 0.11):
        off = normalized.copy()
        off[:, wrist, 0] += metres / keypoints[:, wrist, 2]
        vertices = pull(posed.vertices, Keypoints.of(off, np.ones(normalized.shape[:2])))
        moved.append(np.linalg.norm(vertices - posed.vertices, axis=-1).max() / metres)
    assert moved[0] > moved[1] > 0.85
    assert moved[2] < 0.5


def test_bad_keypoints_pull_less_than_good_ones(body, pull, people, rng):
    posed, keypoints, normalized = people
    error = rng.normal(size=normalized.shape) / keypoints[..., 2:]
    fractions = []
    for size in (0.01, 0.08):
        vertices = pull(posed.vertices, Keypoints.of(normalized + size * error, np.ones(normalized.shape[:2])))
        fractions.append(np.linalg.norm(vertices - posed.vertices, axis=-1).mean() / size)
    assert fractions[1] < 0.6 * fractions[0]


def test_missing_keypoints_do_not_count(pull, people):
    posed, _, normalized = people
    spoilt, score = normalized.copy(), np.ones(normalized.shape[:2])
    spoilt[:, :4] = np.nan
    score[:, :4] = 0
    vertices = pull(posed.vertices, Keypoints.of(spoilt, score))
    np.testing.assert_allclose(vertices, posed.vertices, atol=1e-4)
    nothing = pull(posed.vertices, Keypoints.of(spoilt, np.zeros_like(score)))
    np.testing.assert_array_equal(nothing, posed.vertices)


def test_no_people(pull):
    assert pull(np.zeros((0, 6890, 3)), Keypoints.of(np.zeros((0, 21, 2)), np.zeros((0, 21)))).shape == (0, 6890, 3)


def test_some_vertices_are_pulled_as_all_are(body, pull, people, rng):
    posed, _, normalized = people
    keypoints = Keypoints.of(normalized + rng.normal(0, 0.02, normalized.shape), rng.choice([0.0, 0.5, 1.0], (3, 21)))
    some = np.array([6000, 3, 77])
    alone = KeypointPull.of_body(body, "coco_feet", some)
    np.testing.assert_allclose(alone(posed.vertices, keypoints), pull(posed.vertices, keypoints)[:, some], atol=1e-6)
