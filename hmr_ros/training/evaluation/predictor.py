"""A network to evaluate: an exported one through ONNX Runtime, or a checkpoint of a training run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.lifting import to_virtual_camera
from hmr_ros.core.manifest import load_manifest, verify
from hmr_ros.networks.pose2mesh import Pose2Mesh
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.recipes import trained_network

Floats = NDArray[np.floating]
Network = Callable[..., tuple[Floats, Floats]]
"""Its input arrays -> vertices (P, V, 3) and SMPL joints (P, 24, 3) in m, relative to the pelvis joint."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A network and what it reads: keypoints of ``joint_set``, seen by a virtual camera of each person's or not."""

    name: str
    joint_set: str
    virtual_camera: bool
    network: Network

    def recover(self, rays: Floats, score: Floats) -> tuple[Floats, Floats]:
        """Vertices (P, V, 3) and joints (P, 24, 3) m, relative to the pelvis, in axes of the optical frame.

        ``rays`` (P, J, 2) and ``score`` (P, J) as ``core/lifting.py`` has them.
        """
        if not self.virtual_camera:
            # Pose2Mesh as published normalises x and y by themselves, so rays are as good as the pixels it asks for
            return self.network(rays.astype(np.float32))
        view = to_virtual_camera(rays, score)
        virtual_from_optical = view.optical_from_virtual.transpose(0, 2, 1)
        vertices, joints = self.network(view.keypoints, view.context)
        return vertices @ virtual_from_optical, joints @ virtual_from_optical


def open_predictor(path: Path, body: BodyModel) -> Predictor:
    """The network of a manifest (.json) or of a checkpoint (.pt), which must recover ``body``."""
    if path.suffix == ".json":
        return _exported(path, body)
    if path.suffix == ".pt":
        return _trained(path, body)
    raise ValueError(f"{path}: expected a manifest (.json) or a checkpoint (.pt)")


def _exported(path: Path, body: BodyModel) -> Predictor:
    """Training does not import the robot's engines, so ONNX Runtime is called here directly."""
    import onnxruntime

    manifest = load_manifest(path)
    verify(manifest, path)
    if manifest.kind != "pose2mesh" or not manifest.joint_set:
        raise ValueError(f"{path}: expected a pose2mesh network with a joint set, got {manifest.kind!r}")
    if manifest.body_model_sha256 not in (None, body.sha256):
        raise ValueError(
            f"{path}: the network recovers {manifest.body_model}, another body model than given; set --body"
        )
    session = onnxruntime.InferenceSession(str(manifest.model_path(path)), providers=["CPUExecutionProvider"])
    names = [spec.name for spec in manifest.inputs]

    def network(*arrays: Floats) -> tuple[Floats, Floats]:
        vertices, joints = session.run(["vertices", "joints"], dict(zip(names, arrays, strict=True)))
        return vertices, joints

    return Predictor(manifest.name, manifest.joint_set, "context" in names, network)


def _trained(path: Path, body: BodyModel) -> Predictor:
    """The averaged weights, as ``hmr export`` would export them."""
    checkpoint = load_checkpoint(path)
    config, trained = checkpoint.config, trained_network(checkpoint, body)
    paper = isinstance(trained, Pose2Mesh)
    module: torch.nn.Module = trained.export_module() if isinstance(trained, Pose2Mesh) else trained

    @torch.no_grad()
    def network(*arrays: Floats) -> tuple[Floats, Floats]:
        vertices, joints = module(*map(torch.from_numpy, arrays))[:2]
        return vertices.numpy(), joints.numpy()

    joint_set = config.paper.joint_set if paper else config.slim.joint_set
    return Predictor(path.parent.name, joint_set, not paper, network)
