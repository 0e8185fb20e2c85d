# SPDX-License-Identifier: Apache-2.0
"""The crop camera: the real camera, rotated so that its optical axis goes through the centre of a person's box.

Each person's ``camera`` (B, 3) is (x, y, height): the normalized image coordinates x/z, y/z of the box centre in the
real camera, and the box height over the focal length. No focal length in px is needed, so any camera will do. *Crop
units* run from 0 to 1 over the box: left to right and top to bottom.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_ros.core.geometry.crop_view import CROP_ASPECT, SMALLEST_SCALE

NEAREST = 0.1
"""Points nearer than this are projected as if they were here, m."""


def optical_from_crop(camera: Tensor) -> Tensor:
    """Cameras (B, 3) -> (B, 3, 3): rotates vectors of the crop camera into the optical frame."""
    return optical_from_axis(torch.cat([camera[:, :2], torch.ones_like(camera[:, :1])], 1))


def optical_from_axis(direction: Tensor) -> Tensor:
    """Directions (B, 3), z > 0 -> (B, 3, 3): rotates the optical axis onto them; the transpose of ``looking_at``."""
    a, b, c = (direction / direction.norm(dim=1, keepdim=True)).unbind(1)
    shared = 1 / (1 + c)  # the smallest rotation between unit vectors, written out; c > 0 before a camera
    rows = (1 - a * a * shared, -a * b * shared, a, -a * b * shared, 1 - b * b * shared, b, -a, -b, c)
    out: Tensor = torch.stack(rows, 1).unflatten(1, (3, 3))
    return out


def crop_translation(crop_cam: Tensor, camera: Tensor) -> Tensor:
    """``crop_cam`` (B, 3) s, tx, ty and cameras (B, 3) -> (B, 3) m: position of the pelvis in the crop camera.

    The depth is 2 / (s box_height_over_focal): where a body of 2 / s m would just fill the box.
    """
    depth = 2 / (crop_cam[:, :1].clamp(min=SMALLEST_SCALE) * camera[:, 2:])
    return torch.cat([crop_cam[:, 1:], depth], 1)


def to_crop_units(points: Tensor, camera: Tensor) -> Tensor:
    """Points (B, N, 3) m in the crop camera and cameras (B, 3) -> (B, N, 2) crop units, projected."""
    rotation = optical_from_crop(camera)[:, None]
    x, y, z = (rotation * points[:, :, None, :]).sum(-1).unbind(-1)  # written out: autocast must not round this
    normalized = torch.stack([x, y], -1) / z.clamp(min=NEAREST)[..., None]
    box = torch.stack([camera[:, 2] * CROP_ASPECT, camera[:, 2]], 1)
    return 0.5 + (normalized - camera[:, None, :2]) / box[:, None]


def camera_features(camera: Tensor) -> Tensor:
    """Cameras (B, 3) -> (B, 3) as networks read them: the logarithm of the height, as its ratio is what counts."""
    return torch.cat([camera[:, :2], camera[:, 2:].clamp(min=1e-3).log()], 1)
