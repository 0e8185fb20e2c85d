# SPDX-License-Identifier: Apache-2.0
"""All threads or one, by made-up durations."""

from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.onnx import thread_choice
from hmr_ros.engines.onnx.thread_choice import AdaptiveEngine, ThreadChoice
from hmr_ros.engines.opening import open_network
from hmr_ros.engines.runtime import EngineOptions

CALM, BUSY = {False: 0.006, True: 0.010}, {False: 0.060, True: 0.030}


def runs(choice, durations, count):
    """In how many of ``count`` runs of these ``durations`` one thread ran."""
    singles = 0
    for _ in range(count):
        is_single = choice.next()
        singles += is_single
        choice.took(is_single, durations[is_single])
    return singles


def test_a_calm_machine_keeps_all_threads_and_tries_one_at_the_start_alone():
    choice = ThreadChoice()
    assert runs(choice, CALM, 20) == 3
    assert runs(choice, CALM, 2000) == 0
    assert not choice.is_single


def test_one_thread_takes_over_on_a_machine_that_is_busy_from_the_start():
    choice = ThreadChoice()
    runs(choice, BUSY, 8)
    assert choice.is_single
    assert runs(choice, BUSY, 640) == pytest.approx(640, abs=40)  # but for tries of all threads


def test_the_choice_follows_the_load():
    choice = ThreadChoice()
    runs(choice, CALM, 100)
    runs(choice, BUSY, 40)
    assert choice.is_single
    runs(choice, CALM, 80)
    assert not choice.is_single
    runs(choice, BUSY, 40)
    assert choice.is_single


def test_a_small_gain_changes_nothing():
    choice = ThreadChoice()
    runs(choice, {False: 0.010, True: 0.0095}, 500)
    assert not choice.is_single


def test_the_first_run_of_a_try_is_not_counted():
    choice = ThreadChoice()
    runs(choice, BUSY, 4)
    assert choice.next()
    choice.took(True, 9.0)
    runs(choice, BUSY, 2)
    assert choice.is_single


@pytest.fixture
def engine(monkeypatch):
    """One of four threads and one, whose runs take as long as BUSY says, for each row."""
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(thread_choice, "time", SimpleNamespace(perf_counter=lambda: clock.now_s))
    closed = []

    def opened(threads):
        def run(inputs):
            clock.now_s += len(inputs["x"]) * BUSY[threads == 1]
            return {"threads": threads}

        return SimpleNamespace(
            run=run, status=f"{threads} threads", manifest="manifest", close=lambda: closed.append(threads)
        )

    engine = AdaptiveEngine(opened, 4)
    return SimpleNamespace(engine=engine, closed=closed)


def test_an_engine_runs_what_is_faster_for_batches_of_any_size(engine):
    e = engine.engine
    assert (e.status, e.manifest) == ("4 threads", "manifest")
    for rows in (1, 8, 2, 1, 4, 8, 1, 2):
        e.run({"x": np.zeros((rows, 3))})
    assert e.status == "1 threads"
    assert e.run({"x": np.zeros((1, 3))}) == {"threads": 1}
    e.close()
    assert engine.closed == [4, 1]


def test_live_networks_adapt_unless_the_number_of_threads_is_set(monkeypatch):
    monkeypatch.setattr("hmr_ros.engines.opening.default_threads", lambda: 2)
    path, cpu = models_dir() / "hand_recrop.json", "onnxruntime"
    for options, adapts in (
        (EngineOptions(cpu, adapt_threads=True), True),
        (EngineOptions(cpu, threads=2, adapt_threads=True), False),
        (EngineOptions(cpu), False),
    ):
        network = open_network(path, options)
        assert isinstance(network, AdaptiveEngine) == adapts
        assert network.status == "onnxruntime, 2 threads"
        network.close()
    monkeypatch.setattr("hmr_ros.engines.opening.default_threads", lambda: 1)
    network = open_network(path, EngineOptions(cpu, adapt_threads=True))
    assert not isinstance(network, AdaptiveEngine)
    network.close()
