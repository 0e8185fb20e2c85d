# SPDX-License-Identifier: Apache-2.0
"""fp32 or int8 on this CPU: both models of a network are run in turns on one input, and compared.

int8 pays where the CPU multiplies bytes and adds up the products in one instruction (VNNI, ARM's dot product). Without
it the gain is small, and AVX2's instruction for bytes saturates sums of two products at 16 bits, which ruins the
outputs of networks with 8 bits of weights. No list of processors is needed to tell: the trial shows both.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.engines.onnx.engine import find_runtime
from hmr_ros.engines.runtime import Engine, EngineError

MIN_SPEEDUP = 1.3
"""Minimum ratio of the durations of fp32 and int8 for which int8 runs the network: its outputs differ a little."""

MAX_DIFFERENCE = 0.02
"""Maximum mean difference of an output from fp32, as a fraction of its range."""

_ROUNDS = 5
_PROBE_SIZES = {"N": 1, "H": 256, "W": 416}
"""Sizes of the probe where a network leaves them open."""


@dataclass(frozen=True)
class Trial:
    """What int8 gives here: how many times as fast as fp32, and the largest mean difference of an output (0..1)."""

    speedup: float
    difference: float

    @property
    def is_int8(self) -> bool:
        """Whether int8 is to run the network; NaN says no."""
        return self.speedup >= MIN_SPEEDUP and self.difference <= MAX_DIFFERENCE

    def __str__(self) -> str:
        facts = f"int8 takes {1 / self.speedup:.2f} times the time of fp32, and is off by {self.difference:.1%}"
        if self.is_int8:
            return f"int8: {facts}"
        limit = f"at most {1 / MIN_SPEEDUP:.2f} times and {MAX_DIFFERENCE:.0%} are wanted"
        return f"fp32: {facts} ({limit})"


def run_trial(fp32: Engine, int8: Engine, threads: int) -> Trial:
    """Run both, opened with ``threads``, on the probe. Raises EngineError for a network that takes no images."""
    inputs = probe(fp32.manifest)
    # In one thread a run is in this one, whose own time is not that of other programs.
    clock = time.thread_time if threads == 1 else time.perf_counter
    reference, ours = fp32.run(inputs), int8.run(inputs)
    durations: dict[str, list[float]] = {"fp32": [], "int8": []}
    for _ in range(_ROUNDS):
        for name, engine in (("fp32", fp32), ("int8", int8)):
            started = clock()
            engine.run(inputs)
            durations[name].append(clock() - started)
    speedup = float(np.median(durations["fp32"]) / max(np.median(durations["int8"]), 1e-9))
    return Trial(speedup, max(_difference(ours[name], reference[name]) for name in reference))


def probe(manifest: Manifest) -> dict[str, Array]:
    """One image for each input: coloured patches of all sizes, the same each time.

    Raises EngineError unless all inputs are uint8 images.
    """
    return {spec.name: _patches(_shape(manifest, spec)) for spec in manifest.inputs}


def trial_key(fp32: Manifest, int8: Manifest, threads: int) -> str:
    """64 hex digits over all that a trial's result depends on: networks, threads, ONNX Runtime, processor."""
    facts = (fp32.sha256, int8.sha256, str(threads), find_runtime().version, processor())
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


@functools.cache
def processor() -> str:
    """The processor's name and instruction sets as Linux reports them; elsewhere what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")  # x86; ARM
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)})) or platform.machine()


def _shape(manifest: Manifest, spec: TensorSpec) -> tuple[int, int, int, int]:
    sizes = [size if isinstance(size, int) else _PROBE_SIZES.get(size, 0) for size in spec.shape]
    if spec.dtype != "uint8" or len(sizes) != 4 or sizes[3] != 3 or 0 in sizes:
        raise EngineError(f"{manifest.file}: only networks of uint8 images can be tried, got {spec.name} {spec.shape}")
    batch, height, width, channels = sizes
    return batch, height, width, channels


def _patches(shape: tuple[int, int, int, int]) -> Array:
    """Patches of several sizes on each other, each size half as strong as the next coarser one, as in photos."""
    batch, height, width, _ = shape
    rng, image = np.random.default_rng(0), np.full((height, width, 3), 128, np.float32)
    for level in range(6):
        rows, columns = 3 * 2**level, 5 * 2**level
        patches = rng.normal(0, 50 / 2**level, (rows, columns, 3))
        image += patches[np.arange(height)[:, None] * rows // height, np.arange(width) * columns // width]
    return np.repeat(image.clip(0, 255).astype(np.uint8)[None], batch, 0)


def _difference(ours: Array, reference: Array) -> float:
    """Mean difference as a fraction of the reference's range; infinite where anything is not finite."""
    gap = np.abs(ours.astype(np.float64) - reference)
    extent = float(np.ptp(reference))
    mean = float(gap.mean()) / extent if extent > 0 else float(gap.max() > 0)
    return mean if np.isfinite(mean) else float("inf")
