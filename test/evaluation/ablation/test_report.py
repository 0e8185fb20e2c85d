# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.evaluation.ablation.report import figure, groups, lines, markdown, markdown_of_groups, mean_over_runs
from hmr_ros.evaluation.ablation.variants import FULL, VARIANTS
from hmr_ros.evaluation.held_out.report import Errors, Grouping
from hmr_ros.training.config import TrainConfig

CLIPS = np.repeat(["a", "b", "c", "d", "e", "f"], 10)


def errors(mpjpe):
    return Errors(*(np.asarray(mpjpe) if number < 2 else np.zeros(60) for number in range(7)))


def test_a_variant_changes_one_setting():
    config = TrainConfig(recipe="global_to_pixel")
    assert FULL.of(config) == config
    for variant in VARIANTS[1:]:
        changed = variant.of(config)
        assert getattr(changed.global_to_pixel, variant.setting) == variant.value
        assert getattr(config.global_to_pixel, variant.setting) != variant.value
    assert [v.paper_mpjpe for v in VARIANTS] == sorted(v.paper_mpjpe for v in VARIANTS)


def test_pairs_cancel_the_difficulty_of_people():
    rng = np.random.default_rng(0)
    full = rng.gamma(2, 30, (3, 60))
    found = figure(full + 2 + rng.normal(0, 0.5, (3, 60)), full, CLIPS)
    assert found.worse.mean == pytest.approx(2, abs=0.2)
    assert 1.5 < found.worse.low < found.worse.high < 2.5
    assert found.mean.high - found.mean.low > 10 * (found.worse.high - found.worse.low)
    assert found.each == pytest.approx([2, 2, 2], abs=0.3)


def test_intervals_draw_seeds_and_clips():
    flat = np.zeros((3, 60))
    by_seed, by_clip = flat + np.array([[-3.0], [0], [3]]), flat + np.repeat(np.arange(6.0), 10)
    for values in (by_seed, by_clip):
        interval = mean_over_runs(values, CLIPS)
        assert interval.mean == pytest.approx(values.mean())
        assert interval.high - interval.low > 2
    one = mean_over_runs(flat + 5, CLIPS)
    assert (one.low, one.high) == (5, 5)


def test_the_table_says_who_is_best():
    base = np.random.default_rng(1).gamma(2, 30, 60)
    runs = [[errors(base + worse + seed) for seed in range(2)] for worse in (3, 0, 5, 6, 7)]
    text = markdown(lines(runs, CLIPS))
    assert "| fixed matching (`match = 'fixed'`) | 44.1, 33.5 |" in text
    assert "| -3.0 [-3.0, -3.0] | -3.0 [-3.0, -3.0] | -3.0, -3.0 |" in text
    assert text.endswith("Ours: fixed matching < full < fixed RoI < no residual < no local encoding.")


def test_differences_are_told_by_occlusion():
    hidden = np.arange(60) % 2 == 0
    labels = np.where(hidden, "half body", "none")
    groupings = [
        Grouping("hidden", ("none", "some", "half body"), labels),
        Grouping("view", ("front",), np.array(["front"] * 60)),
    ]
    base = np.random.default_rng(1).gamma(2, 30, 60)
    runs = [[errors(base + worse * hidden + seed) for seed in range(2)] for worse in (0, 1, 2, 4, 8)]
    everyone, seen, half = groups(runs, groupings, CLIPS)
    assert (everyone.count, seen.count, half.count) == (60, 30, 30)
    assert (seen.part, half.part) == ("none", "half body")
    assert [worse.mean for worse in half.worse] == pytest.approx([1, 2, 4, 8])
    assert [worse.mean for worse in seen.worse] == pytest.approx([0, 0, 0, 0])
    assert [worse.mean for worse in everyone.worse] == pytest.approx([0.5, 1, 2, 4])
    assert seen.full.mean == pytest.approx(base[~hidden].mean() + 0.5)
    head, rule, *rows = markdown_of_groups([everyone, seen, half]).splitlines()
    assert head.count("|") == rule.count("|") == rows[0].count("|")
    assert rows[0].startswith("| all | 60 | ")
    assert rows[2].startswith("| hidden: half body | 30 | ")
    assert rows[2].endswith("| 8.0 [8.0, 8.0] |")
