# SPDX-License-Identifier: Apache-2.0
"""Files of what another detector has found."""

import json

import numpy as np
import pytest

from hmr_ros.core.people import UNTRACKED
from hmr_ros.media.sources import Frame
from hmr_ros.recording.given import NOTHING_GIVEN, read_given

IMAGE = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture
def given(tmp_path):
    def of(*records):
        path = tmp_path / "given.jsonl"
        path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records), encoding="utf-8")
        return read_given(path)

    return of


def test_boxes_belong_to_an_image_by_its_number_or_its_name(given):
    people = given({"frame": 3, "boxes": [[1, 2, 3, 4]]}, "", {"image": "a.jpg", "boxes": []})
    assert people.of(Frame(IMAGE, "x", 3)).boxes.tolist() == [[1, 2, 3, 4]]
    assert len(people.of(Frame(IMAGE, "a.jpg", 7))) == 0
    assert people.of(Frame(IMAGE, "b.jpg", 4)) is None
    assert not people.have_keypoints
    assert NOTHING_GIVEN.of(Frame(IMAGE, "x", 0)) is None


def test_scores_and_ids_may_be_given(given):
    plain, full = (
        given({"frame": 0, "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], **more}).of(Frame(IMAGE, "x", 0))
        for more in ({}, {"scores": [0.5, 0.25], "ids": [7, None]})
    )
    assert (plain.scores.tolist(), plain.ids.tolist()) == ([1, 1], [UNTRACKED] * 2)
    assert (full.scores.tolist(), full.ids.tolist()) == ([0.5, 0.25], [7, UNTRACKED])


def test_keypoints_have_boxes_around_what_is_seen(given):
    points = [[10.0, 20.0, 0.0]] * 13 + [[10, 20, 0.5], [30, 60, 0.5], [None, 5, 0.5], [500, 5, 0.0]]
    people = given({"frame": 0, "keypoints": [points]})
    found = people.of(Frame(IMAGE, "x", 0))
    assert people.have_keypoints
    assert found.joint_set == "coco17"
    np.testing.assert_allclose(found.boxes, [[8, 16, 32, 64]])
    assert found.kp2d_score[0, 12:].tolist() == [0, 0.5, 0.5, 0, 0]
    own = given({"frame": 0, "keypoints": [points], "boxes": [[1, 2, 3, 4]]}).of(Frame(IMAGE, "x", 0))
    assert own.boxes.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("{", "line 2: .*Expecting"),
        ([1], "expected an object"),
        ({"frame": 1, "boxs": []}, "expected an object with boxes"),
        ({"frame": 1.5, "boxes": []}, '"frame", a whole number'),
        ({"frame": True, "boxes": []}, '"frame", a whole number'),
        ({"boxes": []}, '"frame", a whole number'),
        ({"frame": 1}, '"boxes" or "keypoints"'),
        ({"frame": 1, "boxes": [[1, 2, 3]]}, r'"boxes": expected an array of shape \(people, 4\), got \(1, 3\)'),
        ({"frame": 1, "boxes": [[1, 2, 3, "x"]]}, "could not convert"),
        ({"frame": 1, "boxes": [[1, 2, 3, 4]], "scores": [1, 1]}, '"scores": expected an array'),
        ({"frame": 1, "boxes": [[1, 2, 3, 4]], "ids": [-1]}, '"ids": expected 1 whole numbers'),
        ({"frame": 1, "boxes": [[1, 2, 3, 4]], "ids": [True]}, '"ids": expected 1 whole numbers'),
        ({"frame": 1, "boxes": [[1, 2, 3, 4]], "ids": 5}, '"ids": expected 1 whole numbers'),
        ({"frame": 1, "keypoints": [[[1, 2, 3]]]}, r'"keypoints": expected an array of shape \(people, 17, 3\)'),
        ({"frame": 1, "keypoints": [], "joint_set": "coco18"}, '"joint_set": expected blazepose'),
        ({"frame": 0, "boxes": []}, "image 0 has an earlier line"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(given, record, words):
    with pytest.raises(ValueError, match=f"given.jsonl, line 2: .*{words}" if "line 2" not in str(words) else words):
        given({"frame": 0, "boxes": []}, record)


def test_what_is_nested_too_deep_is_named_with_its_line(tmp_path):
    path = tmp_path / "given.jsonl"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"given\.jsonl, line 1: "):
        read_given(path)
