"""Opening all networks: what the settings ask of each, and nothing left open when one fails."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.engines.runtime import EngineError, open_engine
from hmr_ros.perception import assemble as module
from hmr_ros.perception.assemble import assemble

CPU = RobotConfig(backend="onnxruntime", num_threads=1)


def test_says_what_each_network_runs_on() -> None:
    assembly = assemble(CPU)
    facts = dict(assembly.facts)
    assert {facts[name] for name in assembly.networks} == {"runs on onnxruntime, 1 thread"}
    assembly.close()


@pytest.mark.parametrize("serving", [True, False])
@pytest.mark.parametrize(("folder", "expected"), [("", None), ("/engines", Path("/engines"))])
def test_engine_settings_reach_every_network(
    monkeypatch: pytest.MonkeyPatch, serving: bool, folder: str, expected: Path | None
) -> None:
    calls = []

    def opening(path: Path, backend: str, threads: int, cache: Path | None):
        calls.append((backend, threads, cache))
        return open_engine(path, backend, threads)

    def wrong(*args: object) -> None:
        raise AssertionError("not asked for")

    monkeypatch.setattr(module, "open_serving", opening if serving else wrong)
    monkeypatch.setattr(module, "open_engine", wrong if serving else opening)
    assemble(dataclasses.replace(CPU, serve_while_building=serving, engine_cache=folder)).close()
    assert calls == [("onnxruntime", 1, expected)] * 3


def test_the_users_home_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    caches = []
    monkeypatch.setenv("HOME", "/home/robot")
    monkeypatch.setattr(module, "open_serving", lambda path, backend, threads, cache: caches.append(cache))
    module._open(Path("x.json"), dataclasses.replace(CPU, engine_cache="~/engines"))
    assert caches == [Path("/home/robot/engines")]


def test_none_stays_open_when_another_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        closed = 0

        def close(self) -> None:
            Engine.closed += 1

    engines = iter([Engine(), Engine()])

    def opening(path: Path, *rest: object) -> Engine:
        try:
            return next(engines)
        except StopIteration:
            raise EngineError("the third one fails") from None

    monkeypatch.setattr(module, "open_serving", opening)
    with pytest.raises(EngineError, match="third"):
        assemble(CPU)
    assert Engine.closed == 2
