# SPDX-License-Identifier: Apache-2.0
import json
import threading

import pytest

from hmr_ros.bench.recording import FileRecorder, record_into_first_argument
from hmr_ros.core import tracepoints


@pytest.fixture
def recorder(tmp_path):
    recorder = FileRecorder(tmp_path / "trace.jsonl")
    tracepoints.install(recorder)
    yield recorder
    tracepoints.install(None)
    recorder.close()


def rows(tmp_path):
    return [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text(encoding="utf-8").splitlines()]


def test_an_image_is_written_when_it_is_done(recorder, tmp_path):
    recorder.arrived(7)
    recorder.began(7)
    tracepoints.mark("decoding")
    tracepoints.mark("posing")
    assert rows(tmp_path) == []
    recorder.ended()
    (row,) = rows(tmp_path)
    assert row["stamp"] == 7
    assert [step[0] for step in row["steps"]] == ["decoding", "posing"]
    times = [row["arrived"], row["began"][0], *(step[1] for step in row["steps"])]
    assert times == sorted(times)
    processor = [row["began"][1], *(step[2] for step in row["steps"])]
    assert processor == sorted(processor)


def test_threads_have_images_of_their_own(recorder, tmp_path):
    recorder.began(1)
    other = threading.Thread(target=tracepoints.mark, args=("search",))
    other.start()
    other.join()
    recorder.ended()
    assert rows(tmp_path)[0]["steps"] == []
    assert rows(tmp_path)[0]["arrived"] is None


def test_a_dropped_image_leaves_nothing_to_the_next(recorder, tmp_path):
    recorder.began(1)
    tracepoints.mark("admission")
    recorder.began(2)
    recorder.ended()
    assert [(row["stamp"], row["steps"]) for row in rows(tmp_path)] == [(2, [])]


def test_nothing_is_recorded_unless_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["node", "--ros-args", "-r", "__ns:=/x"])
    record_into_first_argument()
    assert tracepoints.recorder() is None
    tracepoints.mark("into the void")
    monkeypatch.setattr("sys.argv", ["node", str(tmp_path / "trace.jsonl"), "--ros-args"])
    record_into_first_argument()
    recorder = tracepoints.recorder()
    assert isinstance(recorder, FileRecorder)
    recorder.close()
    tracepoints.install(None)
