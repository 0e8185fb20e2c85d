# SPDX-License-Identifier: Apache-2.0
"""What detectors would report of synthetic people."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.skeleton import COCO17, JOINT_SETS
from hmr_ros.training.synthetic import keypoints as module
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe, seen_pixels, with_error
from test.training.published import assert_published, assert_ranges
from test.training.synthetic.draws import Draws

COUNT = 300


class People(SimpleNamespace):
    """Only what observing reads of a batch: ``pixels`` (B, 17, 2) and ``visible`` (B, 17)."""

    def __len__(self) -> int:
        return len(self.pixels)


@pytest.fixture
def people() -> People:
    rng = np.random.default_rng(0)
    return People(pixels=rng.uniform((100, 50), (200, 350), (COUNT, 17, 2)), visible=rng.random((COUNT, 17)) < 0.8)


def observed(people: People, **mix: object):
    exact = KeypointMix(clean=0.0, weak=1.0, strong=1.0, scored=0.0)
    return observe(people, COCO17, dataclasses.replace(exact, **mix), np.random.default_rng(1))


def off(people: People, seen) -> np.ndarray:
    """(B, J) px, NaN where missing."""
    return np.where(people.visible, np.linalg.norm(seen.pixels - people.pixels, axis=-1), np.nan)


def test_missing_keypoints_score_nothing_and_others_something(people):
    for scored in (0.0, 1.0):
        score = observed(people, scored=scored).score
        assert (score[~people.visible] == 0).all()
        assert (score[people.visible] > 0).all()
        assert (score <= 1).all()


def test_people_have_the_error_models_that_the_mix_names(people, monkeypatch):
    """A person of each model is off by its number."""
    number = {"coco": 1.0, "movenet": 2.0, "human36m": 3.0}
    monkeypatch.setattr(
        module, "with_error", lambda true, joints, model, rng, strength: true + number[model] * strength[:, None, None]
    )
    found = off(people, observed(people, movenet=0.5, small=0.2))
    each = np.nanmean(found, 1) / np.sqrt(2)
    assert [np.mean(np.isclose(each, n)) for n in number.values()] == pytest.approx([0.3, 0.5, 0.2], abs=0.09)
    assert np.nanmax(off(people, observed(people))) == pytest.approx(np.sqrt(2))
    with pytest.raises(
        ValueError, match=r"movenet and small: expected fractions of at most 1 together, got 0.7 and 0.4"
    ):
        KeypointMix(movenet=0.7, small=0.4)


def test_clean_people_are_exact_and_as_many_as_asked(people):
    assert np.nanmax(off(people, observed(people, clean=1.0))) < 1e-3
    exact = (np.nan_to_num(off(people, observed(people, clean=0.4))) < 1e-3).all(1)
    assert exact.mean() == pytest.approx(0.4, abs=0.08)


def test_errors_grow_with_their_strength(people):
    small, large = (np.nanmedian(off(people, observed(people, weak=s, strong=s))) for s in (0.3, 1.2))
    assert 2 * small < large


@pytest.mark.parametrize("model", ["coco", "human36m"])
def test_errors_follow_the_size_of_the_person(people, model: str):
    def median(scale: float) -> float:
        pixels = scale * people.pixels
        error = with_error(pixels, COCO17, model, np.random.default_rng(0), np.ones(COUNT)) - pixels
        return float(np.median(np.linalg.norm(error, axis=-1)))

    assert median(2.0) == pytest.approx(2 * median(1.0), rel=0.05)


@pytest.mark.parametrize("name", ["human36m", "coco17", "coco", "coco_feet", "smpl"])
def test_gross_errors_are_gross_for_every_joint_set(name: str):
    """Human3.6M's joints, too, which have small errors of their own."""
    joints, rng = JOINT_SETS[name], np.random.default_rng(0)
    pixels = rng.uniform(0, 400, (300, joints.size, 2))
    small, gross = (
        np.linalg.norm(with_error(pixels, joints, model, np.random.default_rng(1), np.ones(300)) - pixels, axis=-1)
        for model in ("human36m", "coco")
    )
    assert np.percentile(gross, 95) > 2 * np.percentile(small, 95)


def test_scores_tell_of_errors_but_not_reliably(people):
    seen = observed(people, scored=1.0)
    error, score = off(people, seen)[people.visible], seen.score[people.visible]
    order = np.argsort(error)
    assert score[order[: len(order) // 4]].mean() > score[order[-len(order) // 4 :]].mean() + 0.05
    assert np.corrcoef(error, score)[0, 1] > -0.98
    told = observed(people, scored=0.5)
    assert (told.score.max(1) < 1).mean() == pytest.approx(0.5, abs=0.1)


def test_unseen_keypoints_are_put_in_the_middle_of_the_seen(people):
    pixels = seen_pixels(people)
    np.testing.assert_array_equal(pixels[people.visible], people.pixels[people.visible])
    person = int(np.flatnonzero(~people.visible.all(1))[0])
    seen = people.visible[person]
    middle = people.pixels[person][seen].mean(0)
    np.testing.assert_allclose(pixels[person][~seen] - middle, 0, atol=1e-9)


def test_published_errors_are_of_these_detections():
    assert_published(KeypointMix, movenet=0.0, small=0.0, clean=0.3, weak=0.2, strong=1.2, scored=0.5)
    assert_ranges(KeypointMix)


def test_the_mix_chooses_the_error_model(people):
    mixes = [KeypointMix(model, clean=0.0, weak=1.0, strong=1.0) for model in ("movenet", "coco", "human36m")]
    movenet, coco, human36m = (observe(people, COCO17, mix, np.random.default_rng(3)).pixels for mix in mixes)
    assert not np.array_equal(movenet, coco)
    assert not np.array_equal(movenet, human36m)


def test_the_strength_of_errors_lies_between_the_weakest_and_the_strongest(people, monkeypatch):
    asked = {}

    def with_error(pixels, joint_set, model, rng, strength):
        asked["strength"] = strength
        return pixels + 8

    monkeypatch.setattr(module, "with_error", with_error)
    for clean, expected in ((0.25, 0.4), (0.26, 0.0)):  # a quarter from 0.2 to 1.0; those below the fraction are exact
        observed = observe(people, COCO17, KeypointMix(clean=clean, weak=0.2, strong=1.0, scored=0.25), Draws(0.25))
        np.testing.assert_allclose(asked["strength"], expected)
        assert set(np.unique(observed.score)) == {0, 1}


def test_a_score_falls_with_the_error_relative_to_the_persons_size():
    """e^-6 at an error as large as the person, times chance from 0.6 to 1, and never below 0.05."""
    pixels = np.array([[(0.0, 0), (40, 90), (10, 10)]])  # sqrt(40 * 90) = 60 px
    error = np.array([[(0.0, 0), (6, 8), (60, 0)]])
    np.testing.assert_allclose(module.scores_of_errors(error, pixels, Draws(1.0)), [[1, np.exp(-1), 0.05]])
    np.testing.assert_allclose(module.scores_of_errors(error, pixels, Draws(0.25)), [[0.7, 0.7 * np.exp(-1), 0.05]])
    assert np.isfinite(module.scores_of_errors(error, 0 * pixels, Draws(0.5))).all(), "a person of no size"


def test_scores_are_below_one_for_the_scored_alone(people):
    for scored, told in ((0.25, False), (0.26, True)):
        seen = observe(people, COCO17, KeypointMix(clean=0.0, scored=scored), Draws(0.25))
        assert (seen.score[people.visible] < 1).all() == told


def test_of_nobody_seen_nothing_is_known():
    nobody = People(pixels=np.ones((2, 17, 2)), visible=np.zeros((2, 17), bool))
    np.testing.assert_array_equal(seen_pixels(nobody), 0)
