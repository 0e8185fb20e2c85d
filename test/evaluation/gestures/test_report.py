# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.gestures.report import counted, recognised
from hmr_ros.evaluation.gestures.sequences import KINDS, arms_of, held, times


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body_model(models_dir() / "open_body.npz")


@pytest.mark.parametrize("kind", KINDS)
def test_arms_have_directions_and_hang_at_first_and_at_last(kind: str):
    arms = arms_of(kind, np.random.default_rng(0))
    for part in (arms.upper, arms.fore):
        assert part.shape == (len(times()), 2, 3)
        np.testing.assert_allclose(np.linalg.norm(part, axis=-1), 1)
        assert (part[[0, -1], :, 2] < -0.5).all()
    assert held(times()).max() == 1


def test_the_counts_are_those_of_the_sequences(body: BodyModel):
    row = counted("both hands raised", range(2), body)
    found = [recognised("both hands raised", seed, body) for seed in range(2)]
    assert row.sequences == 2
    assert row.right == sum(KINDS["both hands raised"].gesture in gestures for gestures in found)
    assert sum(row.others.values()) == sum(len(gestures) for gestures in found) - row.right


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_made_sequences_are_recognised(body: BodyModel, kind: str):
    """Most of them, by seeds that are neither reported in docs/hands.md nor those that thresholds were chosen on."""
    found = [recognised(kind, seed, body) for seed in range(5000, 5008)]
    wanted = KINDS[kind].gesture
    assert sum((wanted in gestures) if wanted else not gestures for gestures in found) >= 5
