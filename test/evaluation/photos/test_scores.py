# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.skeleton import COCO17
from hmr_ros.evaluation.photos.scores import PARTS, Outcome, as_json, join, summarise, table


@pytest.fixture
def outcome():
    """Two methods, two people: the first upright and labelled but for the ears, the second with wrists only."""
    errors = np.full((2, 2, 17), 0.05)
    errors[1, 0, COCO17.index("left_knee")] = 0.15
    errors[1, 1] = np.inf
    labelled = np.zeros((2, 17), np.bool_)
    labelled[0] = [not joint.endswith("ear") for joint in COCO17.joints]
    labelled[1] = [joint.endswith("wrist") for joint in COCO17.joints]
    return Outcome(errors, np.full((2, 2, 17), np.nan), labelled, np.array([True, False]))


def test_every_joint_belongs_to_a_part():
    assert dict(zip(COCO17.joints, PARTS, strict=True))["right_elbow"] == "elbow"
    assert PARTS.count("head") == 5
    assert {part: PARTS.count(part) for part in PARTS if part != "head"} == dict.fromkeys(PARTS[5:], 2)


def test_pck_is_the_share_of_labelled_joints_near_their_labels(outcome):
    rows = {row.group: row for row in summarise(outcome, 0.2)}
    assert [(rows[g].people, rows[g].joints) for g in ("all", "upright", "others")] == [(2, 17), (1, 15), (1, 2)]
    assert [interval.mean for interval in rows["all"].pck] == pytest.approx([100, 100 * 15 / 17])
    assert rows["all"].gain[0].mean == pytest.approx(-100 * 2 / 17)
    assert rows["wrist"].pck[1].mean == pytest.approx(50)
    assert rows["wrist"].pck[1].low == 0
    assert rows["wrist"].pck[1].high == 100


def test_a_tighter_threshold_counts_less(outcome):
    rows = {row.group: row for row in summarise(outcome, 0.1)}
    assert rows["knee"].pck[0].mean == 100
    assert rows["knee"].pck[1].mean == 50


def test_groups_without_joints_are_left_out(outcome):
    nobody = dataclasses.replace(outcome, labelled=outcome.labelled & outcome.upright[:, None])
    assert "others" not in [row.group for row in summarise(nobody, 0.2)]
    none = np.zeros((1, 0, 17))
    assert summarise(Outcome(none, none, np.zeros((0, 17), np.bool_), np.zeros(0, np.bool_)), 0.2) == []


def test_outcomes_are_joined_person_by_person(outcome):
    both = join([outcome, outcome])
    assert both.errors.shape == both.distances.shape == (2, 4, 17)
    assert both.upright.tolist() == [True, False, True, False]


def test_the_report_names_its_methods(outcome):
    rows = summarise(outcome, 0.2)
    lines = table(rows, ("keypoints", "lifter")).splitlines()
    assert lines[0].split("  ")[-1] == "lifter - keypoints"
    assert lines[1].startswith("all       2       17      100.0 [100.0, 100.0]")
    first = as_json(rows, ("keypoints", "lifter"))[0]
    assert first["pck"]["keypoints"] == {"mean": 100.0, "low": 100.0, "high": 100.0}
    assert list(first["gain"]) == ["lifter"]


def test_shapes_are_checked(outcome):
    with pytest.raises(ValueError, match=r"expected errors and distances \(M, 2, 17\)"):
        dataclasses.replace(outcome, errors=outcome.errors[:, :1])
