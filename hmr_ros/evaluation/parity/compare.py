# SPDX-License-Identifier: Apache-2.0
"""Every way of running a network against the reference, ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.evaluation.parity.inputs import recorded_inputs
from hmr_ros.evaluation.parity.quantities import Distance, distances
from hmr_ros.evaluation.parity.runs import Run, answers, engine_run, onnx_run, pytorch_run


@dataclass(frozen=True)
class Finding:
    """Distances of one ``way`` of running a network from the reference; ``skipped``: why it was not run."""

    network: str
    way: str
    distances: tuple[Distance, ...] = ()
    repeatable: bool = True
    skipped: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it passes the gates and repeats its outputs."""
        return bool(self.skipped) or (self.repeatable and all(distance.accepted for distance in self.distances))

    def __str__(self) -> str:
        if self.skipped:
            return f"{self.way:24} skipped: {self.skipped}"
        mark = "ok" if self.accepted else "TOO FAR OFF" if self.repeatable else "DIFFERS FROM RUN TO RUN"
        return f"{self.way:24} {mark:6} {', '.join(map(str, self.distances))}"

    def summary(self) -> dict[str, object]:
        """The finding as a JSON object."""
        figures = {d.quantity.name: {"mean": d.mean, "max": d.max, "unit": d.quantity.unit} for d in self.distances}
        facts = {"network": self.network, "way": self.way, "accepted": self.accepted, "repeatable": self.repeatable}
        return {**facts, "skipped": self.skipped, "distances": figures}


def shipped() -> list[Path]:
    """Manifests of the shipped networks, without their fp16 and int8 models."""
    from hmr_ros.engines.variants import is_variant

    return [path for path in sorted(models_dir().glob("*.json")) if not is_variant(path)]


def compare(path: Path, backends: list[str], checkpoint: Path | None) -> Iterator[Finding]:
    """Every way of running the network beside ``path``, against the reference."""
    from hmr_ros.engines.opening import open_engine, open_onnx
    from hmr_ros.engines.runtime import EngineError, default_threads

    manifest, inputs = load_manifest(path), recorded_inputs(path)
    reference = answers("reference", engine_run(open_onnx(path, default_threads())), inputs)
    yield Finding(manifest.name, "onnxruntime, again", repeatable=reference.repeatable)

    def finding(way: str, run: Run) -> Finding:
        ours = answers(way, run, inputs)
        found = distances(manifest.kind, ours.outputs, reference.outputs)
        return Finding(manifest.name, way, tuple(found), ours.repeatable)

    if (fp16 := _fp16_run(path)) is not None:
        yield finding("fp16, as a GPU rounds", fp16)
    if checkpoint is not None:
        yield finding("pytorch", pytorch_run(checkpoint))
    for backend in backends:
        try:
            engine = open_engine(path, backend)
        except EngineError as err:
            yield Finding(manifest.name, backend, skipped=str(err))
        else:
            yield finding(backend, engine_run(engine))


def _fp16_run(path: Path) -> Run | None:
    import onnx

    from hmr_ros.engines.variants import fp16_of
    from hmr_ros.export.fp16 import emulated

    fp16_path = fp16_of(path)
    if fp16_path is None:
        return None
    manifest = load_manifest(fp16_path)
    return onnx_run(emulated(onnx.load(manifest.model_path(fp16_path))), manifest)
