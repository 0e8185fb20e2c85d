# SPDX-License-Identifier: Apache-2.0
"""Finding ONNX Runtime's C library."""

from __future__ import annotations

import ctypes.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.onnx import c_library
from hmr_ros.engines.onnx.c_library import CLibrary, candidates, load_library
from hmr_ros.engines.onnx.engine import has_provider
from hmr_ros.engines.opening import open_engine
from hmr_ros.engines.runtime import EngineError
from test.engines.shipped_library import shipped_library


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    load_library.cache_clear()
    yield
    load_library.cache_clear()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prefix with onnxruntime_vendor's directory, behind another one, where the loader finds nothing."""
    directory = tmp_path / "jazzy/opt/onnxruntime_vendor/lib"
    directory.mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'overlay'}::{tmp_path / 'jazzy'}")
    monkeypatch.setattr(c_library, "NAMES", ("libonnxruntime.so.none",))
    return directory


def test_the_vendored_library_is_found(workspace: Path):
    (workspace / "libonnxruntime.so.1").symlink_to(shipped_library())
    assert list(candidates()) == ["libonnxruntime.so.none", str(workspace / "libonnxruntime.so.1")]
    assert load_library().name == str(workspace / "libonnxruntime.so.1")
    assert load_library() is load_library()


def test_one_that_does_not_load_is_passed_over(workspace: Path):
    (workspace / "libonnxruntime.so").write_text("for another processor")
    (workspace / "libonnxruntime.so.1").symlink_to(shipped_library())
    assert load_library().name.endswith("libonnxruntime.so.1")


def test_without_any_the_reasons_and_the_remedy_are_named(workspace: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (workspace / "libonnxruntime.so").write_text("for another processor")
    with pytest.raises(EngineError, match=r"so\.none: cannot open.*libonnxruntime\.so: file too short|invalid ELF"):
        load_library()
    with pytest.raises(EngineError, match=r"pip install onnxruntime, or apt install ros-.*-onnxruntime-vendor \(lib"):
        open_engine(models_dir() / "pose2mesh.json", "onnxruntime")
    assert not has_provider("onnxruntime")


def test_another_library_is_refused():
    with pytest.raises(OSError, match="is not ONNX Runtime"):
        CLibrary(ctypes.util.find_library("c") or "libc.so.6")


def test_an_old_library_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(c_library, "API_VERSION", 99)
    with pytest.raises(OSError, match=r"is ONNX Runtime 1\.\d+\.\d+; 1\.99 or newer is needed"):
        CLibrary(shipped_library())
