# SPDX-License-Identifier: Apache-2.0
"""The window of a person's last poses that the fusion over time reads: which images, and in which axes.

The newest images average the detector's trembling; a few from up to 0.8 s ago show what was there before an error that
persists. Beside each older image the network reads what was published then. All poses are rotated into the virtual
camera of the newest image, whose optical axis is the line of sight: depth, which a camera measures badly, is always z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Floats, Int64s
from hmr_ros.core.body.skinning import chained_joints, world_rotations
from hmr_ros.core.geometry.camera import looking_at

NEWEST = 5
"""The window's first images are the newest ones, whatever the frame rate: successive windows share most of them."""

WANTED_AGES_S = (0.2, 0.4, 0.7)
"""Ages of the others, of which the nearest that are left are taken."""

OLDEST_S = 0.95
"""Older images are not read."""

WINDOW = NEWEST + len(WANTED_AGES_S)
"""Images in a window."""

_SMALLEST_ERROR_M = 1e-3
"""The network reads logarithms of expected errors."""


def chosen_images(ages: Floats) -> tuple[Int64s, Bools]:
    """Rows of the window out of a history: (N, H) ages in s, NaN where there is no image -> (N, 8) numbers and mask.

    The newest images, then for each wanted age the nearest one that is left. Where images run out, the mask is False
    and the number 0.
    """
    rows = np.arange(len(ages))[:, None]
    open_ages = np.full((len(ages), max(ages.shape[1], NEWEST)), np.inf)
    open_ages[:, : ages.shape[1]] = np.where(ages <= OLDEST_S, ages, np.inf)
    numbers = [np.argsort(open_ages, axis=1, kind="stable")[:, :NEWEST]]
    filled = [np.isfinite(open_ages[rows, numbers[0]])]
    for wanted in WANTED_AGES_S:
        open_ages[rows, numbers[-1]] = np.inf
        distance = np.abs(open_ages - wanted)
        numbers.append(distance.argmin(1)[:, None])
        filled.append(np.isfinite(distance[rows, numbers[-1]]))
    known = np.concatenate(filled, 1)
    return np.where(known, np.concatenate(numbers, 1), 0), known


@dataclass(frozen=True, eq=False)
class PoseWindows:
    """Windows of N people over 8 images each, the newest first, in the virtual cameras of the newest: the network's.

    ``rotations`` (N, 8, 24, 3, 3): the root's and, child -> parent, the others'; ``joints`` (N, 8, 24, 3) m around the
    pelvis, of a body of mean shape; ``joint_error`` (N, 8, 24) m as expected of the single images; ``age`` (N, 8) s;
    ``mask`` (N, 8): 1 where there is an image. ``optical_from_virtual`` (N, 3, 3) leads back, ``virtual_from_then``
    (N, 8, 3, 3) from the optical frame of each image.
    """

    rotations: Float32s
    joints: Float32s
    joint_error: Float32s
    age: Float32s
    mask: Float32s
    optical_from_virtual: Floats
    virtual_from_then: Floats

    @property
    def of_images(self) -> dict[str, Float32s]:
        """What the network reads of the single images, by the names of its inputs."""
        names = ("rotations", "joints", "joint_error", "age", "mask")
        return {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in names}

    def inputs(self, published: Floats) -> dict[str, Float32s]:
        """All that the network reads, by the names of its inputs.

        ``published`` (N, 7, 24, 3, 3): the poses that were published of all images but the newest, the root's rotation
        in the optical frame of each.
        """
        turned = np.array(published, np.float32)
        turned[:, :, 0] = self.virtual_from_then[:, 1:] @ published[:, :, 0]
        return self.of_images | {"published": turned}


def joints_in_body(rotations: Floats, mean_rest: Floats) -> Floats:
    """Rotations (..., 24, 3, 3) -> joints (..., 24, 3) m around the pelvis, in the axes of the root.

    Of the body of mean shape, whose joints at rest are ``mean_rest`` (24, 3) m.
    """
    local = np.array(rotations, copy=True)
    local[..., 0, :, :] = np.eye(3)
    return chained_joints(world_rotations(local), mean_rest.astype(local.dtype))


def pose_windows(
    rotations: Floats,
    joints: Floats,
    joint_error: Floats,
    age: Floats,
    filled: Bools,
    now_from_then: Floats,
    cam_t: Floats,
) -> PoseWindows:
    """Windows from what the single images gave.

    ``rotations`` (N, 8, 24, 3, 3), the root's in the optical frame of its own image; ``joints`` (N, 8, 24, 3) m in the
    axes of the root; ``joint_error`` (N, 8, 24) m,
    ``age`` (N, 8) s and ``filled`` (N, 8); ``now_from_then`` (N, 8, 3, 3): how the camera has turned, from the optical
    frame of each image to that of the newest, identities where nothing is known; ``cam_t`` (N, 3) m of the newest.
    """
    virtual_from_optical = looking_at(cam_t)
    virtual_from_then = virtual_from_optical[:, None] @ now_from_then
    turned = np.array(rotations, copy=True)
    turned[:, :, 0] = virtual_from_then @ rotations[:, :, 0]
    return PoseWindows(
        rotations=turned.astype(np.float32),
        joints=(joints @ turned[:, :, 0].swapaxes(-1, -2)).astype(np.float32),
        joint_error=np.where(filled[..., None], np.maximum(joint_error, _SMALLEST_ERROR_M), 1),
        age=np.where(filled, age, 0),
        mask=filled.astype(np.float32),
        optical_from_virtual=virtual_from_optical.swapaxes(-1, -2),
        virtual_from_then=virtual_from_then,
    )
