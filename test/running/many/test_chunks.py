# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")

from hmr_ros.media.sources import Excerpt
from hmr_ros.running.many.chunks import Chunking, check, excerpts, footage_s
from hmr_ros.running.many.inputs import find
from hmr_ros.running.many.outcome import Status
from hmr_ros.running.many.run import Many, Plan
from hmr_ros.running.progress import Silence, Terminal
from hmr_ros.running.request import Request
from hmr_ros.running.single import Output, Run
from test.media.files import write_clip
from test.ros.bag.recordings import scene, write_mcap, write_ros1, write_rosbag2
from test.running.many import stubs

GOING = SimpleNamespace(requested=False)
CHUNKING = Chunking(1.0, 0.4)
REQUEST = Request("", saved=("json", "npz"), fov=60.0)


@pytest.mark.parametrize(
    ("footage", "asked", "expected"),
    [
        (25.0, Excerpt(), [(0, 10), (8, 12), (18, math.inf)]),
        (25.0, Excerpt(start_s=5.0, seconds=15.0), [(5, 10), (13, 7)]),
        (9.0, Excerpt(), [(0, math.inf)]),
        (0.0, Excerpt(seconds=4.0), [(0, 4)]),
        (20.0, Excerpt(), [(0, 10), (8, math.inf)]),
    ],
)
def test_chunks_cover_what_is_asked_for_and_overlap(footage, asked, expected):
    assert [(e.start_s, e.seconds) for e in excerpts(footage, asked, Chunking(10.0, 2.0))] == expected


def test_what_cannot_be_put_together_is_refused():
    check(REQUEST)
    for request in (Request(""), Request("", saved=("npz",)), Request("", saved=("json", "mcap"))):
        with pytest.raises(ValueError, match="--save json"):
            check(request)
    with pytest.raises(ValueError, match="--every"):
        check(Request("", saved=("json",), excerpt=Excerpt(2)))
    for seconds in (5.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="more than 5 s"):
            Chunking(seconds)


def test_lengths_are_known_without_reading(tmp_path):
    said = scene(6)
    write_mcap(tmp_path / "a.mcap", said)
    write_rosbag2(tmp_path / "b", said)
    write_ros1(tmp_path / "c.bag", said)
    write_clip(tmp_path / "d.avi", frames=6, rate_hz=10.0)
    (tmp_path / "e.mcap").write_text("no recording")
    lengths = [footage_s(given) for given in find([str(tmp_path)], tmp_path / "out")]
    assert lengths == pytest.approx([0.5, 0.5, 0.5, 0.6, 0.0], abs=1e-6)


def call(here, executor=None, chunking=CHUNKING, stopping=GOING):
    executor, said = executor or stubs.Here(size=3), []
    plan = Plan([str(here / "in")], here / "out", 0, chunking)
    many = Many(plan, REQUEST, said.append, lambda count: contextlib.nullcontext(Silence()))
    return many.run(lambda: executor, stopping), said, executor


@pytest.fixture
def here(tmp_path):
    (tmp_path / "in").mkdir()
    write_clip(tmp_path / "in/clip.avi", frames=33, rate_hz=10.0)
    return tmp_path


def alone(here, name):
    Run(Request(str(here / "in" / name), saved=REQUEST.saved, fov=60.0), Terminal(), stubs.assemble).into(
        Output(here / "alone")
    )
    return here / "alone"


def numbers(path):
    """The lines of a result without what differs where smoothing begins elsewhere."""
    kept = ("id", "state", "kp2d")
    lines = [json.loads(line) for line in (path / "bodies.jsonl").read_text().splitlines()]
    return [{**line, "bodies": [{name: body[name] for name in kept} for body in line["bodies"]]} for line in lines]


@pytest.mark.parametrize("name", ["clip.avi", pytest.param("bag.mcap", marks=pytest.mark.slow)])
def test_chunks_together_are_what_one_run_gives(here, name):
    if name == "bag.mcap":
        (here / "in/clip.avi").unlink()
        write_mcap(here / "in/bag.mcap", scene(24))
    finale, said, executor = call(here)
    assert len(executor.jobs) >= 3
    (result,) = (path.parent for path in (here / "out").glob("*/run.json"))
    expected = alone(here, name)
    assert numbers(result) == numbers(expected)
    with np.load(result / "bodies.npz") as found, np.load(expected / "bodies.npz") as one:
        assert set(found.files) == set(one.files)
        for column in ("image_index", "image_frame", "image_stamp_s", "ids", "states", "kp2d", "camera_size"):
            assert np.array_equal(found[column], one[column]), column
        assert found["joints"].shape == one["joints"].shape
    assert (finale.totals.images, finale.totals.people) == (len(numbers(expected)), 2)
    assert finale.totals.footage_s == pytest.approx(0.1 * (finale.totals.images - 1))
    assert said[-1].startswith("1/1 ")
    assert not any((here / "out/.chunks").iterdir())
    assert call(here)[0].totals.counts[Status.FOUND] == 1


def test_a_call_that_was_stopped_keeps_the_chunks_it_has(here):
    stopping = SimpleNamespace(requested=False)

    class Stopped(stubs.Here):
        def events(self, timeout_s):
            stopping.requested = True
            return super().events(timeout_s)

    finale, *_ = call(here, Stopped(), stopping=stopping)
    assert finale.totals.counts[Status.INTERRUPTED] == 1
    assert len(list((here / "out/.chunks").glob("*/run.json"))) == 1
    opened = len(stubs.opened_in)
    finale, _, executor = call(here)
    assert finale.totals.counts[Status.DONE] == 1
    assert len(stubs.opened_in) - opened == len(executor.jobs) - 1


def test_a_chunk_that_fails_fails_the_whole(here):
    finale, said, _ = call(here, stubs.Here(stubs.broken))
    assert finale.totals.counts[Status.FAILED] == 1
    assert "failed: 4 of 4 chunks: KeyError: 'joint'" in said[-1]


@pytest.mark.slow
def test_a_camera_may_pause_for_longer_than_a_chunk(here):
    (here / "in/clip.avi").unlink()
    early, late = scene(5), scene(5)
    late = [type(each)(each.topic, each.log_ns + 6 * 10**9, each.data) for each in late]
    write_mcap(here / "in/bag.mcap", early + late)
    finale, *_ = call(here)
    assert (finale.totals.counts[Status.DONE], finale.totals.images) == (1, 10)
