# SPDX-License-Identifier: Apache-2.0
"""A person's crop as a camera of its own: Global-to-Pixel's input about the box, and the axes of its outputs.

The *crop camera* is the real camera rotated onto the centre of the box (``core/geometry/camera.looking_at``), so that a
person at the image's edge looks like one in its centre. Inside of the crop, points are counted in *crop units*: 0 at
its left or top edge, 1 at its right or bottom edge. Source of the conditioning on the box: CLIFF (ECCV 2022), here in
angles, so that any focal length will do.

Networks have mostly seen people upright. A person who lies is shown to them as by a camera that has been turned by a
quarter, a half or three quarters about its optical axis: crop camera and crop units are those of the turned camera.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Float32s, Floats, Int64s
from hmr_ros.core.geometry.camera import looking_at

CROP_SHAPE = (256, 192)
"""Height and width in px of the network's input."""

BOX_SCALE = 1.1
"""The network's box is a detector's box, padded to the crop's aspect and this much larger."""

SMALLEST_SCALE = 0.05
"""Lower bound of s: there the box would span 40 m at the person's distance, and a body of 2 m a twentieth of it, which
only a wrong estimate says."""

CROP_ASPECT = CROP_SHAPE[1] / CROP_SHAPE[0]
"""Width over height."""


QUARTER_TURNS = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]], np.float64)
"""(4, 2, 2): where x and y go when the image is turned 0 to 3 times counter-clockwise, as by ``numpy.rot90``."""

NO_TURNS: Int64s = np.zeros((), np.int64)
"""No person is turned."""


@dataclass(frozen=True, eq=False)
class CropView:
    """P boxes in their cameras.

    ``boxes`` (P, 4) x1 y1 x2 y2 px of the image, of the crop's aspect when turned; ``centre`` (P, 2) undistorted
    normalized image coordinates x/z, y/z of the boxes' centres, before they are turned; ``height`` (P,) of the turned
    boxes over the focal length; ``turns`` (P,) quarter turns of the image, counter-clockwise; default: none.
    """

    boxes: Floats
    centre: Floats
    height: Floats
    turns: Int64s = field(default_factory=lambda: NO_TURNS)

    @property
    def turning(self) -> Floats:
        """(P, 2, 2), or (2, 2) where no person is turned: where x and y of the camera go."""
        return np.asarray(QUARTER_TURNS[self.turns])

    @property
    def camera(self) -> Float32s:
        """(P, 3) the network's input: normalized coordinates of the centre, and height over focal length."""
        return np.concatenate([self._turned_centre, self.height[:, None]], 1).astype(np.float32)

    @property
    def _turned_centre(self) -> Floats:
        return np.asarray((self.turning @ self.centre[..., None])[..., 0])

    @property
    def crop_from_optical(self) -> Floats:
        """(P, 3, 3) rotates vectors of the camera's optical frame into the crop camera's."""
        centre = self._turned_centre
        looking = looking_at(np.concatenate([centre, np.ones_like(centre[:, :1])], 1))
        return np.concatenate([looking[..., :2] @ self.turning, looking[..., 2:]], -1)

    def to_crop_units(self, pixels: Floats) -> Floats:
        """(P, J, 2) px of the image -> crop units."""
        low, high = self.boxes[:, None, :2], self.boxes[:, None, 2:]
        return np.asarray(((pixels - low) / (high - low) - 0.5) @ self.turning.swapaxes(-1, -2) + 0.5)

    def to_pixels(self, crop_units: Floats) -> Floats:
        """(P, J, 2) crop units -> px of the image: the inverse of ``to_crop_units``."""
        low, high = self.boxes[:, None, :2], self.boxes[:, None, 2:]
        return np.asarray(low + ((crop_units - 0.5) @ self.turning + 0.5) * (high - low))

    def to_normalized(self, crop_units: Floats) -> Floats:
        """(P, J, 2) crop units -> normalized image coordinates of a camera without distortion."""
        turned = (crop_units - 0.5) * (self.height[:, None, None] * np.array([CROP_ASPECT, 1.0]))
        return np.asarray(self.centre[:, None] + turned @ self.turning)

    def to_optical(self, rotations: Floats, crop_cam: Floats) -> tuple[Floats, Floats]:
        """The network's outputs, from the crop camera to the optical frame.

        ``rotations`` (P, 24, 3, 3), of which only the root's change; ``crop_cam`` (P, 3) s, tx, ty -> (P, 3) m, the
        pelvis joint.
        """
        optical_from_crop = self.crop_from_optical.swapaxes(-1, -2)
        rotated = rotations.copy()
        rotated[:, 0] = optical_from_crop @ rotations[:, 0]
        return rotated, (optical_from_crop @ crop_cam_to_translation(crop_cam, self.height)[..., None])[..., 0]


def crop_cam_to_translation(crop_cam: Floats, height: Floats) -> Floats:
    """(P, 3) s, tx, ty and (P,) box height over focal length -> (P, 3) m: the pelvis joint in the crop camera.

    A body of 2 m at the distance 2 / (s * height) fills the fraction s of the box. Source: CLIFF's camera.
    """
    depth = 2 / (np.maximum(crop_cam[:, 0], SMALLEST_SCALE) * height)
    return np.stack([crop_cam[:, 1], crop_cam[:, 2], depth], 1)


def translation_to_crop_cam(translation: Floats, height: Floats) -> Floats:
    """(P, 3) m with z > 0, (P,) -> (P, 3) s, tx, ty: the inverse of ``crop_cam_to_translation``."""
    scale = 2 / (translation[:, 2] * height)
    return np.stack([scale, translation[:, 0], translation[:, 1]], 1)
