# SPDX-License-Identifier: Apache-2.0
"""`hmr engines`: list, verify, prune or build the TensorRT engines of this machine.

Engines are executables. The node loads only those that this machine built, or that came in a cache directory together
with its secret.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hmr_ros.core.manifest import file_sha256, load_manifest, models_dir

if TYPE_CHECKING:
    from hmr_ros.engines.cache.cache import EngineCache, Stored
    from hmr_ros.engines.tensorrt.build_request import BuildRequest

_DAMAGED = "incomplete or damaged"


@dataclass(frozen=True)
class Here:
    """What engines must be built for to run on this machine.

    ``gpu``, ``driver``: names, None where unknown, so that no engine is stale for it; ``versions`` of the installed
    TensorRT libraries by edition.
    """

    gpu: str | None
    driver: str | None
    versions: dict[str, str]


EXAMPLES = (
    "hmr engines list",
    "hmr engines build --backend tensorrt_rtx",
    "hmr engines build models/pose2mesh.json --target sm_86+sm_89",
    "hmr engines prune",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--cache", type=Path, help="directory of the engine cache (default: the user's)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="show every engine: network, target, size, age, state")
    actions.add_parser("verify", help="the same table; exit status 1 if an engine is damaged or stale")
    prune = actions.add_parser("prune", help="delete damaged and stale engines")
    prune.add_argument("--all", action="store_true", help="delete good engines, and trials of int8, too")
    build = actions.add_parser("build", help="build missing engines ahead of the robot's first start")
    build.add_argument("manifests", nargs="*", type=Path, help="networks (.json; default: all that are installed)")
    build.add_argument("--backend", choices=("auto", "tensorrt", "tensorrt_rtx"), default="auto")
    build.add_argument("--target", help="GPUs other than this machine's (RTX edition): sm_89, or sm_86+sm_89")


def run(args: argparse.Namespace) -> int:
    """Do the action; 1 if an engine is damaged, stale or cannot be deleted."""
    from hmr_ros.engines.opening import engine_cache

    cache = engine_cache(args.cache and args.cache.absolute())
    if args.action == "build":
        return build(cache, args.manifests or _networks(), args.backend, args.target)
    if args.action == "prune":
        return prune(cache, everything=args.all)
    states = show(cache)
    return int(args.action == "verify" and any(state != "good" for state in states))


def _networks() -> list[Path]:
    """Manifests of what is installed, without the models in int8, which are for CPUs."""
    from hmr_ros.engines.variants import INT8_SUFFIX

    return [path for path in sorted(models_dir().glob("*.json")) if not path.stem.endswith(INT8_SUFFIX)]


def show(cache: EngineCache) -> list[str]:
    """Print the table of stored engines; the state of each."""
    here, stored = look_around(), cache.survey()
    states = [state_of(one, here) for one in stored]
    print(f"{len(stored)} in {cache.directory}")
    for one, state in zip(stored, states, strict=True):
        print(row(one, state))
    show_trials(cache.directory)
    return states


def show_trials(directory: Path) -> None:
    """Print which models the CPU of this machine runs in int8, as trials have shown."""
    from hmr_ros.engines.cache.trials import TrialStore

    for tried in TrialStore(directory).survey():
        print(f"CPU: {tried}")


def prune(cache: EngineCache, *, everything: bool) -> int:
    """Delete engines that are not good, or all, with the trials of int8; 1 if one is in use."""
    from hmr_ros.engines.cache.trials import TrialStore

    if everything:
        TrialStore(cache.directory).forget()
    here, kept = look_around(), 0
    for one in cache.survey():
        state = state_of(one, here)
        if everything or state != "good":
            removed = cache.remove(one.key)
            kept += not removed
            print("deleted " if removed else "in use  ", row(one, state))
    return int(kept > 0)


def build(cache: EngineCache, manifests: list[Path], backend: str, target: str | None) -> int:
    """Obtain an engine for each network, from the cache or built."""
    for request in dict.fromkeys(
        _request(path, backend, target) for path in manifests
    ):  # a fp16 model is found by its own name and by its fp32 network's
        line = Line(request.onnx_path.stem)
        try:
            engine = cache.obtain(request, line)
        finally:
            line.clear()
        print(f"{request.onnx_path.stem}: {len(engine) / 1e6:.1f} MB for {_target(request)}")
    return 0


def look_around() -> Here:
    """The GPU, driver and TensorRT libraries of this machine."""
    from hmr_ros.engines.runtime import EngineError
    from hmr_ros.engines.tensorrt.api import load_tensorrt
    from hmr_ros.engines.tensorrt.build_request import EDITIONS
    from hmr_ros.engines.tensorrt.cuda import find_gpu

    versions = {}
    for edition in EDITIONS:
        with contextlib.suppress(EngineError):
            versions[edition] = load_tensorrt(edition).version
    try:
        gpu = find_gpu()
    except EngineError:
        return Here(None, None, versions)
    return Here(gpu.name, gpu.driver, versions)


def state_of(stored: Stored, here: Here) -> str:
    """The state of an engine: "good", or why it cannot be used."""
    if stored.entry is None:
        return f"{_DAMAGED}: {stored.problem}"
    reason = _why_stale(stored.entry.request, here)
    return f"stale: {reason}" if reason else "good"


def row(stored: Stored, state: str) -> str:
    """One line of the table."""
    if stored.entry is None:
        return f"  {stored.key[:16]}  {state}"
    request = stored.entry.request
    age = _age(time.time() - stored.entry.created)
    return f"  {request.onnx_path.stem:24} {_target(request):52} {stored.engine_bytes / 1e6:7.1f} MB  {age:>8}  {state}"


def _why_stale(request: BuildRequest, here: Here) -> str:
    """Why an engine for ``request`` cannot be used any more; empty if it can."""
    from hmr_ros.engines.tensorrt.build_request import ANY_GPU, NO_DRIVER

    target = request.target
    if not request.onnx_path.is_file() or file_sha256(request.onnx_path) != request.onnx_sha256:
        return f"{request.onnx_path} is missing or has changed"
    if here.versions.get(target.edition, target.version) != target.version:
        return f"{target.edition} is {here.versions[target.edition]} now"
    if here.gpu and target.gpu_name not in (ANY_GPU, here.gpu):
        return f"the GPU is {here.gpu} now"
    if here.driver and target.driver not in (NO_DRIVER, here.driver):
        return f"the driver is {here.driver} now"
    return ""


def _request(manifest_path: Path, backend: str, target: str | None) -> BuildRequest:
    """The request for this network, or for its fp16 model if there is one."""
    from hmr_ros.engines.backends import choose
    from hmr_ros.engines.opening import request_here
    from hmr_ros.engines.tensorrt.api import load_tensorrt
    from hmr_ros.engines.tensorrt.build_request import (
        ANY_GPU,
        EDITIONS,
        NO_DRIVER,
        EngineTarget,
        precision_of,
        request_for,
    )
    from hmr_ros.engines.variants import fp16_of

    path = fp16_of(manifest_path) or manifest_path
    if target is None:
        choice = choose(backend)
        if choice.backend not in EDITIONS:
            raise ValueError(f"no TensorRT here ({choice.why}); to build for other machines, name their --target")
        return request_here(path, choice.backend)
    edition = "tensorrt_rtx" if backend == "auto" else backend
    manifest, version = load_manifest(path), load_tensorrt(edition).version
    precision = precision_of(manifest)
    return request_for(path, manifest, EngineTarget(edition, version, ANY_GPU, target, NO_DRIVER, precision))


def _target(request: BuildRequest) -> str:
    target = request.target
    return f"{target.gpu_name} {target.compute_capability}, {target.edition} {target.version}, {target.precision}"


def _age(seconds: float) -> str:
    """``seconds`` in the largest unit of which there is at least one."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


class Line:
    """Progress of a build on one line of the terminal; tqdm is not installed on robots."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = ""

    def __call__(self, phase: str, fraction: float) -> None:
        """Show ``fraction`` of ``phase`` as done, if the line changes."""
        text = f"{self._name}: {round(100 * fraction):3} %  {phase}"
        if text != self._shown:
            self._shown = text
            print(f"\r{text[:79]:79}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Erase the line and return the cursor to its start."""
        print(f"\r{'':79}\r", end="", file=sys.stderr, flush=True)
