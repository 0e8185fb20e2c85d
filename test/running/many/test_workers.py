# SPDX-License-Identifier: Apache-2.0
"""Workers as processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hmr_ros.running.many.inputs import find
from hmr_ros.running.many.job import Job, request_for
from hmr_ros.running.many.outcome import Status
from hmr_ros.running.many.store import open_store
from hmr_ros.running.many.workers import Workers, divided, with_threads
from hmr_ros.running.request import Request
from test.media.files import write_clip
from test.running.many import stubs

ROOT = Path(__file__).parents[3]
REQUEST = Request("", {}, saved=("json",), fov=60.0)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "out") as opened:
        yield opened


def jobs(store, count):
    directory = store.path.parent / "in"
    directory.mkdir()
    for k in range(count):
        write_clip(directory / f"{k}.avi", frames=2 + k)
    inputs = find([str(directory)], store.path)
    return [Job(k, given, request_for(given, REQUEST), "work", store.path) for k, given in enumerate(inputs)]


def outcomes(workers, count):
    found = {}
    while len(found) < count:
        found |= {event.number: event.outcome for event in workers.events(60.0) if event.outcome is not None}
    return found


@pytest.mark.slow
def test_a_worker_that_dies_fails_its_job_alone(store):
    first, second = jobs(store, 2)
    workers = Workers(2, stubs.killing)
    try:
        workers.submit(first)
        (failed,) = outcomes(workers, 1).values()
        workers._assemble = stubs.assemble  # the memory is there again
        workers.submit(second)
        (done,) = outcomes(workers, 1).values()
    finally:
        workers.close()
    assert failed.status is Status.FAILED
    assert "the worker was killed by signal 9 (Killed)" in failed.reason
    assert (done.status, done.summary.images) == (Status.DONE, 3)
    assert list(store.results().values()) == [done.result]


def test_closing_ends_what_hangs(store):
    (job,) = jobs(store, 1)
    workers = Workers(1, stubs.hanging)
    workers.submit(job)
    assert workers.events(0.01) == []
    process = workers._workers[0]._process
    workers.close()
    assert process.exitcode == -9
    assert store.results() == {}


PARENT = """
import os, sys, time
from pathlib import Path
from hmr_ros.running.many.job import Job, request_for
from hmr_ros.running.many.inputs import find
from hmr_ros.running.many.workers import Workers
from hmr_ros.running.request import Request
from test.running.many import stubs

if __name__ == "__main__":
    out = Path(sys.argv[1])
    (given,) = find([str(out / "clip.avi")], out / "out")
    workers = Workers(1, stubs.hanging)
    workers.submit(Job(0, given, request_for(given, Request("", fov=60.0)), "work", out))
    print(workers._workers[0]._process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    write_clip(tmp_path / "clip.avi")
    (tmp_path / "parent.py").write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, tmp_path / "parent.py", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        worker = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 60
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_cores_are_divided():
    assert divided([4, 5, 6, 7], 2) == [(4, 5), (6, 7)]
    assert divided([4], 3) == [(4,)] * 3
    assert divided([0, 1, 2], 1) == [(0, 1, 2)]


def test_threads_are_those_of_a_workers_cores_unless_a_number_is_asked_for(store):
    (job,) = jobs(store, 1)
    assert with_threads(job, 3).request.settings["num_threads"] == 3
    asked = Job(0, job.given, request_for(job.given, Request("", {"num_threads": 1})), "work", store.path)
    assert with_threads(asked, 3) is asked
