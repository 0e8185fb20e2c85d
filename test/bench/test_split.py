# SPDX-License-Identifier: Apache-2.0
"""Where the time of an image goes, on the recorded spans of a node without networks, and on made-up ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.bench.split import (
    CAMERA,
    RESIDUE_MS,
    SLOT,
    SUBSCRIBER,
    TRANSPORT_IN,
    TRANSPORT_OUT,
    Step,
    Traced,
    parts_of,
    read_sent,
    read_traced,
    split,
    splits,
)
from hmr_ros.bench.split_table import summary, table
from hmr_ros.ros.player.heard import Heard

DATA = Path(__file__).parent / "data"
MS = 1_000_000


@pytest.fixture
def recorded():
    """Six images at 720p: TF, joint states, markers and a mesh of one person, by a node, a camera and a subscriber."""
    heard = [Heard(*row) for row in json.loads((DATA / "heard.json").read_text(encoding="utf-8"))]
    return read_traced(DATA / "traced.jsonl"), read_sent(DATA / "sent.txt"), heard


def test_the_parts_of_recorded_images_add_up_to_the_whole(recorded):
    images = splits(*recorded)
    assert len(images) == 6
    for image in images:
        assert abs(image.residue) <= RESIDUE_MS
        assert min(image.parts.values()) >= 0
        assert 1 < image.whole < 1000
    total = sum(part.mean for part in parts_of(images))
    assert total == pytest.approx(np.mean([image.whole for image in images]), abs=RESIDUE_MS)


def test_a_recorded_image_goes_its_way_in_order(recorded):
    names = [part.name for part in parts_of(splits(*recorded))]
    way = [CAMERA, TRANSPORT_IN, SLOT, "admission", "decoding", "detection", "tracking", "estimation"]
    way += ["smoothing", "posing", "humans", "tf, making", "tf, sending", "bodies, making", "bodies, sending"]
    way += ["markers, sending", "mesh, making", "mesh, sending", TRANSPORT_OUT, SUBSCRIBER]
    assert [name for name in names if name in way] == way
    assert "bookkeeping" not in names  # after the last message


def traced(steps=(), stamp_ns=0):
    return Traced(stamp_ns, 6 * MS, 10 * MS, 0, tuple(steps))


def test_each_part_ends_where_the_next_begins():
    steps = Step("a", 13 * MS, 2 * MS), Step("b", 17 * MS, 3 * MS), Step("a", 18 * MS, 4 * MS)
    image = split(traced(steps), 2 * MS, Heard(0, 18 * MS, 19 * MS, 21 * MS))
    assert image.parts == pytest.approx(
        {CAMERA: 2, TRANSPORT_IN: 4, SLOT: 4, "a": 4, "b": 4, TRANSPORT_OUT: 1, SUBSCRIBER: 2}
    )
    assert image.processor == pytest.approx({"a": 3, "b": 1})
    assert image.whole == pytest.approx(21)
    assert image.residue == pytest.approx(0)


def test_what_the_worker_does_after_the_last_message_is_sent_does_not_count():
    steps = Step("sending", 14 * MS, 0), Step("bookkeeping", 30 * MS, 9 * MS)
    image = split(traced(steps), 2 * MS, Heard(0, 12 * MS, 13 * MS, 13 * MS))
    assert image.parts["sending"] == pytest.approx(2)
    assert "bookkeeping" not in image.parts
    assert image.residue == pytest.approx(0)


def test_what_is_missing_is_the_residue():
    image = split(traced([Step("a", 12 * MS, 0)]), 2 * MS, Heard(0, 20 * MS, 20 * MS, 20 * MS))
    assert image.residue == pytest.approx(8)


def test_the_last_message_about_an_image_counts_and_images_without_any_do_not():
    heard = (
        Heard(0, 11 * MS, 12 * MS, 13 * MS),
        Heard(0, 15 * MS, 16 * MS, 17 * MS),
        Heard(0, 14 * MS, 40 * MS, 50 * MS),
    )
    (image,) = splits([traced([Step("a", 20 * MS, 0)]), traced(stamp_ns=7)], {0: 2 * MS, 7: 2 * MS}, heard)
    assert splits([traced()], {}, heard) == []
    assert image.whole == pytest.approx(17)


def test_a_line_that_is_being_written_and_images_of_unknown_arrival_are_left_out(tmp_path):
    row = {"stamp": 1, "arrived": 4, "began": [5, 6], "steps": [["a", 7, 8]]}
    path = tmp_path / "trace.jsonl"
    whole, unknown = json.dumps(row), json.dumps(row | {"arrived": None})
    path.write_text(f"{whole}\n{unknown}\n{whole[:40]}", encoding="utf-8")
    assert read_traced(path) == [Traced(1, 4, 5, 6, (Step("a", 7, 8),))]


def test_a_line_of_the_camera_may_be_cut_off(tmp_path):
    path = tmp_path / "camera.sent"
    path.write_text("1 2\n3 4\n5", encoding="utf-8")
    assert read_sent(path) == {1: 2, 3: 4}


def test_an_image_may_arrive_before_the_camera_is_done():
    image = split(traced(), 9 * MS, Heard(0, 10 * MS, 10 * MS, 10 * MS))
    assert (image.parts[CAMERA], image.parts[TRANSPORT_IN]) == pytest.approx((6, 0))
    assert image.residue == pytest.approx(0)


def test_names_keep_the_order_of_the_images():
    first = split(traced([Step("a", 12 * MS, 0), Step("c", 13 * MS, 0)]), 2 * MS, Heard(0, 13 * MS, 14 * MS, 14 * MS))
    second = split(traced([Step("a", 11 * MS, 0), Step("b", 12 * MS, 0)]), 2 * MS, Heard(0, 12 * MS, 13 * MS, 13 * MS))
    names = [part.name for part in parts_of([first, second])]
    assert names.index("a") < names.index("b") < names.index(TRANSPORT_OUT)
    assert names.index("a") < names.index("c") < names.index(TRANSPORT_OUT)
    assert {part.name: part.mean for part in parts_of([first, second])}["b"] == pytest.approx(0.5)


def test_the_table_has_a_column_for_each_case_and_leaves_out_what_is_small():
    steps = Step("large", 13 * MS, 0), Step("small", 13 * MS + 10_000, 0), Step("sending", 20 * MS, 0)
    image = split(traced(steps), 2 * MS, Heard(0, 20 * MS, 21 * MS, 22 * MS))
    lines = table(
        {
            "1 person": summary([image], {"executor": 1.25}),
            "none": summary([split(traced(), 2 * MS, Heard(0, 10 * MS, 10 * MS, 10 * MS))], {}),
        }
    )
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for cells in (line.split("|") for line in lines.splitlines())
    }
    assert rows["ms, mean (p99)"] == ["1 person", "none"]
    assert rows["large"] == ["3.0 (3)", ""]
    assert "small" not in rows
    assert rows["the rest, each less than 0.05"] == ["0.0", "0.0"]
    assert rows["**stamp to subscriber**"] == ["**22.0 (22)**", "**10.0 (10)**"]
    assert rows["processor time per image: executor"] == ["1.2", "0.0"]
