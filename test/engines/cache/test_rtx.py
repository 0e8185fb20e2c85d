# SPDX-License-Identifier: Apache-2.0
"""A real engine through the cache: TensorRT for RTX builds in the child process, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.engines.cache.cache import EngineCache
from hmr_ros.engines.opening import engine_cache
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.build_request import ANY_GPU, NO_DRIVER, EngineTarget, precision_of, request_for

tensorrt_rtx = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx (pip install tensorrt-rtx)")


def test_a_real_engine_is_built_once_and_found_again(tmp_path: Path) -> None:
    path = models_dir() / "pose2mesh.json"
    manifest = load_manifest(path)
    version, precision = tensorrt_rtx.__version__, precision_of(manifest)
    target = EngineTarget("tensorrt_rtx", version, ANY_GPU, "sm_89", NO_DRIVER, precision)
    request = request_for(path, manifest, target)
    steps: list[tuple[str, float]] = []
    cache = engine_cache(tmp_path / "engines")
    engine = cache.obtain(request, lambda *step: steps.append(step))
    assert len(engine) > 1 << 20
    assert max(fraction for _, fraction in steps) > 0
    assert cache.find(request) == engine
    (stored,) = cache.survey()
    assert (stored.problem, stored.engine_bytes) == ("", len(engine))


def test_the_reason_of_a_failed_build_comes_back(tmp_path: Path) -> None:
    path = models_dir() / "pose2mesh.json"
    manifest = load_manifest(path)
    target = EngineTarget("tensorrt_rtx", tensorrt_rtx.__version__, ANY_GPU, "sm_87", NO_DRIVER, "fp32")
    cache: EngineCache = engine_cache(tmp_path / "engines")
    with pytest.raises(EngineError, match=r"sm_87 \(Jetson Orin\): that needs the full TensorRT"):
        cache.obtain(request_for(path, manifest, target), lambda *step: None)
    assert cache.survey() == []
