# SPDX-License-Identifier: Apache-2.0
"""``hmr export``: a checkpoint becomes an artefact for the robot, ``<name>.onnx`` and ``<name>.json``.

Nothing is written unless ONNX Runtime gives PyTorch's answers.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from pathlib import Path

import onnx
import torch
from onnx import ModelProto, ValueInfoProto

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import Manifest, TensorSpec, atomic_path, file_sha256, models_dir, write_manifest
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.export.onnx_graph import OPSET, Exportable, Outputs, largest_difference, to_onnx, with_fp16_weights
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.networks.compact_pose2mesh import CompactConfig
from hmr_ros.networks.global_to_pixel import GlobalToPixel, GlobalToPixelConfig
from hmr_ros.networks.pose2mesh import Pose2Mesh, Pose2MeshConfig
from hmr_ros.training.checkpoint import Checkpoint, load_checkpoint
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.recipes import stage_names, trained_network

_INPUTS = {"paper": "pixels", "compact": "virtual_camera", "global_to_pixel": "crop"}
"""What each recipe's network reads, by ``normalisation`` of the manifest."""

TOLERANCE = 1e-4
"""Largest accepted difference between ONNX Runtime and PyTorch, m."""

FP16_TOLERANCE = 2e-3
"""The same with weights rounded to float16, m."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("checkpoint", type=Path, help="best.pt or last.pt of a training run")
    parser.add_argument("--out", type=Path, required=True, help="artefact to write, for example models/pose2mesh")
    parser.add_argument("--half", action="store_true", help="store weights as float16; arithmetic stays float32")
    parser.add_argument("--body", type=Path, help="body model .npz it was trained on (the checkpoint's)")
    parser.add_argument("--note", default="", help="anything about the training that its settings do not tell")
    parser.add_argument("--licence", default="Apache-2.0", help="of the weights, which your data decide (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Export, compare, write."""
    checkpoint = load_checkpoint(args.checkpoint)
    body_path = args.body or Path(checkpoint.config.run.body or models_dir() / "open_body.npz")
    body = load_body_model(body_path)
    network = exportable(checkpoint, trained_network(checkpoint, body), body)
    model = with_fp16_weights(to_onnx(network)) if args.half else to_onnx(network)
    difference = largest_difference(model, network)
    check_difference(difference, FP16_TOLERANCE if args.half else TOLERANCE)
    provenance = {
        "command": "hmr export" + (" --half" if args.half else ""),
        "recipe": checkpoint.config.recipe,
        "checkpoint_sha256": file_sha256(args.checkpoint),
        "exporter": f"torch {torch.__version__}, opset {OPSET}",
        **training_facts(checkpoint.config),
        **({"note": args.note} if args.note else {}),
    }
    onnx_path = args.out.with_name(args.out.name.removesuffix(".onnx") + ".onnx")
    manifest = dataclasses.replace(
        describe(model, checkpoint, onnx_path), body_model=body_path.stem, body_model_sha256=file_sha256(body_path)
    )
    write_artefact(model, dataclasses.replace(manifest, licence=args.licence, provenance=provenance), onnx_path)
    print(f"{onnx_path}: {onnx_path.stat().st_size / 2**20:.1f} MiB, at most {1000 * difference:.2g} mm from PyTorch")
    return 0


def training_facts(config: TrainConfig) -> dict[str, str]:
    """What the weights were trained on, and for how long."""
    facts = {}
    for name in stage_names(config):
        stage: StageConfig = getattr(config, name)
        facts[name] = f"{stage.steps} steps of {stage.batch_size} people"
    path = Path(config.run.motion)
    if not path.is_file():
        return facts | {"motion": path.name}
    return facts | {"motion": f"{path.name}, sha256 {file_sha256(path)}", "motion_notice": load_motion(path).notice}


def describe(model: ModelProto, checkpoint: Checkpoint, onnx_path: Path) -> Manifest:
    """The manifest as far as the network itself tells."""
    return Manifest(
        name=onnx_path.stem,
        kind="global_to_pixel" if checkpoint.config.recipe == "global_to_pixel" else "pose2mesh",
        file=onnx_path.name,
        sha256=hashlib.sha256(model.SerializeToString()).hexdigest(),
        inputs=tuple(map(tensor_spec, model.graph.input)),
        outputs=tuple(map(tensor_spec, model.graph.output)),
        licence="unknown",
        joint_set=_network_config(checkpoint).joint_set,
        normalisation={"input": _INPUTS[checkpoint.config.recipe]},
        metrics={f"{name}_mm": round(value, 2) for name, value in checkpoint.validation.items()},
    )


def _network_config(checkpoint: Checkpoint) -> Pose2MeshConfig | CompactConfig | GlobalToPixelConfig:
    config = checkpoint.config
    return {"paper": config.paper, "compact": config.compact, "global_to_pixel": config.global_to_pixel}[config.recipe]


def exportable(checkpoint: Checkpoint, network: torch.nn.Module, body: BodyModel) -> Exportable:
    """``network`` of ``checkpoint`` in the form that is exported, with inputs like the robot's."""
    joints = JOINT_SETS[_network_config(checkpoint).joint_set].size
    generator = torch.Generator().manual_seed(0)
    if isinstance(network, GlobalToPixel):
        model = TorchBodyModel(body)

        def evaluated(outputs: Outputs) -> Outputs:
            rotations, betas, crop_cam, joint_error = outputs
            return model.posed(rotations[:, 0], rotations[:, 1:], betas).vertices, crop_cam, joint_error

        return Exportable(network, network.example_inputs(4), network.input_names, network.output_names, evaluated)
    if isinstance(network, Pose2Mesh):
        return Exportable(network.export_module(), network.example_inputs(), network.input_names, network.output_names)
    places = torch.randn(4, joints, 2, generator=generator)
    scores = torch.rand(4, joints, 1, generator=generator)
    example = (torch.cat([places, scores], -1), -3 * torch.rand(4, 1, generator=generator))
    return Exportable(network, example, network.input_names, network.output_names)


def check_difference(difference: float, tolerance: float) -> None:
    """Raise ValueError where the exported network is another one; a NaN is."""
    if not difference <= tolerance:
        raise ValueError(
            f"ONNX Runtime and PyTorch differ by {difference:.3g} m, more than {tolerance:g} m: not written; "
            "try without --half, or other versions of torch and onnxruntime"
        )


def tensor_spec(value: ValueInfoProto) -> TensorSpec:
    """The manifest's description of an input or output of a graph."""
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return TensorSpec(value.name, dtype, tuple(dim.dim_param or dim.dim_value for dim in tensor.shape.dim))


def write_artefact(model: ModelProto, manifest: Manifest, onnx_path: Path) -> None:
    """Write network, then manifest; each appears whole or not at all."""
    onnx_path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(onnx_path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    write_manifest(manifest, onnx_path.with_suffix(".json"))
