# SPDX-License-Identifier: Apache-2.0
"""Serving while building: every run is answered, by the first engine and then by the better one."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.engines import switching
from hmr_ros.engines.backends import Choice
from hmr_ros.engines.cache.cache import Builder, EngineCache
from hmr_ros.engines.runtime import Engine, EngineError, EngineOptions
from hmr_ros.engines.sharing import EnginePool
from hmr_ros.engines.switching import EngineState, Recipe, SwitchingEngine, open_serving, rebuild, state_of
from hmr_ros.engines.tensorrt.build_request import BuildRequest, Progress
from test.engines import fake_builder
from test.engines.cache.test_child import child_of, is_running, wait_until
from test.engines.fake_builder import GOOD, diary, request

MANIFEST = Manifest(
    name="doubler",
    kind="person_boxes",
    file="d.onnx",
    sha256="0" * 64,
    inputs=(TensorSpec("x", "float32", ("N", 3)),),
    outputs=(TensorSpec("y", "float32", ("N", 3)),),
    licence="Apache-2.0",
)


class FakeEngine:
    """Answers with its own number; complains about use after close."""

    def __init__(self, number: int) -> None:
        self.manifest = dataclasses.replace(MANIFEST, name=f"doubler{number}")
        self.status = f"engine {number}"
        self.number = number
        self.closed = False

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        assert not self.closed
        return {"y": inputs["x"] * 0 + self.number}

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Upgrade:
    """A build that waits to be told how it ends."""

    def __init__(self) -> None:
        self.better = FakeEngine(2)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.problem: Exception | None = None
        self.progress: Progress | None = None

    def __call__(self, progress: Progress) -> Engine:
        self.progress = progress
        self.begun.set()
        assert self.go_on.wait(120)
        if self.problem:
            raise self.problem
        return self.better


@pytest.fixture
def upgrade() -> Iterator[Upgrade]:
    upgrade = Upgrade()
    yield upgrade
    upgrade.go_on.set()


def answer(engine: Engine) -> int:
    return int(engine.run({"x": np.zeros((1, 3), np.float32)})["y"][0, 0])


def test_answers_while_building_and_switches_between_two_runs(upgrade: Upgrade) -> None:
    first = FakeEngine(1)
    engine = SwitchingEngine(first, upgrade)
    assert [answer(engine) for _ in range(3)] == [1, 1, 1]
    upgrade.go_on.set()
    wait_until(lambda: answer(engine) == 2)
    assert first.closed
    assert engine.status == "engine 2"
    assert engine.manifest.name == "doubler1"
    engine.close()
    assert upgrade.better.closed


def test_no_run_is_lost_in_the_exchange(upgrade: Upgrade) -> None:
    engine = SwitchingEngine(FakeEngine(1), upgrade)
    answers: list[int] = []

    def work() -> None:
        while answers[-10:] != [2] * 10:
            answers.append(answer(engine))

    worker = threading.Thread(target=work)
    worker.start()
    wait_until(lambda: len(answers) > 100)
    upgrade.go_on.set()
    worker.join()
    assert answers == sorted(answers)
    assert set(answers) == {1, 2}
    engine.close()


def test_tells_how_far_it_is(upgrade: Upgrade, caplog: pytest.LogCaptureFixture) -> None:
    engine = SwitchingEngine(FakeEngine(1), upgrade)
    assert upgrade.begun.wait(120)
    assert upgrade.progress is not None
    with caplog.at_level("INFO"):
        for percent in (0, 41, 42, 43):
            upgrade.progress("choosing kernels", percent / 100)
    assert engine.status == "engine 1, until a faster engine is built: 43 %, choosing kernels"
    assert len(caplog.records) == 2  # every tenth once
    engine.close()


def test_stays_when_the_build_fails(upgrade: Upgrade, caplog: pytest.LogCaptureFixture) -> None:
    upgrade.problem = EngineError("no room on the GPU")
    upgrade.go_on.set()
    first = FakeEngine(1)
    engine = SwitchingEngine(first, upgrade)
    wait_until(lambda: "no room" in engine.status)
    assert engine.status == "engine 1, for good: no room on the GPU"
    assert answer(engine) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    engine.close()
    assert first.closed


def test_an_engine_that_comes_after_closing_is_closed(upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "_PATIENCE_S", 0.0)
    first = FakeEngine(1)
    engine = SwitchingEngine(first, upgrade)
    engine.close()
    assert first.closed
    upgrade.go_on.set()
    wait_until(lambda: upgrade.better.closed)


def test_an_engine_that_came_but_was_never_used_is_closed(upgrade: Upgrade) -> None:
    upgrade.go_on.set()
    engine = SwitchingEngine(FakeEngine(1), upgrade)
    wait_until(lambda: engine._better is not None)
    engine.close()
    assert upgrade.better.closed


def test_closing_ends_the_process_that_builds(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "engines", Builder(fake_builder.build_forever, fake_builder.probe))
    wanted = request(tmp_path)

    def upgrade(progress: Progress) -> Engine:
        cache.obtain(wanted, progress)
        raise AssertionError("never built")

    engine = SwitchingEngine(FakeEngine(1), upgrade)
    wait_until(lambda: bool(diary(wanted)))
    engine.close()
    assert not is_running(child_of(wanted))
    assert not engine._thread.is_alive()


# Choosing between serving and waiting


class Machine:
    """Stands for a machine with a GPU: what ``open_serving`` would call is written down instead."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.request: BuildRequest = request(directory)
        self.cache = EngineCache(directory / "engines", GOOD)
        self.edition = "tensorrt_rtx"
        self.opened: list[str] = []
        self.engines: list[FakeEngine] = []
        self.build: Callable[[], None] = lambda: None
        fakes = {
            "choose": lambda backend: Choice(self.edition, "test"),
            "cache_for": lambda options: self.cache,
            "in_precision": lambda path, precision: path,
            "request_here": lambda path, edition: self.request,
            "open_onnx": lambda path, threads: self.open("onnx", 1),
            "open_network": lambda path, options: self.open("as asked", 3),
            "open_tensorrt": self.open_tensorrt,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(switching, name, fake)

    def open(self, how: str, number: int) -> FakeEngine:
        self.opened.append(how)
        self.engines.append(FakeEngine(number))
        return self.engines[-1]

    def open_tensorrt(
        self, path: Path, edition: str, cache: EngineCache, progress: Progress, background: bool
    ) -> FakeEngine:
        cache.obtain(self.request, progress)
        return self.open(edition, 2)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def serving(**options: Any) -> Engine:
    return open_serving(Path("d.json"), EngineOptions(**options))


def test_the_first_start_serves_and_the_second_does_not_wait(machine: Machine) -> None:
    engine = serving()
    assert answer(engine) in (1, 2)
    wait_until(lambda: answer(engine) == 2)
    assert machine.opened == ["onnx", "tensorrt_rtx"]
    engine.close()
    assert answer(serving()) == 3  # from the cache, as open_network does it
    assert diary(machine.request) == ["build", "probe"]


def test_a_cpu_has_nothing_to_wait_for(machine: Machine) -> None:
    machine.edition = "onnxruntime"
    engine = serving()
    assert answer(engine) == 3
    assert state_of(engine) is EngineState.READY


def test_a_directory_that_is_not_safe_is_a_case_for_open_network(machine: Machine) -> None:
    machine.cache.directory.mkdir(mode=0o755)
    assert answer(serving()) == 3


def test_where_building_is_not_allowed_or_waited_for_open_network_decides(machine: Machine) -> None:
    assert answer(serving(allow_build=False)) == 3
    assert answer(open_serving(Path("d.json"), EngineOptions(), serve_while_building=False)) == 3


# Building again


def test_a_rebuild_forgets_the_engine_and_serves_meanwhile(machine: Machine) -> None:
    machine.cache.obtain(machine.request, lambda *step: None)
    built = serving()
    assert answer(built) == 3
    pool = EnginePool()
    engine = pool.open("key", lambda: built)
    assert rebuild([engine]) == ["doubler3"]
    seen = {answer(engine)}
    wait_until(lambda: seen.add(answer(engine)) or 2 in seen)
    assert seen <= {1, 2, 3}
    assert machine.opened == ["as asked", "onnx", "tensorrt_rtx"]
    assert diary(machine.request) == ["build", "probe"] * 2
    assert state_of(engine) is EngineState.READY
    assert engine.status == "engine 2"
    engine.close()


def test_a_rebuild_without_images_leaves_nothing_open(machine: Machine) -> None:
    engine = serving()
    wait_until(lambda: state_of(engine) is EngineState.READY)
    rebuild([engine])
    wait_until(lambda: state_of(engine) is EngineState.READY)
    engine.close()
    assert [one.number for one in machine.engines] == [1, 2, 1, 2]
    assert all(one.closed for one in machine.engines)


def test_one_rebuild_at_a_time(upgrade: Upgrade) -> None:
    stand_in = FakeEngine(1)
    engine = SwitchingEngine(FakeEngine(3), None, Recipe(lambda: stand_in, lambda: True, upgrade))
    assert rebuild([engine]) == ["doubler3"]
    assert upgrade.begun.wait(120)
    assert state_of(engine) is EngineState.BUILDING
    assert answer(engine) == 1
    with pytest.raises(EngineError, match="doubler3 is being built already: engine 1, until a faster engine is built"):
        rebuild([engine])
    with pytest.raises(EngineError, match="being built already"):
        engine.rebuild()
    upgrade.go_on.set()
    wait_until(lambda: answer(engine) == 2)
    engine.close()


def test_a_rebuild_that_fails_stays_on_the_stand_in(upgrade: Upgrade) -> None:
    upgrade.problem = EngineError("the disk is full")
    upgrade.go_on.set()
    engine = SwitchingEngine(FakeEngine(3), None, Recipe(lambda: FakeEngine(1), lambda: True, upgrade))
    engine.rebuild()
    wait_until(lambda: state_of(engine) is EngineState.FAILED)
    assert answer(engine) == 1
    assert engine.status == "engine 1, for good: the disk is full"
    engine.rebuild()  # it may be tried again
    engine.close()


def test_what_was_not_built_is_not_rebuilt() -> None:
    with pytest.raises(EngineError, match="only TensorRT engines are built, and none runs here: engine 1"):
        rebuild([FakeEngine(1)])
