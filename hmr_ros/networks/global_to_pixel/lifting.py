# SPDX-License-Identifier: Apache-2.0
"""All 2D keypoints at once, lifted to 3D: what either stage knows of the whole pose before it looks at pixels.

The lifting network is that of compact Pose2Mesh (``networks/compact_pose2mesh.py``) with the same input, so training
can start from its weights. Global-to-Pixel as published has no such part: there joints exchange features by attention
only.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hmr_ros.core.body.skinning import SMPL_TREE, Tree
from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS
from hmr_ros.core.geometry.virtual_camera import FARTHEST_OFF_AXIS, LEAST_BODY
from hmr_ros.networks.compact_pose2mesh import CompactConfig, LiftingNet
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.crop_camera import optical_from_axis, optical_from_crop


def enough(keypoints: Tensor) -> Tensor:
    """Whether (B, 1) there are as many ``keypoints`` (B, J, 3) with a score as a person needs to be lifted."""
    return (keypoints[..., 2] > 0).sum(1, keepdim=True) >= MIN_KEYPOINTS


class KeypointView(NamedTuple):
    """Keypoints as the person's virtual camera sees them; the fields are those of ``VirtualView`` in core/geometry.

    ``keypoints`` (B, J, 3); ``context`` (B, 1); ``crop_from_virtual`` (B, 3, 3); ``ok`` (B, 1): 0 or 1.
    """

    keypoints: Tensor
    context: Tensor
    crop_from_virtual: Tensor
    ok: Tensor


def to_virtual_camera(keypoints: Tensor, camera: Tensor, least_size: float = LEAST_BODY) -> KeypointView:
    """(B, J, 3) crop units and score, (B, 3) -> KeypointView; core/geometry/virtual_camera is the reference."""
    seen = (keypoints[..., 2:] > 0).to(keypoints.dtype)
    ok = enough(keypoints).to(keypoints.dtype)
    weight = seen * ok[:, None]
    count = weight.sum(1).clamp(min=1)

    box = torch.stack([camera[:, 2] * CROP_ASPECT, camera[:, 2]], 1)
    normalized = camera[:, None, :2] + (keypoints[..., :2] - 0.5) * box[:, None]
    normalized = torch.where(weight > 0, normalized, 0.0)
    directions = torch.cat([normalized, torch.ones_like(weight)], 2)
    directions = directions / directions.norm(dim=2, keepdim=True)
    ahead = torch.cat([torch.zeros_like(normalized[:, 0]), 1 - ok], 1)
    rotation = optical_from_axis((directions * weight).sum(1) / count + ahead)

    x, y, z = (directions[:, :, :, None] * rotation[:, None]).sum(2).unbind(2)  # virtual_from_optical: the transpose
    xy = torch.stack([x, y], 2) / z.clamp(min=FARTHEST_OFF_AXIS)[..., None]
    square = (xy.square().sum(2, keepdim=True) * weight).sum(1) / count
    size = torch.where(ok > 0, square.clamp(min=1e-12).sqrt(), 1.0)
    view = torch.cat([xy / size[:, None], keypoints[..., 2:]], 2) * weight
    crop_from_virtual = (optical_from_crop(camera)[:, :, :, None] * rotation[:, :, None]).sum(1)
    return KeypointView(view, size.clamp(min=least_size).log(), crop_from_virtual, ok)


class Lifted(NamedTuple):
    """``hidden`` (B, W) features of the whole pose; ``joints`` (B, 24, 3) m relative to the pelvis, crop camera's axes.

    Zeros where too few keypoints were seen.
    """

    hidden: Tensor
    joints: Tensor


class KeypointLifting(nn.Module):
    """Keypoints of a crop -> features and 3D joints."""

    def __init__(self, config: GlobalToPixelConfig, tree: Tree = SMPL_TREE) -> None:
        super().__init__()
        self.width = config.lifting_width
        self.least_size = LEAST_BODY if tree is SMPL_TREE else 0.0
        sizes = CompactConfig(config.joint_set, config.lifting_width, config.lifting_blocks)
        self.network = LiftingNet(sizes, tree.size)

    def forward(self, keypoints: Tensor, camera: Tensor) -> Lifted:
        """(B, J, 3) crop units and score, (B, 3) -> Lifted."""
        view = to_virtual_camera(keypoints, camera, self.least_size)
        hidden = self.network.hidden(view.keypoints, view.context)
        joints = self.network.heads(hidden.float())[0]
        in_crop = (view.crop_from_virtual[:, None] * joints[:, :, None]).sum(3)
        return Lifted(hidden * view.ok, in_crop * view.ok[..., None])
