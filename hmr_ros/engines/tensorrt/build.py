# SPDX-License-Identifier: Apache-2.0
"""ONNX -> TensorRT engine, for this GPU or (RTX) for others; and whether an engine works here."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.api import TensorRt, load_tensorrt
from hmr_ros.engines.tensorrt.build_request import IMAGE_SIZES, BuildRequest, Progress, SizeRange
from hmr_ros.engines.tensorrt.cuda import find_gpu
from hmr_ros.engines.tensorrt.types import Builder, Network, OptimizationProfile, Tensor


def build_engine(request: BuildRequest, progress: Progress) -> bytes:
    """Build. Raises EngineError that says why it cannot be, and whatever ``progress`` raises, which stops the build."""
    library = load_tensorrt(request.target.edition)
    if request.target.version != library.version:
        raise EngineError(f"asked for {request.target.edition} {request.target.version}; {library} is installed")
    library.require_target(request.target.compute_capabilities, _gpu_here())
    return compile_onnx(library, request, progress)


def compile_onnx(library: TensorRt, request: BuildRequest, progress: Progress) -> bytes:
    """The engine of ``request``, built by ``library`` without a check of version and target."""
    progress("reading the network", 0.0)
    builder = library.builder()
    network = library.create_network(builder)
    _parse(library, network, request)
    config = library.create_config(builder, request)
    if config.add_optimization_profile(_profile(builder, network, request)) < 0:
        raise EngineError(f"{request.onnx_path}: {library} refuses the range of sizes: {library.reason}")
    tree = ProgressTree(progress)
    monitor = library.progress_monitor(tree)  # a name of its own, as it has to outlive the build
    config.progress_monitor = monitor
    engine = builder.build_serialized_network(network, config)
    tree.raise_error()
    if engine is None:
        raise EngineError(f"{request.onnx_path}: {library} cannot build it: {_remedy(request) or library.reason}")
    progress("built", 1.0)
    return bytes(engine)


def _gpu_here() -> str | None:
    try:
        return find_gpu().capability
    except EngineError:
        return None


def _parse(library: TensorRt, network: Network, request: BuildRequest) -> None:
    """Fill ``network``. Bytes, not the file, go to the parser: checked once, and weights elsewhere are out of reach."""
    data = request.onnx_path.read_bytes()
    if hashlib.sha256(data).hexdigest() != request.onnx_sha256:
        raise EngineError(
            f"{request.onnx_path}: its sha256 is not the expected {request.onnx_sha256}; install it again"
        )
    parser = library.parser(network)
    if not parser.parse(data):
        errors = (parser.get_error(index) for index in range(parser.num_errors))
        text = "; ".join(f"node {error.node_name()!r}: {error.desc()}" for error in errors)
        raise EngineError(f"{request.onnx_path}: {library} cannot read it: {text}")


def _profile(builder: Builder, network: Network, request: BuildRequest) -> OptimizationProfile:
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        ranges = [_size_range(tensor, axis, request) for axis in range(len(tensor.shape))]
        profile.set_shape(
            tensor.name,
            tuple(sizes.minimum for sizes in ranges),
            tuple(sizes.optimum for sizes in ranges),
            tuple(sizes.maximum for sizes in ranges),
        )
    return profile


def _size_range(tensor: Tensor, axis: int, request: BuildRequest) -> SizeRange:
    size = tensor.shape[axis]
    if size >= 0:
        return SizeRange(size, size, size)
    name = tensor.get_dimension_name(axis)
    ranges = {"N": request.profile, **IMAGE_SIZES}
    if name not in ranges:
        raise EngineError(f"{request.onnx_path}: input {tensor.name!r} has a size {name!r}; known are {list(ranges)}")
    return ranges[name]


def _remedy(request: BuildRequest) -> str:
    turing = "sm_75" in request.target.compute_capabilities
    if turing and request.target.edition == "tensorrt_rtx" and request.target.precision == "fp32":
        return "it has no fp32 matrix products on sm_75; use the fp16 network (hmr fp16)"
    return ""


@dataclass
class _Phase:
    steps: int
    parent: str | None
    done: int = 0


class ProgressTree:
    """One fraction from a builder's nested phases. It never falls, though phases are announced as the build goes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._phases: dict[str, _Phase] = {}
        self._fraction = 0.0
        self._error: BaseException | None = None
        self._lock = threading.Lock()

    def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
        """Begin a phase."""
        with self._lock:
            self._phases[phase] = _Phase(max(steps, 1), parent)
            self._report(phase)

    def step_complete(self, phase: str, step: int) -> bool:
        """Count; False once ``progress`` has raised, which stops the build."""
        with self._lock:
            if phase in self._phases:
                self._phases[phase].done = step + 1
            self._report(phase)
            return self._error is None

    def phase_finish(self, phase: str) -> None:
        """End a phase; it is in its parent's steps from then on."""
        with self._lock:
            self._phases.pop(phase, None)

    def raise_error(self) -> None:
        """What ``progress`` raised: it cannot pass through the builder."""
        if self._error is not None:
            raise self._error

    def _report(self, phase: str) -> None:
        if self._error is not None:
            return
        self._fraction = max(self._fraction, self._done())
        try:
            self._progress(phase, self._fraction)
        except BaseException as err:  # also KeyboardInterrupt; raise_error raises it
            self._error = err

    def _done(self) -> float:
        """Steps of the outermost phase, and of those within its current step."""
        fraction, scale, parent = 0.0, 1.0, None
        for _ in self._phases:  # no deeper than there are phases
            inner = next((name for name, phase in self._phases.items() if phase.parent == parent), None)
            if inner is None:
                break
            phase = self._phases[inner]
            fraction += scale * min(phase.done / phase.steps, 1.0)
            scale, parent = scale / phase.steps, inner
        return min(fraction, 1.0)


def probe_engine(engine_path: Path, request: BuildRequest) -> None:
    """Load the engine and run it once, on zeros. Raises EngineError; a bad engine may do worse, so do it in a child."""
    from hmr_ros.engines.tensorrt.engine import LoadedEngine  # needs CUDA, which building for other machines does not

    loaded = LoadedEngine(
        load_tensorrt(request.target.edition), engine_path.read_bytes(), host_code=request.version_compatible
    )
    try:
        loaded.run_zeros()
    finally:
        loaded.close()
