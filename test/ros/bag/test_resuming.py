# SPDX-License-Identifier: Apache-2.0
"""Runs that are interrupted leave readable files, and go on."""

import json

import pytest

pytest.importorskip("mcap")

from hmr_ros.ros.bag.opening import open_recording
from hmr_ros.ros.bag.recording import RecordingError
from hmr_ros.ros.wire.messages import person_name, track_id
from test.ros.bag.recordings import BEGAN_NS, PERIOD_NS, scene, write_mcap
from test.ros.bag.runs import build, published, recorded, run


@pytest.fixture
def path(tmp_path):
    return write_mcap(tmp_path / "bag.mcap", scene(12))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


SHARED = ("/bodies", "/mesh", "/tf", "/people", "/markers")
"""Topics whose names do not tell who is in them."""


def frames(out):
    return [json.loads(line)["frame"] for line in (out / "bodies.jsonl").read_text().splitlines()]


def stamps(out, topic="/bodies"):
    return [round((log_ns - BEGAN_NS) / PERIOD_NS) for _, log_ns, *_ in recorded(out, topic)]


def test_a_run_that_was_stopped_goes_on_after_its_last_image(path, out):
    summary, _ = run(path, out, stop_after=5)
    assert (summary.images, summary.interrupted) == (5, True)
    assert stamps(out) == [0, 1, 2, 3, 4, 4]
    summary, problems = run(path, out, resume=True)
    assert (summary.images, summary.interrupted) == (8, False)
    assert stamps(out) == [*range(12), 11]
    assert frames(out) == list(range(12))
    assert "going on at 0.4 s" in problems[-1]
    assert not (out / ".earlier.mcap").exists()
    ids = [{body.id for body in message.bodies} for _, _, message in published(out, "/bodies")]
    assert ids[3] == {person_name(1), person_name(2)}
    assert ids[4] == {person_name(3), person_name(4)}, "no id is given twice"


@pytest.mark.parametrize("part", [0.4, 0.7, 0.95])
def test_a_run_that_was_killed_goes_on_after_its_last_whole_chunk(path, out, part, monkeypatch):
    monkeypatch.setattr("hmr_ros.ros.bag.result._CHUNK_BYTES", 100_000)
    run(path, out)
    whole = (out / "bodies.mcap").read_bytes()
    expected = [(topic, log_ns) for topic, log_ns, *_ in recorded(out, *SHARED)]
    (out / "bodies.mcap").write_bytes(whole[: int(part * len(whole))])
    with (out / "bodies.jsonl").open("a") as stream:
        stream.write('{"image":"/camera/im')
    summary, problems = run(path, out, resume=True)
    assert 0 < summary.images < 12
    assert "ends early" in problems[0]
    found = [(topic, log_ns) for topic, log_ns, *_ in recorded(out, *SHARED)]
    assert sorted(found) == sorted(expected)
    assert frames(out) == list(range(12))


def test_a_resumed_run_that_is_killed_goes_on_too(path, out):
    run(path, out, stop_after=5)

    def killed(config, parts):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, out, resume=True, opened=killed)
    assert (out / ".earlier.mcap").exists()
    run(path, out, resume=True, stop_after=3)
    assert stamps(out) == [0, 1, 2, 3, 4, 5, 6, 6]


def test_of_two_interrupted_runs_the_one_that_goes_further_is_taken(path, out):
    run(path, out, stop_after=3)
    (out / "bodies.mcap").rename(out / ".earlier.mcap")
    run(path, out.with_name("other"), stop_after=6)
    (out.with_name("other") / "bodies.mcap").rename(out / "bodies.mcap")
    summary, _ = run(path, out, resume=True)
    assert summary.images == 7
    assert stamps(out) == [*range(12), 11]
    assert not (out / ".earlier.mcap").exists()


def test_merged_messages_are_not_repeated(path, out):
    run(path, out, stop_after=5, merges=True)
    run(path, out, resume=True, merges=True)
    assert stamps(out, "/camera/image_raw") == list(range(12))
    assert stamps(out, "/notes") == list(range(12))


def test_without_an_earlier_run_there_is_nothing_to_go_on_with(path, out):
    out.mkdir()
    with pytest.raises(RecordingError, match="there is no run to go on with"):
        run(path, out, resume=True)
    write_mcap(out / "bodies.mcap", scene(1))
    with pytest.raises(RecordingError, match="no bodies in it to go on from; give --overwrite"):
        run(path, out, resume=True, opened=build())
    assert (out / "bodies.mcap").is_file(), "what is no run stays where it was"


def test_what_a_killed_run_leaves_is_a_recording(path, out, monkeypatch):
    monkeypatch.setattr("hmr_ros.ros.bag.result._CHUNK_BYTES", 20_000)
    images = []

    def killed(config, parts):
        pipeline = build()(config, parts)
        estimate = pipeline._estimate

        def counted(*arguments):
            images.append(len(images))
            if len(images) == 8:
                left = open_recording(out / "bodies.mcap", images.append)
                images.extend(record.log_ns for record in left.records({"/bodies"}))
                left.close()
            return estimate(*arguments)

        pipeline._estimate = counted
        return pipeline

    run(path, out, opened=killed)
    assert len([at for at in images if isinstance(at, int) and at >= BEGAN_NS]) >= 4


@pytest.mark.parametrize("number", [0, 1, 2, 25, 26, 12345, 26**5 - 1])
def test_names_give_the_numbers_of_tracks(number):
    assert track_id(person_name(number)) == number
