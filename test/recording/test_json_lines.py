# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json

import numpy as np
import pytest

from hmr_ros.core.people import State
from hmr_ros.recording.json_lines import JsonLines, to_json, to_line
from test.recording.entries import entry, with_hands
from test.ros.stubs import with_forecasts
from test.small_disk import small_disk


def test_a_line_says_all_of_an_image_but_its_vertices():
    line = to_line(entry([7], index=3, stamp_s=0.3, name="clip.mp4", lost=(5,), states=[State.COASTING]))
    record = json.loads(line)
    assert "\n" not in line
    assert (record["image"], record["frame"], record["stamp_s"], record["lost"]) == ("clip.mp4", 3, 0.3, [5])
    assert record["camera"]["width"] == 64
    assert np.shape(record["camera"]["K"]) == (3, 3)
    (body,) = record["bodies"]
    assert (body["id"], body["state"], body["score"], body["valid"]) == (7, "COASTING", 0.75, True)
    assert body["cam_t"] == [0.7, 0, 2]
    assert body["betas"][1] == 0.333333
    shapes = {"kp2d": (33, 2), "kp2d_score": (33,), "global_orient": (3,), "body_pose": (23, 3), "joints": (24, 3)}
    assert {name: np.shape(body[name]) for name in shapes} == shapes
    assert np.shape(body["joint_covariance"]) == (24, 3, 3)
    assert "vertices" not in body


def test_forecasts_are_objects_one_for_each_time():
    plain = entry([7, 8], valid=[True, False])
    known, unknown = json.loads(to_line(dataclasses.replace(plain, bodies=with_forecasts(plain.bodies))))["bodies"]
    assert unknown["forecasts"] == []
    soon, later = known["forecasts"]
    assert (soon["ahead_s"], later["ahead_s"]) == (0.25, 1.0)
    assert soon["cam_t"] == [0.95, 0, 2]
    assert np.shape(later["joints"]) == (24, 3)
    assert np.shape(later["joint_covariance"]) == (24, 3, 3)
    assert "forecasts" not in json.loads(to_line(plain))["bodies"][0]


def test_what_is_unknown_is_null():
    line = to_line(entry([1], valid=[False]))
    record = json.loads(line, parse_constant=pytest.fail)
    assert record["stamp_s"] is None
    assert record["bodies"][0]["cam_t"] == [None, None, None]
    assert record["bodies"][0]["root_covariance"] == [[None] * 3] * 3


def test_an_image_without_people_has_an_empty_list():
    assert json.loads(to_line(entry()))["bodies"] == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32(0.1), 0.1),
        (np.float32(np.inf), None),
        (np.array([1, 2]), [1, 2]),
        (np.zeros((2, 0)), [[], []]),
        (np.float64([[123456.789, -1e-9]]), [[123457.0, -1e-9]]),
        (np.bool_(True), True),
    ],
)
def test_numbers_have_six_digits(values, expected):
    assert to_json(values) == expected


def test_each_line_can_be_read_while_the_file_is_written(tmp_path):
    lines = JsonLines(tmp_path / "bodies.jsonl")
    for index in range(2):
        lines.write(entry([1, 2], index=index, stamp_s=0.1 * index))
        read = (tmp_path / "bodies.jsonl").read_text().splitlines()
        assert [json.loads(line)["frame"] for line in read] == list(range(index + 1))
    lines.close()


def test_hands_are_there_where_they_are_looked_for():
    (left, right), without = [json.loads(to_line(e))["bodies"] for e in (with_hands(entry([4, 9])), entry([4]))]
    assert "hands" not in without[0]
    assert left["hands"]["presence"] == [0.9, 0]
    assert np.shape(left["hands"]["pose"]) == (2, 15, 3)
    assert left["hands"]["error"] == [0.02, None]
    assert right["hands"]["pose"][0][0] == [None] * 3


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path):
    lines = JsonLines(tmp_path / "bodies.jsonl")
    with small_disk(1000), pytest.raises(OSError, match=r"bodies\.jsonl"):
        lines.write(entry([7]))
    lines.close()
