# SPDX-License-Identifier: Apache-2.0
import json
import signal

import pytest

pytest.importorskip("mcap")

from hmr_ros.media.sources import Excerpt
from hmr_ros.perception.shared import SharedParts
from hmr_ros.running.many.inputs import Kind, find
from hmr_ros.running.many.job import Job, KeptNetworks, do, request_for
from hmr_ros.running.many.outcome import Status
from hmr_ros.running.many.store import open_store
from hmr_ros.running.request import OfRecording, Request
from test.running.many import stubs

REQUEST = Request(
    "", {}, Excerpt(1), ("json", "mcap"), fov=60.0, recording=OfRecording(parameters=("mesh_faces:=100",))
)


@pytest.fixture
def inputs(tmp_path):
    return find([str(stubs.write_inputs(tmp_path / "in"))], tmp_path / "out")


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "out") as opened:
        yield opened


def job(given, store, number=0):
    return Job(number, given, request_for(given, REQUEST), "work", store.path)


@pytest.mark.parametrize(
    ("number", "images", "footage_s", "files"),
    [(0, 3, 0.2, {"bodies.jsonl", "bodies.mcap"}), (1, 5, 0.4, {"bodies.jsonl"}), (2, 2, 0.0, {"bodies.jsonl"})],
)
def test_every_kind_of_input_becomes_a_result(inputs, store, number, images, footage_s, files):
    advanced = []
    outcome = do(job(inputs[number], store), stubs.assemble, advanced.append)
    assert (outcome.status, outcome.reason) == (Status.DONE, "")
    assert (outcome.summary.images, outcome.summary.people) == (images, 2 * (images if number == 2 else 1))
    assert outcome.summary.footage_s == pytest.approx(footage_s)
    assert outcome.summary.person_s == pytest.approx(2 * footage_s)
    assert sum(advanced) == images
    assert {path.name for path in (store.path / outcome.result).iterdir()} == files | {"run.json"}
    kept = json.loads((store.path / outcome.result / "run.json").read_text())
    assert (kept["status"], kept["wall_s"] > 0, kept["cpu_s"] > 0) == ("done", True, True)


def test_the_same_content_under_another_name_is_found(inputs, store, tmp_path):
    first = do(job(inputs[1], store), stubs.assemble, int)
    (tmp_path / "copy.avi").write_bytes(inputs[1].path.read_bytes())
    inputs[1].path.unlink()
    (copy,) = find([str(tmp_path / "copy.avi")], store.path)
    # The name of a file counts: it stands in the results.
    assert do(job(copy, store), stubs.assemble, int).result != first.result
    (tmp_path / "moved").mkdir()
    (tmp_path / "copy.avi").rename(tmp_path / "moved/clip.avi")
    (moved,) = find([str(tmp_path / "moved")], store.path)
    again = do(job(moved, store), stubs.broken, int)
    assert (again.status, again.result, again.summary) == (Status.FOUND, first.result, first.summary)


def test_whatever_goes_wrong_is_a_reason(inputs, store):
    broken = do(job(inputs[1], store), stubs.broken, int)
    assert (broken.status, broken.reason, broken.result) == (Status.FAILED, "KeyError: 'joint'", "")
    inputs[1].path.write_text("text")
    assert "not a video" in do(job(inputs[1], store), stubs.assemble, int).reason
    for path in inputs[2].files:
        path.write_text("text")
    nothing = do(job(inputs[2], store), stubs.assemble, int)
    assert (nothing.status, nothing.reason) == (Status.FAILED, "no image could be read")
    assert len(nothing.problems) == 2
    inputs[0].path.unlink()
    assert do(job(inputs[0], store), stubs.assemble, int).reason
    assert store.results() == {}
    assert not any((store.path / ".partial").iterdir())


def test_a_run_that_a_signal_ends_is_no_result(inputs, store):
    def opened(settings, parts):
        pipeline = stubs.assemble(settings, parts)
        detect = pipeline.detector.detect

        def signalled(image, *shed):
            signal.raise_signal(signal.SIGTERM)
            return detect(image, *shed)

        pipeline.detector.detect = signalled
        return pipeline

    outcome = do(job(inputs[1], store), opened, int)
    assert (outcome.status, outcome.reason, outcome.result) == (Status.INTERRUPTED, "stopped by a signal", "")
    assert store.results() == {}


def test_what_goes_with_recordings_alone_is_left_out_of_others(inputs):
    asked = Request("", excerpt=Excerpt(2, 1.0, 3.0), saved=("json", "mcap"), recording=OfRecording(depth="/depth"))
    bag, clip, photos = (request_for(given, asked) for given in inputs)
    assert [given.kind for given in inputs] == [Kind.RECORDING, Kind.VIDEO, Kind.PHOTOS]
    assert (bag.saved, bag.recording, bag.excerpt) == (asked.saved, asked.recording, asked.excerpt)
    assert (clip.saved, clip.recording, clip.excerpt) == (("json",), OfRecording(), asked.excerpt)
    assert (photos.saved, photos.excerpt) == (("json",), Excerpt(2))


def test_networks_stay_open_between_inputs():
    opened, closed = [], []

    class Pipeline:
        def __init__(self, settings, parts):
            self.settings, self.ids = settings, parts.ids
            opened.append(parts)

        def close(self):
            closed.append(self.settings)

    networks = KeptNetworks(Pipeline)
    for settings in ("a", "a", "b"):
        parts = SharedParts()
        assert networks(settings, parts).ids is parts.ids
    assert len(opened) == 5  # one more for each of the two settings, which holds the networks
    assert len(set(map(id, opened))) == 1
    assert closed == []
    networks.close()
    assert closed == ["a", "b"]
