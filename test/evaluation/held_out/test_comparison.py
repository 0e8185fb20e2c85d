# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.evaluation.held_out.comparison import gains, verdict
from hmr_ros.evaluation.held_out.report import Grouping
from test.evaluation.held_out.test_report import some_errors

PERSONS = np.repeat(np.arange(20), 3).astype(str)
VIEWS = Grouping("view", ("front", "back"), np.repeat(["front", "back"], 30))


def better_by(errors, amount):
    return dataclasses.replace(errors, mpjpe=errors.mpjpe - amount, pa_mpjpe=errors.pa_mpjpe - amount)


def test_pairs_make_small_gains_certain():
    errors = some_errors()
    found = gains(better_by(errors, 1.0), errors, [VIEWS], PERSONS)
    assert [(g.split, g.count) for g in found] == [("all", 60), ("view: front", 30), ("view: back", 30)]
    for gain in found:
        assert gain.mpjpe.mean == pytest.approx(1)
        assert gain.mpjpe.low == pytest.approx(1)
        assert gain.pa_mpjpe.high == pytest.approx(1)
    assert verdict("a", "b", found) == (
        "a against b: 1.0 [1.0, 1.0] mm less MPJPE, 1.0 [1.0, 1.0] mm less PA-MPJPE; less of both on 3 of 3 splits"
    )


def test_splits_that_lose_or_may_be_chance_are_named():
    errors = some_errors()
    noise = np.random.default_rng(1).normal(0, 30, 60)
    amount = np.where(VIEWS.labels == "front", -1, 3 + noise - noise[30:].mean())
    found = gains(better_by(errors, amount), errors, [VIEWS], PERSONS)
    text = verdict("a", "b", found)
    assert "less of both on 2 of 3 splits (not: view: front)" in text
    assert "within the interval: " in text
    assert "view: back" in text.rsplit("interval", 1)[1]
