# SPDX-License-Identifier: Apache-2.0
"""`hmr fp16`: write the fp16 model of a network, ``<name>_fp16``, for TensorRT, if it stays accurate.

Its outputs are compared with fp32 on recorded and rendered inputs, rounded as a GPU rounds. Where they differ by more
than `hmr parity` accepts, the layers with the largest losses are listed and kept in fp32; if that does not suffice,
nothing is written.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from hmr_ros.core.manifest import Manifest, atomic_path, load_manifest, verify, write_manifest
from hmr_ros.evaluation.parity.compare import shipped
from hmr_ros.evaluation.parity.inputs import recorded_inputs
from hmr_ros.evaluation.parity.layers import Conversion, Loss, Measure, convert
from hmr_ros.evaluation.parity.quantities import Distance, distances
from hmr_ros.evaluation.parity.runs import answers, onnx_run

if TYPE_CHECKING:
    from onnx import ModelProto

REPORTED = 10
"""Number of layers with the largest losses to list."""


EXAMPLES = (
    "hmr fp16",
    "hmr fp16 models/pose2mesh.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "models", type=Path, nargs="*", help="manifests (.json) of fp32 networks (default: all shipped ones)"
    )


def run(args: argparse.Namespace) -> int:
    """Convert each network; 1 if one was refused."""
    accepted = [convert_file(path) for path in args.models or shipped()]
    return 0 if all(accepted) else 1


def convert_file(path: Path) -> bool:
    """Write the fp16 model beside the manifest ``path`` unless it is refused; whether it was written."""
    import onnx

    manifest = load_manifest(path)
    model = onnx.load_model_from_string(verify(manifest, path))
    conversion = convert(model, measure_on_inputs(path, model), print_losses)
    figures = ", ".join(map(str, conversion.distances))
    if not conversion.accepted:
        print(f"{manifest.name}: refused, too far from fp32 even with {len(conversion.kept)} nodes in it: {figures}")
        return False
    out = write_fp16(conversion, manifest, path)
    kept = f", {len(conversion.kept)} nodes kept in fp32 for it" if conversion.kept else ""
    print(f"{out}: {out.stat().st_size / 2**20:.1f} MiB, from fp32: {figures}{kept}")
    return True


def measure_on_inputs(path: Path, model: ModelProto) -> Measure:
    """A function that compares fp16 versions of ``model`` with it, on recorded inputs of the manifest ``path``."""
    manifest, inputs = load_manifest(path), recorded_inputs(path)
    reference = answers("reference", onnx_run(model, manifest), inputs).outputs

    def measure(fp16: ModelProto) -> list[Distance]:
        from hmr_ros.export.fp16 import emulated

        run = onnx_run(emulated(fp16), manifest)
        return distances(manifest.kind, [run(arrays) for arrays in inputs], reference)

    return measure


def print_losses(ranked: list[Loss]) -> None:
    """Print the layers with the largest losses."""
    print("layers with the largest losses (error left when one keeps fp32, as a multiple of the gate):")
    for loss in ranked[:REPORTED]:
        print(f"  {loss.severity:8.3f}  {loss.group.name}")


def write_fp16(conversion: Conversion, manifest: Manifest, path: Path) -> Path:
    """Write network, then manifest; each appears whole or not at all."""
    from hmr_ros.engines.variants import FP16_SUFFIX
    from hmr_ros.export.onnx_graph import with_fp16_weights

    stem = path.stem + FP16_SUFFIX
    content = with_fp16_weights(conversion.model).SerializeToString()
    provenance = {
        "command": "hmr fp16",
        "precision": "fp16",
        "source_sha256": manifest.sha256,
        **({"kept_in_fp32": " ".join(conversion.kept)} if conversion.kept else {}),
        **{key: text for key, text in manifest.provenance.items() if key != "command"},
    }
    fp16 = dataclasses.replace(
        manifest,
        name=manifest.name + FP16_SUFFIX,
        file=f"{stem}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        provenance=provenance,
        metrics={**manifest.metrics, **_metrics(conversion)},
    )
    onnx_path = path.with_name(fp16.file)
    with atomic_path(onnx_path) as temporary:
        temporary.write_bytes(content)
    write_manifest(fp16, path.with_name(f"{stem}.json"))
    return onnx_path


def _metrics(conversion: Conversion) -> dict[str, float]:
    """The distances from fp32 for the manifest, named from_fp32_vertices_mean_mm and so on."""
    metrics: dict[str, float] = {}
    for distance in conversion.distances:
        if distance.quantity.gate is not None:
            name, unit = f"from_fp32_{distance.quantity.name}", distance.quantity.unit
            metrics |= {f"{name}_mean_{unit}": round(distance.mean, 3), f"{name}_max_{unit}": round(distance.max, 3)}
    return metrics
