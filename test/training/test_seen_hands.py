# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.seen_hands import SeenHands
from hmr_ros.training.seen_hands import HandSamplers, SeenHandSampler
from hmr_ros.training.synthetic.hands import HandMix, HandSampler

HAND = load_hand_model(models_dir() / "open_hand.npz")
DRAWN = HandSampler(HAND, HandMix())


def seen_without_errors(count: int) -> SeenHands:
    """Hands whose points are seen exactly, and whose joints the detector knows."""
    draws = DRAWN.draw(np.random.default_rng(1), count)
    placed = DRAWN.placed(draws)
    ones = np.ones(count, np.float32)
    parts = (draws.orient, draws.pose, draws.betas, draws.wrist, placed.exact, placed.exact, placed.joints)
    return SeenHands(*(np.asarray(part, np.float32) for part in parts), ones, ones, 60 * ones)


SEEN = seen_without_errors(5)


def test_hands_as_seen_are_those_that_were_drawn():
    hands = SeenHandSampler(HAND, SEEN, blind=0).as_seen(9)
    assert len(hands) == 5
    assert_allclose(hands.joints, SEEN.world, atol=1e-5)
    posed = HAND.posed(SEEN.orient, SEEN.pose, SEEN.betas, SEEN.wrist)
    assert_allclose(hands.vertices, posed.vertices, atol=3e-4)  # kept as halves
    assert_allclose(hands.normalized, SEEN.seen)


def test_a_hand_is_rotated_about_the_optical_axis_with_all_that_is_seen_of_it():
    hands = SeenHandSampler(HAND, SEEN, blind=0).sample(np.random.default_rng(0), 40)
    assert_allclose(hands.world, hands.joints, atol=1e-5)
    # Points lie off the joints by the detector's offsets, and these rotate, too.
    off = hands.normalized - hands.joints[..., :2] / hands.joints[..., 2:]
    still = SEEN.seen - SEEN.world[..., :2] / SEEN.world[..., 2:]
    assert_allclose(
        np.sort(np.linalg.norm(off, axis=-1).mean(1).round(6)),
        np.sort(np.linalg.norm(still, axis=-1).mean(1)[_rows(hands.joints, SEEN.world)].round(6)),
        atol=1e-5,
    )
    directions = (hands.joints[:, 9, :2] - hands.joints[:, 0, :2]) / 0.1
    assert np.ptp(np.arctan2(directions[:, 1], directions[:, 0])) > np.pi


def _rows(joints: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(N,) which of the ``known`` hands each one is: rotation keeps the distances to the camera."""
    away = np.linalg.norm(joints[:, None] - 0, axis=-1) - np.linalg.norm(known, axis=-1)
    return np.abs(away).sum(-1).argmin(1)


def test_the_blind_fraction_lacks_the_detectors_own_3d():
    hands = SeenHandSampler(HAND, SEEN, blind=0.5).sample(np.random.default_rng(0), 200)
    lacking = (hands.world == 0).all((1, 2))
    assert 0.4 < lacking.mean() < 0.6


@pytest.mark.parametrize(("fraction", "rendered"), [(0.6, 6), (0.0, 0), (1.0, 10)])
def test_samples_are_mixed_by_the_fraction(fraction: float, rendered: int):
    samplers = HandSamplers(DRAWN, SeenHandSampler(HAND, SEEN, blind=0), fraction)
    hands = samplers.sample(np.random.default_rng(0), 10)
    assert (np.abs(hands.world).max((1, 2)) > 0).tolist() == [True] * rendered + [False] * (10 - rendered)


def test_without_rendered_hands_all_are_drawn():
    hands = HandSamplers(DRAWN, None, 0.6).sample(np.random.default_rng(0), 4)
    assert_allclose(hands.joints, DRAWN.sample(np.random.default_rng(0), 4).joints)
    assert (hands.world == 0).all()
