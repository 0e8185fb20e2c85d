# SPDX-License-Identifier: Apache-2.0
"""Which model of a network the CPU runs: fp32, or int8 where that is faster here and agrees."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from hmr_ros.core.manifest import ManifestError, load_manifest
from hmr_ros.engines.cache.trials import TrialStore, Tried
from hmr_ros.engines.onnx.trial import run_trial, trial_key
from hmr_ros.engines.runtime import Engine, EngineError
from hmr_ros.engines.variants import int8_of

Opener = Callable[[Path], Engine]
"""Opens the network beside a manifest with ONNX Runtime. Raises ManifestError or EngineError."""

_log = logging.getLogger(__name__)


def cpu_model(manifest_path: Path, precision: str, threads: int, store: TrialStore, opener: Opener) -> Path:
    """The manifest of the model that the CPU runs in ``threads`` threads; ``precision``: one of CPU_PRECISIONS.

    "auto" tries int8 against fp32, once per machine; ``store`` remembers it. Where there is no int8 model, or it
    cannot be opened, it is fp32.
    """
    int8_path = None if precision == "fp32" else int8_of(manifest_path)
    if int8_path is None or precision == "int8":
        return int8_path or manifest_path
    try:
        tried = _tried(manifest_path, int8_path, threads, store, opener)
    except (EngineError, ManifestError) as err:
        _log.warning("%s: runs in fp32: %s", manifest_path.stem, err)
        return manifest_path
    _log.info("%s", tried)
    return int8_path if tried.trial.is_int8 else manifest_path


def _tried(fp32_path: Path, int8_path: Path, threads: int, store: TrialStore, opener: Opener) -> Tried:
    """The remembered trial, or one that is made now."""
    key = trial_key(load_manifest(fp32_path), load_manifest(int8_path), threads)
    if (found := store.find(key)) is not None:
        return found
    with contextlib.ExitStack() as opened:
        fp32, int8 = (opened.enter_context(contextlib.closing(opener(path))) for path in (fp32_path, int8_path))
        tried = Tried(fp32_path.stem, threads, run_trial(fp32, int8, threads))
    store.store(key, tried)
    return tried
