# SPDX-License-Identifier: Apache-2.0
"""The losses of Global-to-Pixel: the same on both stages, more weight on the second, and those of the matching.

Source: the paper's list (L1 on pose, shape and 3D joints, 2D reprojection, vertices; the local stage counts more); the
weights are those of SPIN, PyMAF-X, ReFit and BEDLAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import JointSet
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.networks.global_to_pixel import MatchingTargets, SmplEstimate, Stages, matching_loss
from hmr_ros.networks.global_to_pixel.crop_camera import crop_translation, to_crop_units
from hmr_ros.training.losses import joint_error_loss

VERTEX_STEP = 16
"""One vertex in so many counts, and all that keypoints are made of: a third of the mesh shows as much as the whole."""


@dataclass(frozen=True)
class GlobalToPixelLossConfig:
    """Weights of the losses."""

    pose: float = setting(1.0, doc="of rotation matrices", low=0)
    betas: float = setting(0.02, doc="of the shape", low=0)
    joints: float = setting(5.0, doc="of the SMPL joints, m", low=0)
    vertices: float = setting(5.0, doc="of vertices, m", low=0)
    keypoints: float = setting(5.0, doc="of projected keypoints, half box sides", low=0)
    keypoint_tolerance: float = setting(
        0.01, doc="2D errors below it cost nothing, half box sides: no detector is better", low=0
    )
    crop_cam: float = setting(0.2, doc="of the crop's camera", low=0)
    coarse: float = setting(0.5, doc="of the global stage; the local stage has 1", low=0)
    focal: float = setting(0.5, doc="of the pixels' classes", low=0)
    offset: float = setting(1.0, doc="of the positive pixels' keypoints, crop units", low=0)
    joint_error: float = setting(0.01, doc="of the predicted error of each joint", low=0)


class GroundTruth(NamedTuple):
    """What is true of B people.

    ``rotations`` (B, 24, 3, 3) root -> crop camera, others child -> parent; ``betas`` (B, 10); ``crop_cam`` (B, 3);
    ``joints`` (B, 24, 3) m relative to the pelvis, crop camera's axes; ``anchors`` (B, 24, 2) where they are seen, crop
    units; ``places`` (B, J, 2) of the keypoints, and ``visible`` (B, J) 0 or 1; ``fitted`` (B,) 0 where the keypoints
    alone are known.
    """

    rotations: Tensor
    betas: Tensor
    crop_cam: Tensor
    joints: Tensor
    anchors: Tensor
    places: Tensor
    visible: Tensor
    fitted: Tensor


class StageLoss(nn.Module):
    """What is wrong with one stage's estimate."""

    keypoints: Tensor
    human36m: Tensor

    def __init__(self, body: BodyModel | HandModel, joint_set: JointSet, config: GlobalToPixelLossConfig) -> None:
        """``joint_set``: the keypoints; of a hand those of skeleton.MANO."""
        super().__init__()
        self._config = config
        regressors = _regressors(body, joint_set)
        used = np.asarray(np.concatenate(list(regressors.values())).any(0))
        used[::VERTEX_STEP] = True
        self.body = TorchBodyModel(body, np.flatnonzero(used))
        for name, regressor in regressors.items():
            self.register_buffer(name, torch.from_numpy(regressor[:, used].astype(np.float32)), persistent=False)

    def vertices(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """(B, 24, 3, 3), (B, 10) -> (B, S, 3) m relative to the pelvis: the vertices that count."""
        return self.body.posed(rotations[:, 0], rotations[:, 1:], betas).vertices

    @torch.no_grad()
    def true_vertices(self, ground_truth: GroundTruth) -> Tensor:
        """(B, S, 3) m: ``vertices`` of what is true."""
        return self.vertices(ground_truth.rotations, ground_truth.betas)

    def human36m_joints(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """(B, 24, 3, 3), (B, 10) -> (B, 17, 3) m relative to the pelvis: the Human3.6M joints of a body's mesh."""
        return self.human36m @ self.vertices(rotations, betas)

    def projected(self, estimate: SmplEstimate, vertices: Tensor, camera: Tensor) -> Tensor:
        """Keypoints (B, J, 2) crop units of an estimate with ``vertices`` (B, S, 3) m, for cameras (B, 3)."""
        place = crop_translation(estimate.crop_cam, camera)[:, None]
        return to_crop_units(self.keypoints @ vertices + place, camera)

    def forward(
        self, estimate: SmplEstimate, ground_truth: GroundTruth, true_vertices: Tensor, camera: Tensor
    ) -> dict[str, Tensor]:
        """Weighted terms; ``true_vertices`` are ``vertices`` of the ground truth.

        ``true_vertices`` (B, S, 3) m relative to the pelvis; ``camera`` (B, 3), see crop_camera.py. Scalars.
        """
        weights, known = self._config, ground_truth.fitted
        vertices = self.vertices(estimate.rotations, estimate.betas)
        seen = self.projected(estimate, vertices, camera)
        return {
            "pose": weights.pose * l1(estimate.rotations, ground_truth.rotations, known),
            "betas": weights.betas * l1(estimate.betas, ground_truth.betas, known),
            "joints": weights.joints * l1(estimate.joints, ground_truth.joints, known),
            "vertices": weights.vertices * l1(vertices, true_vertices, known),
            "keypoints": weights.keypoints * reprojection(seen, ground_truth, weights.keypoint_tolerance),
            "crop_cam": weights.crop_cam * l1(estimate.crop_cam, ground_truth.crop_cam, known),
            "scale": torch.exp(-10 * estimate.crop_cam[:, 0].clamp(min=-1)).square().mean(),
        }

    def of_local_stage(
        self, stages: Stages, ground_truth: GroundTruth, true_vertices: Tensor, camera: Tensor
    ) -> dict[str, Tensor]:
        """Weighted terms of the fine estimate, as ``forward`` takes it, and of its expected error."""
        terms: dict[str, Tensor] = self(stages.fine, ground_truth, true_vertices, camera)
        error = torch.linalg.vector_norm(stages.fine.joints.detach() - ground_truth.joints, dim=-1)
        # An error that equals the expected one has no gradient: nothing is learned from people without a fit
        error = torch.where(ground_truth.fitted[:, None] > 0, error, stages.joint_error.detach())
        return terms | {"joint_error": self._config.joint_error * joint_error_loss(error, stages.joint_error)}

    def of_stages(
        self, stages: Stages, ground_truth: GroundTruth, targets: MatchingTargets, camera: Tensor
    ) -> dict[str, Tensor]:
        """Weighted terms of both stages, and of the matching with ``targets``; ``camera`` (B, 3)."""
        weights, vertices = self._config, self.true_vertices(ground_truth)
        terms = self.of_local_stage(stages, ground_truth, vertices, camera)
        coarse: dict[str, Tensor] = self(stages.coarse, ground_truth, vertices, camera)
        terms |= {f"coarse_{name}": weights.coarse * value for name, value in coarse.items()}
        if stages.pixels is not None and stages.positives is not None:
            focal, offset = matching_loss(stages.pixels, stages.positives, targets)
            terms |= {"focal": weights.focal * focal, "offset": weights.offset * offset}
        return terms


def matching_targets(ground_truth: GroundTruth) -> MatchingTargets:
    """Where the joints are seen, of people with a fit."""
    anchors = ground_truth.anchors
    return MatchingTargets(anchors, (ground_truth.fitted[:, None] > 0).expand(anchors.shape[:2]))


def _regressors(body: BodyModel | HandModel, joint_set: JointSet) -> dict[str, Floats]:
    """What reads keypoints, and Human3.6M's joints of bodies, from a mesh."""
    if isinstance(body, HandModel):
        return {"keypoints": body.keypoint_regressor}
    return {"keypoints": body.regressor(joint_set.name), "human36m": body.regressor("human36m")}


def l1(predicted: Tensor, ground_truth: Tensor, known: Tensor) -> Tensor:
    """Mean absolute difference over the people (B,) who are ``known`` 1, not 0."""
    error = (predicted - ground_truth).abs().flatten(1).mean(1)
    return (error * known).sum() / known.sum().clamp(min=1)


def reprojection(places: Tensor, ground_truth: GroundTruth, tolerance: float) -> Tensor:
    """Mean 2D error of visible keypoints, half box sides, of what exceeds ``tolerance``.

    Below it the error is the detector's or the camera model's, and following it would bend the pose (TokenHMR, CVPR
    2024). ``places`` (B, J, 2) crop units.
    """
    error = 2 * (places - ground_truth.places).abs()
    error = (error - tolerance).clamp(0, 1).sum(-1) * ground_truth.visible
    return error.sum() / (2 * ground_truth.visible.sum()).clamp(min=1)
