# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh under test: it reads keypoints alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.fitting.translation import fit_translation
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.virtual_camera import to_upright_camera
from hmr_ros.core.manifest import Manifest
from hmr_ros.evaluation.held_out.case import Case, Prediction
from hmr_ros.networks.pose2mesh import Pose2Mesh
from hmr_ros.training.checkpoint import Checkpoint

Network = Callable[..., tuple[Floats, Floats, Floats]]
"""Its input arrays -> vertices (P, V, 3) and SMPL joints (P, 24, 3) in m, relative to the pelvis joint, and the joints'
expected errors (P, 24) in m, NaN where it predicts none.
"""


@dataclass(frozen=True, eq=False)
class KeypointPredictor:
    """A network from keypoints of ``joint_set`` to bodies, with a virtual camera per person or without.

    With it, bodies are placed and fitted to their keypoints as on the robot; without it, in the published form, bodies
    are evaluated as its authors do.
    """

    name: str
    joint_set: str
    virtual_camera: bool
    network: Network
    body: BodyModel
    reads_images = False

    def predict(self, case: Case) -> list[Prediction]:
        """One prediction."""
        if not self.virtual_camera:
            # As published, Pose2Mesh standardises x and y itself: normalized coordinates serve as well as its pixels.
            vertices, joints, error = self.network(case.normalized.astype(np.float32))
            keypoints = self.body.regressor(self.joint_set) @ vertices
            root = fit_translation(keypoints, Keypoints.of(case.normalized, case.score)).translation
            return [Prediction("pose2mesh", vertices, joints, root, error)]
        alone = self._in_virtual_camera(case)
        placed, misfit = Placement(self.body, self.joint_set).placed(alone.vertices, case.normalized, case.score)
        return [alone.as_published("pose2mesh", placed, self.body, misfit)]

    def _in_virtual_camera(self, case: Case) -> Prediction:
        """Bodies relative to the pelvis, rotated back into the axes of the optical frame."""
        view = to_upright_camera(case.normalized, case.score, self.joint_set)
        virtual_from_optical = view.optical_from_virtual.transpose(0, 2, 1)
        vertices, joints, error = self.network(view.keypoints, view.context)
        unknown = np.full((len(joints), 3), np.nan)
        return Prediction("lifted", vertices @ virtual_from_optical, joints @ virtual_from_optical, unknown, error)


def exported_keypoint_predictor(manifest: Manifest, content: bytes, body: BodyModel) -> KeypointPredictor:
    """The network of a manifest. The offline column imports no engines, so ONNX Runtime is called here directly."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [spec.name for spec in manifest.inputs]
    wanted = [spec.name for spec in manifest.outputs if spec.name in ("vertices", "joints", "joint_error")]

    def network(*arrays: Floats) -> tuple[Floats, Floats, Floats]:
        outputs = session.run(wanted, dict(zip(names, arrays, strict=True)))
        return _with_error(**dict(zip(wanted, outputs, strict=True)))

    return KeypointPredictor(manifest.name, str(manifest.joint_set), "context" in names, network, body)


def trained_keypoint_predictor(
    name: str, checkpoint: Checkpoint, trained: torch.nn.Module, body: BodyModel
) -> KeypointPredictor:
    """The ``trained`` network of a checkpoint."""
    config, paper = checkpoint.config, isinstance(trained, Pose2Mesh)
    module: torch.nn.Module = trained.export_module() if isinstance(trained, Pose2Mesh) else trained

    @torch.no_grad()
    def network(*arrays: Floats) -> tuple[Floats, Floats, Floats]:
        return _with_error(*(output.numpy() for output in module(*map(torch.from_numpy, arrays))))

    joint_set = config.paper.joint_set if paper else config.compact.joint_set
    return KeypointPredictor(name, joint_set, not paper, network, body)


def _with_error(vertices: Floats, joints: Floats, joint_error: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """The outputs of a ``Network``; the published form predicts no expected error."""
    return vertices, joints, np.full(joints.shape[:2], np.nan) if joint_error is None else joint_error
