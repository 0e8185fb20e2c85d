import dataclasses

import numpy as np
import pytest

from hmr_ros.training.evaluation.report import Errors, Grouping, join_errors, join_groupings, summarise, table


def some_errors(n=60, seed=0):
    rng = np.random.default_rng(seed)
    depth = rng.normal(0, 0.05, n)
    depth[:3] = np.nan
    return Errors(*(rng.gamma(4, 10, n) for _ in range(4)), depth)


def test_parts_are_summarised_apart():
    errors = some_errors()
    labels = np.where(np.arange(60) < 20, "sitting", "motion")
    rows = summarise("true", errors, [Grouping("pose", labels)])
    assert [(r.grouping, r.part, r.count) for r in rows] == [
        ("all", "all", 60),
        ("pose", "motion", 40),
        ("pose", "sitting", 20),
    ]
    assert rows[2].mpjpe.mean == pytest.approx(errors.mpjpe[:20].mean())
    assert rows[2].mpjpe.low < rows[2].mpjpe.mean < rows[2].mpjpe.high
    assert rows[2].placed == pytest.approx(17 / 20)
    assert rows[2].depth_median == pytest.approx(100 * np.nanmedian(np.abs(errors.depth[:20])))


def test_no_one_placed_gives_no_depth():
    rows = summarise("true", dataclasses.replace(some_errors(), depth=np.full(60, np.nan)), [])
    assert np.isnan(rows[0].depth_median)
    assert rows[0].placed == 0


def test_batches_join_in_order():
    a, b = some_errors(10), some_errors(5, seed=1)
    joined = join_errors([a, b])
    np.testing.assert_array_equal(joined.mpvpe, np.concatenate([a.mpvpe, b.mpvpe]))
    first, second = (
        [Grouping("x", np.array(["p"])), Grouping("y", np.array(["q"]))],
        [
            Grouping("x", np.array(["longer"])),
            Grouping("y", np.array(["r"])),
        ],
    )
    assert [g.labels.tolist() for g in join_groupings([first, second])] == [["p", "longer"], ["q", "r"]]


def test_the_table_is_aligned_and_has_a_line_per_row():
    text = table(summarise("error", some_errors(), [Grouping("view", np.repeat(["back", "front"], 30))])).splitlines()
    assert len(text) == 4
    assert text[0].split()[:3] == ["2D", "group", "people"]
    assert text[2].startswith("error  view: back")
    column = text[0].index("MPJPE")
    assert all(line[column - 1] == " " and line[column] != " " for line in text)


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"Errors.depth: expected shape \(60,\), got \(2,\)"):
        dataclasses.replace(some_errors(), depth=np.zeros(2))
