# SPDX-License-Identifier: Apache-2.0
"""`hmr build-engine`, with TensorRT for RTX, which builds without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmr_ros.cli import main
from hmr_ros.commands import build_engine
from hmr_ros.core.manifest import models_dir

MODEL = str(models_dir() / "blazepose_landmarks_fp16.json")


def test_builds_for_gpus_that_are_not_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    out = tmp_path / "pose2mesh.engine"
    assert main(["build-engine", MODEL, "--target", "sm_86+sm_89", "--out", str(out)]) == 0
    assert out.stat().st_size > 1 << 20
    printed = capsys.readouterr()
    assert "tensorrt_rtx" in printed.out
    assert "fp16" in printed.out
    assert "100%" in printed.err


def test_says_which_tensorrt_a_jetson_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    out = tmp_path / "pose2mesh.engine"
    assert main(["build-engine", MODEL, "--target", "sm_87", "--out", str(out)]) == 1
    assert "full TensorRT" in capsys.readouterr().err
    assert not out.exists()


def test_every_edition_can_be_named() -> None:
    from hmr_ros.engines.tensorrt.build_request import EDITIONS

    assert set(build_engine.EDITIONS.values()) == set(EDITIONS)
