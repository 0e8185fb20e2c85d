"""Pose2Mesh under test: it reads keypoints alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.fitting import fit_translation
from hmr_ros.core.lifting import to_virtual_camera
from hmr_ros.core.manifest import Manifest
from hmr_ros.core.placement import Placement
from hmr_ros.networks.pose2mesh import Pose2Mesh
from hmr_ros.training.checkpoint import Checkpoint
from hmr_ros.training.evaluation.case import Case, Recovered, as_published

Floats = NDArray[np.floating]
Network = Callable[..., tuple[Floats, Floats]]
"""Its input arrays -> vertices (P, V, 3) and SMPL joints (P, 24, 3) in m, relative to the pelvis joint."""


@dataclass(frozen=True, eq=False)
class KeypointPredictor:
    """Keypoints of ``joint_set``, seen by a virtual camera of each person's or not, to bodies.

    With it, bodies are placed and fitted to their keypoints as on the robot; in its published form they are left as
    its authors judge them.
    """

    name: str
    joint_set: str
    virtual_camera: bool
    network: Network
    body: BodyModel
    reads_images = False

    def recover(self, case: Case) -> list[Recovered]:
        """One answer."""
        vertices, joints = self._bodies(case)
        if not self.virtual_camera:
            keypoints = self.body.regressor(self.joint_set) @ vertices
            root = fit_translation(keypoints, case.rays, case.score).translation
            return [Recovered("pose2mesh", vertices, joints, root)]
        placed = Placement(self.body, self.joint_set).of_meshes(vertices, case.rays, case.score)
        return [as_published("pose2mesh", vertices, joints, placed, self.body)]

    def _bodies(self, case: Case) -> tuple[Floats, Floats]:
        """Vertices (P, V, 3) and joints (P, 24, 3) m, relative to the pelvis, in axes of the optical frame."""
        if not self.virtual_camera:
            # Pose2Mesh as published normalises x and y by themselves, so rays are as good as the pixels it asks for
            return self.network(case.rays.astype(np.float32))
        view = to_virtual_camera(case.rays, case.score)
        virtual_from_optical = view.optical_from_virtual.transpose(0, 2, 1)
        vertices, joints = self.network(view.keypoints, view.context)
        return vertices @ virtual_from_optical, joints @ virtual_from_optical


def exported_keypoint_predictor(manifest: Manifest, content: bytes, body: BodyModel) -> KeypointPredictor:
    """Training does not import the robot's engines, so ONNX Runtime is called here directly."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [spec.name for spec in manifest.inputs]

    def network(*arrays: Floats) -> tuple[Floats, Floats]:
        vertices, joints = session.run(["vertices", "joints"], dict(zip(names, arrays, strict=True)))
        return vertices, joints

    return KeypointPredictor(manifest.name, str(manifest.joint_set), "context" in names, network, body)


def trained_keypoint_predictor(
    name: str, checkpoint: Checkpoint, trained: torch.nn.Module, body: BodyModel
) -> KeypointPredictor:
    """The ``trained`` network of a checkpoint."""
    config, paper = checkpoint.config, isinstance(trained, Pose2Mesh)
    module: torch.nn.Module = trained.export_module() if isinstance(trained, Pose2Mesh) else trained

    @torch.no_grad()
    def network(*arrays: Floats) -> tuple[Floats, Floats]:
        vertices, joints = module(*map(torch.from_numpy, arrays))[:2]
        return vertices.numpy(), joints.numpy()

    joint_set = config.paper.joint_set if paper else config.slim.joint_set
    return KeypointPredictor(name, joint_set, not paper, network, body)
