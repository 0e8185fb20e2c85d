# SPDX-License-Identifier: Apache-2.0
"""`hmr engines` on a machine whose GPU, library and builder are made up; the cache is real."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest

from hmr_ros.commands import engines
from hmr_ros.commands.engines import Here
from hmr_ros.core.manifest import file_sha256, load_manifest, models_dir
from hmr_ros.engines import opening
from hmr_ros.engines.backends import Choice
from hmr_ros.engines.cache import cache as cache_module
from hmr_ros.engines.cache.cache import EngineCache
from hmr_ros.engines.tensorrt.build_request import ANY_GPU, NO_DRIVER, BuildRequest
from test.engines.fake_builder import GOOD, TARGET, request

HERE = Here(TARGET.gpu_name, TARGET.driver, {TARGET.edition: TARGET.version})


def call(directory: Path, *argv: str) -> int:
    parser = argparse.ArgumentParser()
    engines.add_arguments(parser)
    return engines.run(parser.parse_args(["--cache", str(directory), *argv]))


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildRequest:
    """A good engine for a network that is there."""
    monkeypatch.setattr(
        cache_module, "build_in_child", lambda build, request, progress, timeout_s: build(request, progress)
    )
    monkeypatch.setattr(cache_module, "probe_in_child", lambda probe, path, request, progress: probe(path, request))
    monkeypatch.setattr(opening, "engine_cache", lambda directory: EngineCache(directory, GOOD))
    monkeypatch.setattr(engines, "look_around", lambda: HERE)
    (tmp_path / "net.onnx").write_bytes(b"network")
    wanted = request(tmp_path, file_sha256(tmp_path / "net.onnx"))
    EngineCache(tmp_path / "engines", GOOD).obtain(wanted, lambda *step: None)
    return wanted


def test_list_shows_network_target_size_age_and_state(
    stored: BuildRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path / "engines", "list") == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head == f"1 in {tmp_path / 'engines'}"
    assert row.split() == "net Fake 4090 sm_89, tensorrt_rtx 1.7.1, fp16 0.0 MB 0 s good".split()


def test_a_directory_without_engines_is_fine(tmp_path: Path, stored: BuildRequest) -> None:
    assert call(tmp_path / "others", "verify") == 0


@pytest.mark.parametrize(
    ("here", "reason"),
    [
        (dataclasses.replace(HERE, gpu="Other"), "the GPU is Other now"),
        (dataclasses.replace(HERE, driver="590"), "the driver is 590 now"),
        (dataclasses.replace(HERE, versions={"tensorrt_rtx": "2.0"}), "tensorrt_rtx is 2.0 now"),
    ],
)
def test_verify_and_prune_find_what_no_longer_fits(
    stored: BuildRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    here: Here,
    reason: str,
) -> None:
    assert call(tmp_path / "engines", "verify") == 0
    monkeypatch.setattr(engines, "look_around", lambda: here)
    assert call(tmp_path / "engines", "verify") == 1
    assert f"stale: {reason}" in capsys.readouterr().out
    assert call(tmp_path / "engines", "prune") == 0
    assert "deleted" in capsys.readouterr().out
    assert not list((tmp_path / "engines").glob("*.engine"))


def test_a_machine_without_gpu_or_library_calls_nothing_stale(
    stored: BuildRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "look_around", lambda: Here(None, None, {}))
    assert call(tmp_path / "engines", "verify") == 0


def test_engines_of_another_network_are_stale(stored: BuildRequest, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"a better network")
    assert call(tmp_path / "engines", "verify") == 1


def test_prune_keeps_the_good_and_deletes_the_damaged(stored: BuildRequest, tmp_path: Path) -> None:
    directory = tmp_path / "engines"
    (directory / "orphan.engine").write_bytes(b"?")
    (directory / "leftover.engine.part").write_bytes(b"?")
    assert call(directory, "verify") == 1
    assert call(directory, "prune") == 0
    assert [path.suffix for path in directory.iterdir()].count(".engine") == 1
    assert call(directory, "verify") == 0
    assert call(directory, "prune", "--all") == 0
    assert not list(directory.glob("*.engine"))


def test_prune_leaves_what_is_being_built(stored: BuildRequest, tmp_path: Path) -> None:
    key = cache_module.cache_key(stored)
    with cache_module.file_lock(tmp_path / "engines" / f"{key}.lock", lambda: None):
        assert call(tmp_path / "engines", "prune", "--all") == 1
    assert call(tmp_path / "engines", "verify") == 0


def test_build_for_other_machines_takes_every_network(
    stored: BuildRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Library:
        version = "1.7.1"

    monkeypatch.setattr("hmr_ros.engines.tensorrt.api.load_tensorrt", lambda edition: Library())
    monkeypatch.setattr(
        cache_module, "build_in_child", lambda build, request, progress, timeout_s: request.onnx_path.name.encode()
    )
    assert call(tmp_path / "elsewhere", "build", "--target", "sm_86+sm_89") == 0
    made = {one.entry.request for one in EngineCache(tmp_path / "elsewhere", GOOD).survey() if one.entry}
    names = {path.stem for path in models_dir().glob("*.onnx") if not path.stem.endswith(("_fp16", "_int8"))}
    assert {request.onnx_path.stem.removesuffix("_fp16") for request in made} == names
    assert {(r.target.gpu_name, r.target.driver, r.target.compute_capability) for r in made} == {
        (ANY_GPU, NO_DRIVER, "sm_86+sm_89")
    }
    assert all(r.onnx_sha256 == load_manifest(r.onnx_path.with_suffix(".json")).sha256 for r in made)
    assert "for any sm_86+sm_89, tensorrt_rtx 1.7.1" in capsys.readouterr().out


def test_build_without_a_gpu_says_what_to_do(
    stored: BuildRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmr_ros.engines.backends.choose", lambda backend: Choice("onnxruntime", "no GPU"))
    with pytest.raises(ValueError, match="--target"):
        call(tmp_path / "engines", "build")


def test_progress_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = engines.Line("net")
    for fraction in (0.0, 0.421, 0.422, 1.0):
        line("kernels", fraction)
    line.clear()
    shown = capsys.readouterr().err
    assert [part.strip() for part in shown.split("\r")[1:-2]] == [
        "net:   0 %  kernels",
        "net:  42 %  kernels",
        "net: 100 %  kernels",
    ]
    assert "\n" not in shown


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (150, "2 min"), (7200, "2 h"), (3e5, "3 d")])
def test_ages(seconds: float, text: str) -> None:
    assert engines._age(seconds) == text
