# SPDX-License-Identifier: Apache-2.0
"""fp32 or int8 on a CPU: what a trial decides, that it is remembered, and what happens where int8 does not work."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import load_manifest, models_dir, write_manifest
from hmr_ros.engines import opening
from hmr_ros.engines.cache.trials import TrialStore, Tried
from hmr_ros.engines.cpu_precision import cpu_model
from hmr_ros.engines.onnx import trial as trial_module
from hmr_ros.engines.onnx.trial import MAX_DIFFERENCE, MIN_SPEEDUP, Trial, probe, run_trial, trial_key
from hmr_ros.engines.opening import open_network
from hmr_ros.engines.runtime import Engine, EngineError, EngineOptions

pytest.importorskip("onnxruntime")

FP32, INT8 = models_dir() / "nanodet.json", models_dir() / "nanodet_int8.json"


class Timed:
    """An engine whose runs take ``seconds`` of a made-up clock, and whose outputs are off by ``offset``."""

    now = 0.0

    def __init__(self, path: Path, seconds: float, offset: float = 0.0) -> None:
        self.manifest = load_manifest(path)
        self.status, self.closed = "timed", False
        self._seconds, self._offset = seconds, offset

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        Timed.now += self._seconds
        return {"stride8": np.linspace(-1, 1, 11) + self._offset}

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module.time, "thread_time", lambda: Timed.now)
    monkeypatch.setattr(trial_module.time, "perf_counter", lambda: Timed.now)


@pytest.mark.parametrize(
    ("speedup", "difference", "is_int8"),
    [
        (MIN_SPEEDUP, MAX_DIFFERENCE, True),
        (MIN_SPEEDUP - 0.01, 0.0, False),
        (5.0, MAX_DIFFERENCE + 0.001, False),  # a processor that saturates
        (5.0, float("inf"), False),
        (float("nan"), 0.0, False),
    ],
)
def test_int8_must_be_faster_and_agree(speedup: float, difference: float, is_int8: bool) -> None:
    trial = Trial(speedup, difference)
    assert trial.is_int8 is is_int8
    assert str(trial).startswith("int8: " if is_int8 else "fp32: ")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_trial_compares_durations_and_outputs(threads: int) -> None:
    trial = run_trial(Timed(FP32, 0.03), Timed(INT8, 0.01, offset=0.1), threads)
    assert trial.speedup == pytest.approx(3.0)
    assert trial.difference == pytest.approx(0.1 / 2)  # of the range of the outputs


def test_outputs_that_are_not_finite_are_not_taken() -> None:
    assert not run_trial(Timed(FP32, 0.03), Timed(INT8, 0.01, offset=float("nan")), 1).is_int8


def test_the_probe_is_an_image_the_same_each_time() -> None:
    (name, image), *others = probe(load_manifest(FP32)).items()
    assert (name, image.shape, image.dtype) == ("image", (1, 256, 416, 3), np.uint8)
    assert not others
    np.testing.assert_array_equal(image, probe(load_manifest(FP32))["image"])
    assert 20 < image.std() < 100


def test_networks_of_other_inputs_cannot_be_tried() -> None:
    with pytest.raises(EngineError, match=r"only networks of uint8 images can be tried, got keypoints"):
        probe(load_manifest(models_dir() / "pose2mesh.json"))


def _store(tmp_path: Path) -> TrialStore:
    return TrialStore(tmp_path.resolve() / "engines")


def test_a_trial_is_made_once_and_closes_its_engines(tmp_path: Path) -> None:
    engines: list[Timed] = []

    def opener(path: Path) -> Engine:
        engines.append(Timed(path, 0.01 if path == INT8 else 0.03))
        return engines[-1]

    for _ in range(2):
        assert cpu_model(FP32, "auto", 1, _store(tmp_path), opener) == INT8
    assert len(engines) == 2
    assert all(engine.closed for engine in engines)
    (tried,) = _store(tmp_path).survey()
    assert (tried.network, tried.threads) == ("nanodet", 1)
    assert tried.trial.speedup == pytest.approx(3.0)


@pytest.mark.parametrize(("seconds", "offset"), [(0.025, 0.0), (0.01, 0.5)])
def test_int8_that_is_slow_or_disagrees_is_left(tmp_path: Path, seconds: float, offset: float) -> None:
    def opener(path: Path) -> Engine:
        return Timed(path, seconds, offset) if path == INT8 else Timed(path, 0.03)

    assert cpu_model(FP32, "auto", 1, _store(tmp_path), opener) == FP32


def test_another_number_of_threads_processor_or_network_is_another_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    fp32, int8 = load_manifest(FP32), load_manifest(INT8)
    keys = [trial_key(fp32, int8, 1), trial_key(fp32, int8, 2), trial_key(int8, fp32, 1)]
    monkeypatch.setattr(trial_module, "processor", lambda: "another")
    keys.append(trial_key(fp32, int8, 1))
    assert len(set(keys)) == len(keys)


def _never(path: Path) -> Engine:
    raise AssertionError(f"{path} is not to be opened")


@pytest.mark.parametrize(("precision", "path"), [("fp32", FP32), ("int8", INT8)])
def test_what_is_asked_for_is_taken_without_a_trial(tmp_path: Path, precision: str, path: Path) -> None:
    assert cpu_model(FP32, precision, 1, _store(tmp_path), _never) == path


def test_a_network_without_an_int8_model_is_as_it_is(tmp_path: Path) -> None:
    path = models_dir() / "pose2mesh.json"
    for precision in ("auto", "int8", "fp32"):
        assert cpu_model(path, precision, 1, _store(tmp_path), _never) == path


def test_damaged_records_are_tried_again(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.store("a" * 64, Tried("nanodet", 1, Trial(3.0, 0.0)))
    (path,) = (tmp_path / "engines" / "int8").iterdir()
    path.write_text("{")
    assert store.find("a" * 64) is None
    assert store.survey() == []
    store.forget()
    assert list(path.parent.iterdir()) == []


def test_a_directory_that_others_can_write_to_remembers_nothing(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.store("a" * 64, Tried("nanodet", 1, Trial(3.0, 0.0)))
    (tmp_path / "engines" / "int8").chmod(0o777)
    store.store("b" * 64, Tried("nanodet", 1, Trial(3.0, 0.0)))
    assert store.find("a" * 64) is None


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """NanoDet, whose int8 model is damaged."""
    for path, name in itertools.product((FP32, INT8), ("json", "onnx")):
        (tmp_path / f"{path.stem}.{name}").write_bytes(path.with_suffix(f".{name}").read_bytes())
    (tmp_path / "nanodet_int8.onnx").write_bytes(b"nothing")
    return tmp_path / "nanodet.json"


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_fp32_runs_where_int8_cannot_be_opened(damaged: Path, precision: str, caplog: pytest.LogCaptureFixture) -> None:
    options = EngineOptions("onnxruntime", 1, cpu_precision=precision, cache=damaged.parent.resolve() / "cache")
    with caplog.at_level(logging.WARNING):
        engine = open_network(damaged, options)
    assert engine.manifest.name == "nanodet"
    (record,) = caplog.records
    assert "nanodet: runs in fp32" in record.getMessage()
    assert "nanodet_int8.onnx: sha256 is" in record.getMessage()


def test_an_int8_model_of_another_network_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manifest = load_manifest(INT8)
    other = dataclasses.replace(manifest, provenance={**manifest.provenance, "source_sha256": "0" * 64})
    write_manifest(other, tmp_path / "nanodet_int8.json")
    write_manifest(load_manifest(FP32), tmp_path / "nanodet.json")
    assert cpu_model(tmp_path / "nanodet.json", "int8", 1, _store(tmp_path), _never) == tmp_path / "nanodet.json"
    assert "runs in fp32 until hmr int8 is run again" in caplog.text


def test_a_gpu_never_takes_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "cpu_model", lambda *_: pytest.fail("not a CPU"))
    monkeypatch.setattr(opening, "open_onnx", lambda path, *_: Timed(path, 0.0))
    engine = opening._open_onnx(FP32, "onnxruntime:cuda", EngineOptions(cpu_precision="int8"))
    assert engine.manifest.name == "nanodet"


def test_the_shipped_int8_model_was_made_from_the_shipped_network(tmp_path: Path) -> None:
    fp32, int8 = load_manifest(FP32), load_manifest(INT8)
    assert int8.provenance["source_sha256"] == fp32.sha256
    assert (int8.kind, int8.inputs, int8.outputs, int8.licence) == (fp32.kind, fp32.inputs, fp32.outputs, fp32.licence)
    assert int8.metrics["from_fp32_boxes_mean_px"] < 1.5
    options = EngineOptions("onnxruntime", 1, cpu_precision="int8", cache=tmp_path.resolve())
    assert open_network(FP32, options).status == "onnxruntime, 1 thread, int8"


def test_trials_need_one_of_the_known_precisions() -> None:
    with pytest.raises(ValueError, match=r"cpu_precision: expected one of .*auto.*got 'int4'"):
        EngineOptions(cpu_precision="int4")
