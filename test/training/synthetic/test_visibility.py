# SPDX-License-Identifier: Apache-2.0
"""Each kind of occlusion hides what it is named after, as often as it is asked to."""

import numpy as np
import pytest

from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.training.synthetic.visibility import OcclusionMix, sample_occlusion
from test.training.published import assert_published, assert_ranges
from test.training.synthetic.draws import Draws

NONE = dict.fromkeys(("half_plane", "rectangle", "limb", "single_joints", "group"), 0.0)
COUNT = 2000


def hidden(pixels: np.ndarray | None = None, **mix: float) -> np.ndarray:
    """(B, J) hidden keypoints of people in random poses, or at ``pixels``."""
    rng = np.random.default_rng(0)
    people = rng.uniform((100, 50), (200, 400), (COUNT, COCO_FEET.size, 2)) if pixels is None else pixels
    return ~sample_occlusion(people, COCO_FEET, OcclusionMix(**NONE | mix), rng)


def test_nothing_hides_nothing():
    assert not hidden().any()


@pytest.mark.parametrize("kind", NONE)
def test_each_kind_strikes_as_often_as_asked(kind: str):
    always, rarely = (hidden(**{kind: share}).any(1).mean() for share in (1.0, 0.3))
    assert always > 0.7
    assert rarely == pytest.approx(0.3 * always, abs=0.04)


def test_kinds_add_up():
    both = hidden(half_plane=1.0, limb=1.0)
    assert both.mean() > 1.2 * max(hidden(half_plane=1.0).mean(), hidden(limb=1.0).mean())


def test_single_joints_are_lost_at_their_rate_and_independently():
    lost = hidden(single_joints=1.0, single_joint_rate=0.2)
    assert lost.mean() == pytest.approx(0.2, abs=0.01)
    assert np.abs(np.cov(lost.T) - np.diag(lost.var(0))).max() < 0.02


def test_a_limb_is_a_forearm_or_a_lower_leg_of_one_side():
    names = {tuple(COCO_FEET.joints[j] for j in np.flatnonzero(row)) for row in hidden(limb=1.0)}
    assert len(names) == 4
    for limb in names:
        assert len({joint.split("_")[0] for joint in limb}) == 1
        assert len({any(part in joint for part in ("elbow", "wrist")) for joint in limb}) == 1
        assert not any("shoulder" in joint or "hip" in joint or "eye" in joint for joint in limb)


def test_a_straight_edge_most_often_hides_what_is_low():
    lost = hidden(np.tile(np.linspace((150, 50), (150, 400), COCO_FEET.size), (COUNT, 1, 1)), half_plane=1.0)
    per_joint = lost.mean(0)
    assert per_joint[0] < 0.2, "the head, only by an edge at one side"
    assert per_joint[-1] == pytest.approx(0.85, abs=0.04), "the feet"
    assert (np.diff(per_joint) >= 0).all()


def test_an_edge_at_one_side_hides_left_and_right_alike():
    lost = hidden(np.tile(np.linspace((50, 150), (400, 150), COCO_FEET.size), (COUNT, 1, 1)), half_plane=1.0).mean(0)
    assert 0.1 < lost[0] < 0.2
    assert lost[0] == pytest.approx(lost[-1], abs=0.04)


def test_a_rectangle_hides_neighbours_and_leaves_the_far_ones():
    row = np.tile(np.linspace((150, 50), (151, 400), COCO_FEET.size), (COUNT, 1, 1))
    lost = hidden(row, rectangle=1.0)
    struck = lost[lost.any(1)]
    edges = np.diff(np.pad(struck, ((0, 0), (1, 1))).astype(int), axis=1)
    assert (np.abs(edges).sum(1) == 2).all(), "one run of joints"
    assert struck.sum(1).max() < 0.7 * COCO_FEET.size


def at_a_quarter(pixels: np.ndarray, **mix: float) -> list[int]:
    """Which of the keypoints (J, 2) px a person loses whose every draw lies a quarter up its range."""
    full = np.tile(pixels, (COCO_FEET.size // len(pixels) + 1, 1))[None, : COCO_FEET.size]
    lost = ~sample_occlusion(full, COCO_FEET, OcclusionMix(**NONE | mix), Draws(0.25))
    return np.flatnonzero(lost[0, : len(pixels)]).tolist()


def test_an_edge_lies_between_a_third_and_nine_tenths_of_the_way_down():
    heights = np.array([0, 0.48, 0.49, 1.0])  # a quarter from 0.35 to 0.9: 0.4875
    assert at_a_quarter(np.stack([np.full(4, 7.0), 400 * heights], 1), half_plane=1.0) == [2, 3]


def test_a_rectangle_is_between_a_sixth_and_three_fifths_of_the_box_wide():
    """A quarter up: its centre at a quarter of the box, its half sides 0.08 + 0.22 / 4 = 0.135 of it."""
    inside = [(0.12, 0.25), (0.38, 0.25), (0.25, 0.12), (0.25, 0.38)]
    outside = [(0.11, 0.25), (0.39, 0.25), (0.25, 0.11), (0.25, 0.39), (0, 0), (1, 1)]
    points = np.array(inside + outside) * (200, 400) + (50, 30)
    assert at_a_quarter(points, rectangle=1.0) == [0, 1, 2, 3]


@pytest.mark.parametrize(("height", "lost"), [(0.0, []), (1e-9, [])])
def test_a_person_of_no_size_is_hidden_by_nothing_but_what_lies_on_its_place(height: float, lost: list[int]):
    assert at_a_quarter(np.array([(5.0, 5.0), (5.0, 5.0 + height)]), half_plane=1.0) == lost


@pytest.mark.parametrize("kind", ["half_plane", "rectangle", "limb", "single_joints"])
def test_a_fraction_strikes_those_below_it(kind: str):
    """Draws of exactly a fraction strike nobody: 0 is never, 1 always."""
    row = np.linspace((0, 0), (0, 100), COCO_FEET.size)
    assert not at_a_quarter(row, **{kind: 0.25, "single_joint_rate": 1.0})
    assert at_a_quarter(np.linspace((0, 0), (100, 100), COCO_FEET.size), **{kind: 0.26, "single_joint_rate": 1.0})


def test_published_errors_are_of_people_that_are_hidden_so_often():
    joints = {"single_joints": 0.4, "single_joint_rate": 0.08}
    assert_published(OcclusionMix, group=0.0, half_plane=0.15, rectangle=0.15, limb=0.1, **joints)
    assert_ranges(OcclusionMix, single_joint_rate=(0, 1))


def test_groups_are_lost_together():
    lost = {tuple(COCO_FEET.joints[j] for j in np.flatnonzero(row)) for row in hidden(group=1.0)}
    parts = [{joint.split("_")[-1] for joint in group} for group in lost]
    assert {"nose", "eye", "ear"} in parts, "the face"
    assert {"heel", "toe"} in parts, "the feet"
    assert {"nose", "eye", "ear", "heel", "toe"} in parts
    assert {"hip", "knee", "ankle", "heel", "toe"} in parts, "the lower body"
    one_sided = [group for group in lost if len({joint.split("_")[0] for joint in group}) == 1]
    assert {group[0].split("_")[0] for group in one_sided} == {"left", "right"}
    assert all(len(group) == (COCO_FEET.size - 1) // 2 for group in one_sided), "the nose has no side"
