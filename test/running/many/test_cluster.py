# SPDX-License-Identifier: Apache-2.0
"""Tasks of Ray, in a cluster of this machine."""

import os
from pathlib import Path

import pytest

from hmr_ros.running.many.cluster import Cluster, _slots
from hmr_ros.running.many.inputs import find
from hmr_ros.running.many.job import Job, request_for
from hmr_ros.running.many.outcome import Status
from hmr_ros.running.many.store import open_store
from hmr_ros.running.request import Request
from test.media.files import write_clip
from test.running.many import stubs

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    ray.init("local", num_cpus=8, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def jobs(tmp_path):
    (tmp_path / "in").mkdir()
    for k in range(3):
        write_clip(tmp_path / f"in/{k}.avi", frames=2 + k)
    request = Request("", saved=("json",), fov=60.0)
    with open_store(tmp_path / "out") as store:
        inputs = find([str(tmp_path / "in")], store.path)
        yield [Job(k, given, request_for(given, request), "work", store.path) for k, given in enumerate(inputs)]


def outcomes(executor, count):
    found, images = {}, 0
    while len(found) < count:
        for event in executor.events(60.0):
            images += event.images
            if event.outcome is not None:
                found[event.number] = event.outcome
    return found, images


def test_tasks_have_results_on_disk(jobs):
    executor = Cluster("local", 1, stubs.assemble)
    assert executor.size == 8
    for job in jobs:
        executor.submit(job)
    found, images = outcomes(executor, 3)
    executor.close()
    assert [found[k].status for k in range(3)] == [Status.DONE] * 3
    assert images == 2 + 3 + 4
    assert all((jobs[0].out / outcome.result / "bodies.jsonl").is_file() for outcome in found.values())


def test_a_task_whose_process_dies_fails_alone(jobs):
    executor = Cluster("local", 2, stubs.killing, count=1)
    executor.submit(jobs[0])
    found, _ = outcomes(executor, 1)
    executor.close()
    assert found[0].status is Status.FAILED
    assert found[0].reason.startswith("Ray: ")


def test_what_hangs_is_ended(jobs):
    executor = Cluster("local", 1, stubs.hanging)
    executor.submit(jobs[0])
    assert executor.events(0.1) == []
    executor.close()


def test_a_task_that_fits_nowhere_is_refused():
    with pytest.raises(ValueError, match="no machine with 99 CPUs"):
        Cluster("local", 99, stubs.assemble)


def test_tasks_fit_on_machines_one_by_one():
    nodes = [{"Alive": True, "Resources": {"CPU": cpus}} for cpus in (3.0, 3.0, 0.0)]
    assert _slots([*nodes, {"Alive": False, "Resources": {"CPU": 8.0}}, {"Alive": True, "Resources": {}}], 2) == 2
