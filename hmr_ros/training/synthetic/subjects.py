# SPDX-License-Identifier: Apache-2.0
"""People in their boxes: what a network that reads crops is trained and evaluated on, wherever they come from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Array, Bools, Floats, Int64s, Ints
from hmr_ros.core.geometry import crop
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT, CROP_SHAPE, CropView, translation_to_crop_cam
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import SMPL, JointSet
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.images.batch import MARGIN
from hmr_ros.training.synthetic.people import PeopleBatch

_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Subjects(Record):
    """B people, each in a box of an image; metres, the camera's optical frame.

    ``rotations`` (B, 24, 3, 3): the root to optical, the others child to parent; ``betas`` (B, 10); ``joints``
    (B, 24, 3); ``pixels`` (B, J, 2) true keypoints and ``visible`` (B, J); ``boxes`` (B, 4) px, of the crop's aspect;
    ``K`` (B, 3, 3) px; ``width`` (B,) of the image; ``fitted`` (B,) people of whom more than the keypoints is known.
    """

    rotations: Floats
    betas: Floats
    joints: Floats
    pixels: Floats
    visible: Bools
    boxes: Floats
    K: Floats
    width: Ints
    fitted: Bools

    @staticmethod
    def of_people(people: PeopleBatch) -> Subjects:
        """People without an image, in boxes as a detector would draw them."""
        views = people.views
        detected = crop.boxes_of_keypoints(people.pixels, people.visible, views.image_size)
        boxes = crop.pad_to_aspect(detected, CROP_ASPECT, BOX_SCALE)
        joints = people.joints.astype(np.float64)
        return Subjects(
            people.rotations,
            people.betas,
            joints,
            people.pixels,
            people.visible,
            boxes,
            views.K,
            views.image_size[:, 0],
            people.known,
        )

    @staticmethod
    def of_images(images: ImageBatch) -> Subjects:
        """People in images."""
        return Subjects(
            images.rotations,
            images.betas,
            images.joints,
            images.pixels,
            images.visible,
            crop.pad_to_aspect(images.boxes, CROP_ASPECT),
            images.K,
            images.image_size[:, 0],
            images.known,
        )

    @property
    def view(self) -> CropView:
        """The crops as cameras."""
        centre = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        focal = self.K[:, [0, 1], [0, 1]]
        height = (self.boxes[:, 3] - self.boxes[:, 1]) / focal[:, 1]
        return CropView(self.boxes, (centre - self.K[:, :2, 2]) / focal, height)

    @property
    def crop_cam(self) -> Floats:
        """(B, 3) s, tx, ty of the pelvis."""
        view = self.view
        return translation_to_crop_cam((view.crop_from_optical @ self.joints[:, 0, :, None])[..., 0], view.height)

    def in_boxes(self, boxes: Floats) -> Subjects:
        """The same people in other ``boxes`` (B, 4) of the crop's aspect."""
        return dataclasses.replace(self, boxes=boxes)

    def joint_pixels(self) -> Floats:
        """(B, 24, 2) px of the joints."""
        return joint_pixels(self.joints, self.K)

    def rolled(self, angles: Floats) -> Subjects:
        """The same people before a camera rotated about its optical axis; ``angles`` (B,) rad, the image clockwise."""
        rotate = _about_z(angles)
        rotations = self.rotations.copy()
        rotations[:, 0] = rotate @ rotations[:, 0]
        affine = self.rolling(angles)
        half = (self.boxes[:, 2:] - self.boxes[:, :2]) / 2
        centre = crop.apply(affine, ((self.boxes[:, :2] + self.boxes[:, 2:]) / 2)[:, None])[:, 0]
        return dataclasses.replace(
            self,
            rotations=rotations,
            joints=self.joints @ rotate.transpose(0, 2, 1),
            pixels=crop.apply(affine, self.pixels),
            boxes=np.concatenate([centre - half, centre + half], 1),
        )

    def rolling(self, angles: Floats) -> Floats:
        """(B, 2, 3): where ``rolled`` moves the pixels of the image, about the principal point."""
        K = self.K.astype(np.float64)
        return np.asarray((K @ _about_z(angles) @ np.linalg.inv(K))[:, :2])

    def mirrored(self, chosen: Bools, joint_set: JointSet) -> Subjects:
        """The ``chosen`` (B,) as their mirror images: left and right change places about the middle of the image."""

        def flipped_x(x: Floats, width: Floats) -> Floats:
            return np.asarray(width - 1 - x)

        width = self.width.astype(np.float64)
        pixels = self.pixels[:, joint_set.mirror].copy()
        pixels[..., 0] = flipped_x(pixels[..., 0], width[:, None])
        K = self.K.copy()
        K[:, 0, 2] = flipped_x(K[:, 0, 2], width)
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = flipped_x(self.boxes[:, [2, 0]], width[:, None])
        other = dataclasses.replace(
            self,
            rotations=_MIRROR @ self.rotations[:, SMPL.mirror] @ _MIRROR,
            joints=self.joints[:, SMPL.mirror] @ _MIRROR,
            pixels=pixels,
            visible=self.visible[:, joint_set.mirror],
            boxes=boxes,
            K=K,
        )
        return _either(chosen, other, self)


def joint_pixels(joints: Floats, K: Floats) -> Floats:
    """(B, N, 3) m -> (B, N, 2) px; points beside or behind the camera (z < 0.05 m) come out far outside."""
    normalized = joints[..., :2] / np.maximum(joints[..., 2:], 0.05)
    return np.asarray(normalized * K[:, None, [0, 1], [0, 1]] + K[:, None, :2, 2])


def _about_z(angles: Floats) -> Floats:
    """(B,) rad -> (B, 3, 3) rotations from x towards y."""
    rotations = np.zeros((len(angles), 3, 3))
    rotations[:, 0, 0] = rotations[:, 1, 1] = np.cos(angles)
    rotations[:, 1, 0] = np.sin(angles)
    rotations[:, 0, 1] = -rotations[:, 1, 0]
    rotations[:, 2, 2] = 1
    return rotations


def _either(chosen: Bools, a: Subjects, b: Subjects) -> Subjects:
    """Rows of ``a`` where ``chosen`` (B,), else of ``b``."""

    def rows(name: str) -> Array:
        x, y = getattr(a, name), getattr(b, name)
        return np.asarray(np.where(chosen.reshape(-1, *[1] * (x.ndim - 1)), x, y))

    return Subjects(**{f.name: rows(f.name) for f in dataclasses.fields(Subjects)})


def moved_boxes(boxes: Floats, rng: Generator, scale: float, shift: float) -> Floats:
    """``boxes`` (B, 4) px resized by a factor of up to 1 + ``scale`` and moved by up to ``shift`` box heights."""
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    centre = centre + shift * size[:, 1:] * rng.uniform(-1, 1, centre.shape)
    half = size / 2 * np.exp(np.log1p(scale) * rng.uniform(-1, 1, (len(boxes), 1)))
    return np.concatenate([centre - half, centre + half], 1)


def cut_crops(images: ImageBatch, boxes: Floats, moved: Floats | None = None) -> NDArray[np.uint8]:
    """(B, 256, 192, 3) uint8: what ``boxes`` show of the stored crops, black outside of them.

    ``moved`` (B, 2, 3): where the images' pixels were moved before.
    """
    height, width = CROP_SHAPE
    stored = crop.pad_to_aspect(images.boxes, CROP_ASPECT, MARGIN)
    to_stored = crop.crop_from_image(stored, images.crops.shape[2], images.crops.shape[1])
    to_crop = crop.crop_from_image(boxes, width, height)
    if moved is not None:
        to_crop = _chained(to_crop, moved)
    out = np.empty((len(boxes), height, width, 3), np.uint8)
    for person, (source, affine) in enumerate(
        zip(images.crops, _chained(to_crop, crop.inverse(to_stored)), strict=True)
    ):
        cv2.warpAffine(source, affine, (width, height), dst=out[person], flags=cv2.INTER_LINEAR)
    return out


def turned_crops(images: ImageBatch, subjects: Subjects, turns: Int64s) -> tuple[CropView, NDArray[np.uint8]]:
    """Views of ``subjects`` turned by ``turns`` (B,) quarters, and their crops (B, 256, 192, 3) uint8.

    People who are turned by one or three get a box about what is seen of them, as wide as an upright one is high.
    """
    detected = crop.boxes_of_keypoints(subjects.pixels, subjects.visible, images.image_size)
    wide = crop.pad_to_aspect(detected, 1 / CROP_ASPECT, BOX_SCALE)
    boxes = np.where((turns % 2 == 1)[:, None], wide, subjects.boxes)
    across = subjects.in_boxes(boxes).view
    focal = subjects.K[:, 0, 0]
    height = np.where(turns % 2 == 1, (boxes[:, 2] - boxes[:, 0]) / focal, across.height)
    view = CropView(boxes, across.centre, height, turns)
    moved = subjects.rolling(-turns * np.pi / 2)
    corners = crop.apply(moved, boxes.reshape(-1, 2, 2))
    upright = np.concatenate([corners.min(1), corners.max(1)], 1)
    return view, cut_crops(images, upright, moved)


def _chained(outer: Floats, inner: Floats) -> Floats:
    """(B, 2, 3) affine maps: first ``inner``, then ``outer``."""
    linear = outer[..., :2] @ inner[..., :2]
    offset = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, offset], -1)
