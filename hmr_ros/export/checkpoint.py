# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of training as a network to export, and the manifest that describes it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import torch
from onnx import ModelProto, ValueInfoProto

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import Manifest, TensorSpec, atomic_path, file_sha256, models_dir, write_manifest
from hmr_ros.core.skeleton import JOINT_SETS, MANO, SMPL
from hmr_ros.export.onnx_graph import Exportable, Outputs
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.networks.compact_pose2mesh import CompactPose2Mesh
from hmr_ros.networks.fusion import FusionNet
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.networks.hand_pose2mesh import HandPose2Mesh
from hmr_ros.networks.pose2mesh import Pose2Mesh
from hmr_ros.training.checkpoint import Checkpoint
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.recipes import OF_HANDS, needs_motion, stage_names

_INPUTS = {
    "paper": "pixels",
    "compact": "virtual_camera",
    "global_to_pixel": "crop",
    "fusion": "pose_window",
    "hands": "virtual_camera",
    "hands_paper": "pixels",
}
"""The manifest's ``normalisation`` of the input of each recipe's network."""

_KINDS = {
    "global_to_pixel": "global_to_pixel",
    "fusion": "fusion",
    "hands": "hand_pose2mesh",
    "hands_paper": "hand_pose2mesh",
}
"""The manifest's kind of a recipe's network, where it is not pose2mesh."""

TOLERANCE = 1e-4
"""Largest accepted difference between ONNX Runtime and PyTorch, m."""

FP16_TOLERANCE = 2e-3
"""The same with weights rounded to fp16, m."""


def training_facts(config: TrainConfig) -> dict[str, str]:
    """Stages, steps, data sets and motion file of the training, for the manifest's provenance."""
    facts = {}
    for name in stage_names(config):
        stage: StageConfig = getattr(config, name)
        facts[name] = f"{stage.steps} steps of {stage.batch_size} people"
    if config.run.start:
        facts["start"] = Path(config.run.start).name
    if runs := config.run.mean_with:
        facts["mean_with"] = ", ".join(Path(run).parent.name for run in runs)
    if weights := config.data.weights:
        facts["data_sets"] = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    if config.freihand.directory and config.recipe == "hands_paper":
        facts["data_sets"] = "freihand"
    if not config.run.motion or not needs_motion(config):
        return facts
    path = Path(config.run.motion)
    if not path.is_file():
        return facts | {"motion": path.name}
    return facts | {"motion": f"{path.name}, sha256 {file_sha256(path)}", "motion_notice": load_motion(path).notice}


def model_path(config: TrainConfig) -> Path:
    """The body or hand model that was trained on."""
    if config.recipe in OF_HANDS:
        return Path(config.freihand.hand or models_dir() / "open_hand.npz")
    return Path(config.run.body or models_dir() / "open_body.npz")


def describe(model: ModelProto, checkpoint: Checkpoint, onnx_path: Path) -> Manifest:
    """The manifest of ``model``; licence, body model and provenance are left for the caller."""
    return Manifest(
        name=onnx_path.stem,
        kind=_KINDS.get(checkpoint.config.recipe, "pose2mesh"),
        file=onnx_path.name,
        sha256=hashlib.sha256(model.SerializeToString()).hexdigest(),
        inputs=tuple(map(tensor_spec, model.graph.input)),
        outputs=tuple(map(tensor_spec, model.graph.output)),
        licence="unknown",
        joint_set=_joint_set(checkpoint.config),
        normalisation={"input": _INPUTS[checkpoint.config.recipe]},
        metrics={
            f"{name}_{'percent' if name.startswith('missed_') else 'mm'}": round(value, 2)
            for name, value in checkpoint.validation.items()
        },
    )


def _joint_set(config: TrainConfig) -> str:
    """The joints that the network reads: those of keypoints, or of bodies."""
    sets = {
        "paper": config.paper.joint_set,
        "compact": config.compact.joint_set,
        "global_to_pixel": config.global_to_pixel.joint_set,
        "fusion": SMPL.name,
        "hands": config.hands.joint_set,
        "hands_paper": config.hands_paper.joint_set,
    }
    return sets[config.recipe]


def exportable(checkpoint: Checkpoint, network: torch.nn.Module, body: BodyModel) -> Exportable:
    """The inference form of ``network`` of ``checkpoint``, with example inputs like the robot's."""
    joint_set = _joint_set(checkpoint.config)
    joints = (JOINT_SETS | {MANO.name: MANO})[joint_set].size
    generator = torch.Generator().manual_seed(0)
    if isinstance(network, GlobalToPixel):
        model = TorchBodyModel(body)

        def evaluated(outputs: Outputs) -> Outputs:
            # Keypoints jump where two cells are equally likely; what follows from them is in the bodies.
            rotations, betas, crop_cam, joint_error, _ = outputs
            return model.posed(rotations[:, 0], rotations[:, 1:], betas).vertices, crop_cam, joint_error

        return Exportable(network, network.example_inputs(4), network.input_names, network.output_names, evaluated)
    if isinstance(network, FusionNet | HandPose2Mesh):
        return Exportable(network, network.example_inputs(), network.input_names, network.output_names)
    if isinstance(network, Pose2Mesh):
        return Exportable(network.export_module(), network.example_inputs(), network.input_names, network.output_names)
    assert isinstance(network, CompactPose2Mesh), "no other recipe makes networks"
    positions = torch.randn(4, joints, 2, generator=generator)
    scores = torch.rand(4, joints, 1, generator=generator)
    example = (torch.cat([positions, scores], -1), -3 * torch.rand(4, 1, generator=generator))
    return Exportable(network, example, network.input_names, network.output_names)


def check_difference(difference: float, tolerance: float) -> None:
    """Raise ValueError if the exported network differs by more than ``tolerance`` m, or by NaN."""
    if not difference <= tolerance:
        raise ValueError(
            f"ONNX Runtime and PyTorch differ by {difference:.3g} m, more than {tolerance:g} m: not written; "
            "try without --fp16-weights, or other versions of torch and onnxruntime"
        )


def tensor_spec(value: ValueInfoProto) -> TensorSpec:
    """The manifest's description of an input or output of a graph."""
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return TensorSpec(value.name, dtype, tuple(dim.dim_param or dim.dim_value for dim in tensor.shape.dim))


def write_artefact(model: ModelProto, manifest: Manifest, onnx_path: Path) -> None:
    """Write network, then manifest, each atomically."""
    onnx_path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(onnx_path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    write_manifest(manifest, onnx_path.with_suffix(".json"))
