# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.bench import many
from hmr_ros.bench.many import Trial, efficiency
from hmr_ros.bench.protocol import Options
from test.running.many import stubs

ONE = Trial(1, 10.0, 10.0, 10.0, 20)


@pytest.mark.parametrize(
    ("two", "expected"),
    [
        (Trial(2, 5.0, 10.0, 10.0, 20), 1.0),
        (Trial(2, 10.0, 10.0, 20.0, 20), 1.0),  # other programs took half of the machine
        (Trial(2, 6.25, 12.5, 12.5, 20), 0.8),  # they are in each other's way
        (Trial(2, 10.0, 10.0, 10.0, 20), 0.5),  # one of them has nothing to do
    ],
)
def test_efficiency_is_what_two_workers_do_of_twice_one(two, expected):
    assert efficiency(ONE, two) == pytest.approx(expected)


def test_a_row_has_every_goal():
    row = many._row([(ONE, Trial(2, 5.0, 10.0, 10.0, 20))], [0.01, 0.06])
    assert row["goals"] == {
        "efficiency of two workers at least 85%": True,
        "scheduling of 8 workers below 5%": True,
        "scheduling of 8 tasks of Ray below 5%": False,
    }


def test_jobs_are_different_inputs_and_their_cost_is_measured(tmp_path, monkeypatch):
    from hmr_ros.core.share import share_dir

    monkeypatch.setattr(many, "WAIT_S", 0.0)
    monkeypatch.setattr(many, "TASKS", 4)
    jobs = many._jobs(share_dir() / "samples/crossing.mp4", tmp_path)
    assert len({job.given.path for job in jobs}) == many.INPUTS
    executor = stubs.Here(many.waiting, many.HANDS)
    assert 0 < many._cost(lambda: executor, jobs[0]) < 1
    assert len(executor.jobs) == 4 + 4
    assert executor.closed


@pytest.mark.slow
def test_it_runs(monkeypatch):
    monkeypatch.setattr(many, "SECONDS", 0.2)
    monkeypatch.setattr(many, "TASKS", 8)
    monkeypatch.setattr(many, "WAIT_S", 0.1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert many.run(Options(1))["figures"]["part of the time two workers had work"] > 0
