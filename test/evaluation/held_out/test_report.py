# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.records import join_rows
from hmr_ros.evaluation.held_out.report import Errors, Grouping, join_groupings, summarise, table

EACH = np.arange(60).astype(str)


def some_errors(n=60, seed=0):
    rng = np.random.default_rng(seed)
    depth = rng.normal(0, 0.05, n)
    depth[:3] = np.nan
    return Errors(*(rng.gamma(4, 10, n) for _ in range(6)), depth)


def test_parts_are_summarised_apart():
    errors = some_errors()
    labels = np.where(np.arange(60) < 20, "sitting", "motion")
    rows = summarise("true", "a", errors, [Grouping("pose", ("sitting", "motion", "lying"), labels)], EACH)
    assert [(r.grouping, r.part, r.count) for r in rows] == [
        ("all", "all", 60),
        ("pose", "sitting", 20),
        ("pose", "motion", 40),
    ]
    assert rows[1].mpjpe.mean == pytest.approx(errors.mpjpe[:20].mean())
    assert rows[1].mpjpe.low < rows[1].mpjpe.mean < rows[1].mpjpe.high
    assert rows[1].placed == pytest.approx(17 / 20)
    assert rows[1].depth_median == pytest.approx(100 * np.nanmedian(np.abs(errors.depth[:20])))


def test_intervals_draw_persons():
    errors = some_errors()
    alike = dataclasses.replace(errors, mpjpe=np.repeat(errors.mpjpe[:6], 10))
    by_sample, by_person = (
        summarise("true", "a", alike, [], persons)[0].mpjpe for persons in (EACH, EACH[::10].repeat(10))
    )
    assert by_person.high - by_person.low > 2 * (by_sample.high - by_sample.low)


def test_without_positions_there_is_no_depth():
    rows = summarise("true", "a", dataclasses.replace(some_errors(), depth=np.full(60, np.nan)), [], EACH)
    assert rows[0].depth_median is None
    assert table(rows).endswith("-        -     0.0 %")
    assert rows[0].placed == 0


def test_batches_join_in_order():
    a, b = some_errors(10), some_errors(5, seed=1)
    joined = join_rows([a, b])
    np.testing.assert_array_equal(joined.mpvpe, np.concatenate([a.mpvpe, b.mpvpe]))
    parts = ("short", "a longer one")
    batches = [[Grouping("x", parts, np.array([part])), Grouping("y", parts, np.array(["short"]))] for part in parts]
    assert [g.labels.tolist() for g in join_groupings(batches)] == [list(parts), ["short", "short"]]


def test_the_table_is_aligned_and_has_a_line_per_row():
    text = table(
        summarise(
            "error", "a", some_errors(), [Grouping("view", ("back", "front"), np.repeat(["back", "front"], 30))], EACH
        )
    ).splitlines()
    assert len(text) == 4
    assert text[0].split()[:3] == ["2D", "body", "group"]
    assert text[2].startswith("error  a     view: back")
    column = text[0].index("MPJPE")
    assert all(line[column - 1] == " " and line[column] != " " for line in text)


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"Errors.depth: expected shape \(60,\), got \(2,\)"):
        dataclasses.replace(some_errors(), depth=np.zeros(2))


def test_an_unknown_label_is_named():
    with pytest.raises(ValueError, match=r"Grouping 'view': expected labels of \('back',\), got \['front'\]"):
        Grouping("view", ("back",), np.array(["front"]))
