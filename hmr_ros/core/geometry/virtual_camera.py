# SPDX-License-Identifier: Apache-2.0
"""2D keypoints -> the input of a lifting network, free of where the person stands in the image.

A person at the image's edge is seen by the same camera as one in its centre, only turned. We turn the camera
onto the person (a *virtual camera*), so that the network sees every person on its optical axis, at unit size; what
is left of distance and focal length is one number, the angular size. Its result is turned back by
``optical_from_virtual``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats
from hmr_ros.core.geometry.camera import looking_at

MIN_KEYPOINTS = 6
"""Fewer seen keypoints than this cannot carry a pose."""

FARTHEST_OFF_AXIS = 0.1
"""Smallest z of a ray in the virtual camera: rays that leave a person by more than 84 degrees do not belong to them."""


@dataclass(frozen=True, eq=False)
class VirtualView:
    """People as their own virtual cameras see them.

    ``keypoints`` (P, J, 3): x, y in units of the person's angular size, and the score; unseen joints are (0, 0, 0).
    ``context`` (P, 1): log of the angular size (root mean square of the tangent of the angle off the axis).
    ``optical_from_virtual`` (P, 3, 3): turns vectors of the virtual camera into the real camera's optical frame.
    ``ok`` (P,): enough keypoints were seen; other rows are zeros with an identity rotation.
    """

    keypoints: Float32s
    context: Float32s
    optical_from_virtual: Float32s
    ok: Bools


def to_virtual_camera(normalized: Floats, score: Floats) -> VirtualView:
    """Turn the camera onto each person.

    ``normalized`` (P, J, 2): undistorted image rays x/z, y/z; ``score`` (P, J), 0 where a keypoint is missing (its ray
    is ignored, and may be NaN). The axis is the mean direction of the seen keypoints.
    """
    seen = score > 0
    ok = seen.sum(1) >= MIN_KEYPOINTS
    weight = np.where(ok[:, None], seen, 0).astype(np.float64)
    count = np.maximum(weight.sum(1), 1)[:, None]

    safe = np.where(weight[..., None] > 0, normalized, 0.0)
    directions = np.concatenate([safe, np.ones_like(safe[..., :1])], -1)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    axis = (directions * weight[..., None]).sum(1) / count
    axis[~ok] = (0.0, 0.0, 1.0)
    virtual_from_optical = looking_at(axis)

    turned = np.einsum("pab,pjb->pja", virtual_from_optical, directions)
    xy = turned[..., :2] / np.maximum(turned[..., 2:], FARTHEST_OFF_AXIS)
    size = _angular_size(xy, weight)
    keypoints = np.concatenate([xy / size[:, None, None], score[..., None]], -1) * weight[..., None]
    return VirtualView(
        keypoints.astype(np.float32),
        np.log(size)[:, None].astype(np.float32),
        virtual_from_optical.transpose(0, 2, 1).astype(np.float32),
        ok,
    )


def _angular_size(xy: Float64s, weight: Float64s) -> Float64s:
    """(P,) root mean square distance of the seen keypoints from the axis; 1 for people without keypoints."""
    mean_square = ((xy**2).sum(-1) * weight).sum(1) / np.maximum(weight.sum(1), 1)
    return np.where(weight.any(1), np.sqrt(np.maximum(mean_square, 1e-12)), 1.0)
