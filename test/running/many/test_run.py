# SPDX-License-Identifier: Apache-2.0
"""Calls over many inputs, with networks that are none, in this process."""

import contextlib
import os
from types import SimpleNamespace

import pytest

pytest.importorskip("mcap")

from hmr_ros.running.many.outcome import Status
from hmr_ros.running.many.run import Many, Plan
from hmr_ros.running.progress import Silence
from hmr_ros.running.request import Request
from test.media.files import write_clip
from test.running.many import stubs

REQUEST = Request("", saved=("json",), fov=60.0)
GOING = SimpleNamespace(requested=False)


@pytest.fixture
def here(tmp_path):
    stubs.write_inputs(tmp_path / "in")
    return tmp_path


def call(here, executor=None, *, request=REQUEST, retries=1, stopping=GOING):
    """The end of a call over what is in ``here``, what it said, and the executor."""
    executor, said = executor or stubs.Here(), []
    plan = Plan([str(here / "in")], here / "out", retries)
    many = Many(plan, request, said.append, lambda count: contextlib.nullcontext(Silence()))
    return many.run(lambda: executor, stopping), said, executor


def results(here):
    return {path.name.rpartition("-")[0]: path for path in (here / "out").iterdir() if path.is_dir()}


def test_a_second_call_reads_and_does_nothing(here, monkeypatch):
    finale, said, executor = call(here)
    assert finale.totals.counts[Status.DONE] == 3
    assert results(here).keys() == {"clip", "bag", "photos"}
    assert said[0] == "3 inputs, 0 of them done before"
    assert executor.closed
    monkeypatch.setattr("hmr_ros.running.many.job.content_sha256", lambda _: pytest.fail("read an input"))
    finale, said, executor = call(here)
    assert (finale.totals.counts[Status.FOUND], finale.totals.images) == (3, 10)
    assert (said, executor.jobs) == (["3 inputs, 3 of them done before"], [])
    assert "done before" in (here / "out/report.html").read_text()


def test_what_was_touched_is_read_but_not_done_again(here):
    call(here)
    os.utime(here / "in/clip.avi", (1, 1))
    finale, said, executor = call(here)
    assert [job.given.path.name for job in executor.jobs] == ["clip.avi"]
    assert finale.totals.counts[Status.FOUND] == 3
    assert "clip.avi (done before): 5 images" in said[1]
    assert call(here)[2].jobs == []


def test_what_has_changed_is_done_and_the_rest_is_not(here):
    call(here)
    write_clip(here / "in/clip.avi", frames=3)
    write_clip(here / "in/new.avi", frames=4)
    finale, _, executor = call(here)
    assert [job.given.path.name for job in executor.jobs] == ["clip.avi", "new.avi"]
    assert (finale.totals.counts[Status.DONE], finale.totals.new_images) == (2, 7)


def test_other_settings_have_results_of_their_own(here):
    call(here)
    other = Request("", saved=("json",), fov=70.0)
    assert call(here, request=other)[0].totals.counts[Status.DONE] == 3
    assert len([path for path in (here / "out").iterdir() if path.is_dir()]) == 6
    assert call(here)[0].totals.counts[Status.FOUND] == 3


def test_failures_are_named_and_tried_again_in_the_next_call(here):
    (here / "in/bad.mp4").write_text("text")
    finale, said, executor = call(here, retries=2)
    assert [job.given.path.name for job in executor.jobs].count("bad.mp4") == 3
    assert (finale.totals.counts[Status.FAILED], finale.totals.counts[Status.DONE]) == (1, 3)
    failures = [line for line in said if "bad.mp4" in line]
    assert [line.endswith("it is tried again") for line in failures] == [True, True, False]
    assert "bad.mp4: not a video" in (here / "out/report.html").read_text()
    (here / "in/bad.mp4").unlink()
    write_clip(here / "in/bad.avi")
    assert call(here)[0].totals.counts == {
        Status.DONE: 1,
        Status.FOUND: 3,
        Status.FAILED: 0,
        Status.INTERRUPTED: 0,
    }


def test_a_call_that_was_stopped_goes_on_where_it_was(here):
    stopping = SimpleNamespace(requested=False)

    class Stopped(stubs.Here):
        def events(self, timeout_s):
            stopping.requested = True
            return super().events(timeout_s)

    finale, _, executor = call(here, Stopped(), stopping=stopping)
    assert finale.interrupted
    assert executor.closed
    assert finale.totals.counts == {Status.DONE: 1, Status.FOUND: 0, Status.FAILED: 0, Status.INTERRUPTED: 2}
    finale, *_ = call(here)
    assert finale.totals.counts == {Status.DONE: 2, Status.FOUND: 1, Status.FAILED: 0, Status.INTERRUPTED: 0}


def test_two_inputs_of_the_same_content_have_one_result(here):
    (here / "in/again").mkdir()
    (here / "in/again/clip.avi").write_bytes((here / "in/clip.avi").read_bytes())
    finale, _, _ = call(here)
    assert (finale.totals.counts[Status.DONE], finale.totals.counts[Status.FOUND]) == (3, 1)
    assert len(results(here)) == 3


def test_results_are_those_of_a_single_run(here):
    from hmr_ros.running.progress import Terminal
    from hmr_ros.running.single import Output, Run

    call(here)
    for name, source in (("clip", "clip.avi"), ("bag", "bag.mcap"), ("photos", "photos")):
        alone = Request(str(here / "in" / source), saved=("json",), fov=60.0)
        Run(alone, Terminal(), stubs.assemble).into(Output(here / name))
        assert (results(here)[name] / "bodies.jsonl").read_bytes() == (here / name / "bodies.jsonl").read_bytes()
