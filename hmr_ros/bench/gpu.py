# SPDX-License-Identifier: Apache-2.0
"""The networks on this machine's GPU: ms per person at several batch sizes, beside the floor that the GPU sets.

The time is that of the node's call, from host arrays to host arrays. The floor is the larger of arithmetic
at the peak rate of the tensor cores (fp16, sums in fp32) and of reading the weights once. Real networks stay well above
it: at batch 1, launching kernels takes longest.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hmr_ros.bench.flops import Cost, cost
from hmr_ros.bench.protocol import BenchSkipped, Options, Row
from hmr_ros.bench.timing import time_in_turns
from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import WHOLE_IMAGE_KINDS, Manifest
from hmr_ros.evaluation.parity.compare import shipped

if TYPE_CHECKING:
    from hmr_ros.engines.tensorrt.cuda import GpuLimits

BATCHES = (1, 4, 8)
SEARCH = {"H": 224, "W": 416}
"""The default size of a search, `detector.size`."""

TENSOR_FLOP_PER_CYCLE = {
    "sm_75": 512,
    "sm_80": 2048,
    "sm_86": 512,
    "sm_87": 2048,
    "sm_89": 512,
    "sm_90": 4096,
    "sm_120": 512,
}
"""Per multiprocessor, dense fp16 with sums in fp32: peak / multiprocessors / clock of NVIDIA's data sheets."""


def run(options: Options) -> Row:
    """Time every shipped network on the fastest backend. BenchSkipped where that is the CPU."""
    from hmr_ros.engines.backends import choose
    from hmr_ros.engines.onnx.session import CPU
    from hmr_ros.engines.tensorrt.cuda import find_gpu, gpu_limits

    choice = choose("auto")
    if choice.backend == CPU:
        raise BenchSkipped(choice.why)
    gpu, limits = find_gpu(), gpu_limits()
    found: dict[str, tuple[float, float]] = {}
    for path in shipped():
        found |= _time_network(path, choice.backend, limits, gpu.capability, options.repeats)
    return {
        "settings": {"gpu": gpu.name, "capability": gpu.capability, "backend": choice.why, "repeats": options.repeats},
        "medians_ms": {label: median for label, (median, _) in found.items()},
        "figures": {f"{label}, floor in ms": floor for label, (_, floor) in found.items()},
        "goals": {},
    }


def floor_ms(cost: Cost, limits: GpuLimits, capability: str) -> float:
    """The minimum time of one inference, ms; a limit that the GPU does not report is left out."""
    flop_per_s = limits.cycles_per_s * TENSOR_FLOP_PER_CYCLE.get(capability, 0)
    arithmetic = cost.flop / flop_per_s if flop_per_s else 0.0
    reading = cost.weight_bytes / limits.bytes_per_s if limits.bytes_per_s else 0.0
    return 1e3 * max(arithmetic, reading)


def _time_network(
    path: Path, backend: str, limits: GpuLimits, capability: str, repeats: int
) -> dict[str, tuple[float, float]]:
    """Label -> median and floor, ms per person (networks of whole images: per image)."""
    import onnx

    from hmr_ros.engines.opening import open_engine

    engine = open_engine(path, backend)
    manifest = engine.manifest
    model = onnx.load(path.with_name(manifest.file))
    found = {}
    for batch in (1,) if manifest.kind in WHOLE_IMAGE_KINDS else BATCHES:
        timings = time_in_turns({"run": functools.partial(engine.run, _inputs(manifest, batch))}, repeats)
        floor = floor_ms(cost(model, {"N": batch, **SEARCH}), limits, capability)
        label = f"{manifest.name}, batch {batch}, per person"
        found[label] = (timings.medians_ms()["run"] / batch, floor / batch)
    engine.close()
    return found


def _inputs(manifest: Manifest, batch: int) -> dict[str, Array]:
    """Ones of the right shapes; values do not change the time."""
    sizes = {"N": batch, **SEARCH}
    return {
        spec.name: np.ones([sizes.get(s, 1) if isinstance(s, str) else s for s in spec.shape], spec.dtype)
        for spec in manifest.inputs
    }
