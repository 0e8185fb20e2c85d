# SPDX-License-Identifier: Apache-2.0
"""2D keypoints -> the input of a lifting network, free of where the person stands in the image.

A person at the image's edge is seen by the same camera as one in its centre, only rotated. The camera is rotated onto
the person (a *virtual camera*), so that the network sees every person on its optical axis, at unit size; one number
stands for distance and focal length, the angular size. The network's output is rotated back by
``optical_from_virtual``.

Networks have hardly seen anybody whose head is below the hips in the image. Such a person's virtual camera is rolled
about its axis, so that the torso is upright; as keypoints are points, this may be by any angle and costs nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Floats
from hmr_ros.core.geometry.camera import looking_at
from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS, rms_radius
from hmr_ros.core.geometry.torso import torso_tilt
from hmr_ros.core.skeleton import JOINT_SETS

FARTHEST_OFF_AXIS = 0.1
"""Lower bound of a unit bearing's z in the virtual camera: a keypoint more than 84 degrees off a person's direction
does not belong to them."""

LEAST_BODY = 0.06
"""Lower bound of a body's angular size, as lifting networks are told it: that of an adult about 7.5 m away.

They learn mostly from people within 10 m, among whom whoever appears much smaller is a child; told the true size, those
that saw no person farther away took people at 20 m for children at 12 m. From there on perspective is below the noise
of keypoints, so that the bound hides nothing else.
"""

UPRIGHT_FROM, UPRIGHT_AT = np.deg2rad(90), np.deg2rad(135)
"""Tilts of the torso from which on a virtual camera is rolled, and where the torso is upright in it.

In between the roll grows with the tilt, so that no body jumps that lies near one of them. Less tilted people gain
nothing for sure, or lose (docs/evaluation.md).
"""


@dataclass(frozen=True, eq=False)
class VirtualView:
    """People as their own virtual cameras see them.

    ``keypoints`` (P, J, 3): x, y in units of the person's angular size, and the score; unseen joints are (0, 0, 0).
    ``context`` (P, 1): log of the angular size (root mean square of the tangent of the angle off the axis), or of the
    least one that a network is told.
    ``optical_from_virtual`` (P, 3, 3): rotates vectors of the virtual camera into the real camera's optical frame.
    ``ok`` (P,): enough keypoints were seen; other rows are zeros with an identity rotation.
    """

    keypoints: Float32s
    context: Float32s
    optical_from_virtual: Float32s
    ok: Bools

    def rolled(self, angles: Floats) -> VirtualView:
        """The same people in cameras rolled by ``angles`` (P,) rad: in them, the image turns counter-clockwise."""
        cos, sin, zero = np.cos(angles), np.sin(angles), np.zeros_like(angles)
        rolled = np.stack([cos, sin, zero, -sin, cos, zero, zero, zero, zero + 1], -1).reshape(-1, 3, 3)
        back = rolled.swapaxes(-1, -2).astype(np.float32)
        xy = self.keypoints[..., :2] @ back[:, :2, :2]
        return dataclasses.replace(
            self,
            keypoints=np.concatenate([xy, self.keypoints[..., 2:]], -1),
            optical_from_virtual=self.optical_from_virtual @ back,
        )


def to_virtual_camera(normalized: Floats, score: Floats, least_size: float = LEAST_BODY) -> VirtualView:
    """Each person's keypoints in a virtual camera whose axis is the mean bearing of the seen ones.

    ``normalized`` (P, J, 2): undistorted normalized image coordinates; ``score`` (P, J), 0 where a keypoint is missing
    (its coordinates are ignored, and may be NaN). ``least_size``: of ``context``; 0 for hands, which have none.
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

    rotated = np.einsum("pab,pjb->pja", virtual_from_optical, directions)
    xy = rotated[..., :2] / np.maximum(rotated[..., 2:], FARTHEST_OFF_AXIS)
    size = np.where(ok, np.maximum(rms_radius(xy, weight), 1e-6), 1.0)
    keypoints = np.concatenate([xy / size[:, None, None], score[..., None]], -1) * weight[..., None]
    return VirtualView(
        keypoints.astype(np.float32),
        np.log(np.maximum(size, least_size))[:, None].astype(np.float32),
        virtual_from_optical.transpose(0, 2, 1).astype(np.float32),
        ok,
    )


def to_upright_camera(normalized: Floats, score: Floats, joint_set: str) -> VirtualView:
    """``to_virtual_camera`` of the body's keypoints of ``joint_set``; rolled for those whose head is below the hips.

    ``normalized`` (P, J, 2) and ``score`` (P, J) as there.
    """
    view = to_virtual_camera(normalized, score)
    tilt = torso_tilt(view.keypoints[..., :2], view.keypoints[..., 2], JOINT_SETS[joint_set])
    share = np.clip((np.abs(tilt) - UPRIGHT_FROM) / (UPRIGHT_AT - UPRIGHT_FROM), 0, 1)
    return view.rolled(share * tilt) if share.any() else view
