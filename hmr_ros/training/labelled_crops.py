# SPDX-License-Identifier: Apache-2.0
"""Labelled people in photos, on which a validation says how many of their joints Global-to-Pixel misses.

Errors on rendered people fall while a network forgets what real ones look like; here that is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from hmr_ros.core.arrays import Bools, Float32s, Floats, Image
from hmr_ros.core.geometry import crop
from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT, CROP_SHAPE, CropView
from hmr_ros.core.people import Camera
from hmr_ros.core.photo_labels import LabelledPhoto, read_coco
from hmr_ros.core.records import Record, join_rows
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.training.global_to_pixel_loss import StageLoss

TORSOS = 0.2
"""A joint is missed if it is farther from its label, in torso lengths: PCK@0.2 is the fraction of the others."""


AT_ONCE = 50
"""People that pass the network together."""


@dataclass(frozen=True, eq=False)
class LabelledCrops(Record):
    """P people, each in a crop about the labelled box.

    ``image`` (P, 256, 192, 3) uint8 RGB; ``camera`` (P, 3), of an assumed field of view; ``places`` (P, 17, 2) crop
    units and ``labelled`` (P, 17), joint set "coco17"; ``torso`` (P,) its length, crop heights.
    """

    image: Image
    camera: Float32s
    places: Floats
    labelled: Bools
    torso: Floats

    def missed(self, places: Tensor) -> float:
        """Percent of the labelled joints whose ``places`` (P, J, 2), crop units, "coco17" first, are off."""
        return missed_percent(places, self.places, self.labelled, self.torso)


def missed_percent(found: Tensor, places: Floats, labelled: Bools, torso: Floats) -> float:
    """Percent of the ``labelled`` (P, J) joints at ``places`` (P, J, 2) whose ``found`` (P, >= J, 2) place is off.

    Both in crop units; ``torso`` (P,) its length, crop heights.
    """
    step = found[:, : places.shape[1]].double().cpu().numpy() - places
    distance = np.hypot(CROP_ASPECT * step[..., 0], step[..., 1])
    off = ~(distance <= TORSOS * torso[:, None])
    return float(100 * off[labelled].mean())


def labelled_crops(labels: Path) -> LabelledCrops:
    """The people of a file of labels in COCO's keypoint format whose torso is labelled; the photos lie beside it.

    Raises ValueError for other files, for photos that are missing, and where no torso is labelled.
    """
    photos = [photo for photo in read_coco(labels, labels.parent) if np.isfinite(photo.torso()).any()]
    if not photos:
        raise ValueError(f"crops.labels: {labels}: expected people with a labelled torso, found none")
    return join_rows([_crops_of(photo) for photo in photos])


@torch.no_grad()
def missed_joints(network: GlobalToPixel, loss: StageLoss, people: LabelledCrops) -> dict[str, float]:
    """Percent of labelled joints that the body misses, told nothing, and where it finds some the backbone itself."""
    device, own, body = network.mean.rot6d.device, [], []
    for first in range(0, len(people), AT_ONCE):
        rows = people.take(slice(first, first + AT_ONCE))
        image, camera = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in (rows.image, rows.camera))
        features = network.features(image)
        fine = network.stages_from_features(features, torch.zeros_like(features.keypoints), camera).fine
        own.append(features.keypoints)
        body.append(loss.projected(fine, loss.vertices(fine.rotations, fine.betas), camera))
    found = torch.cat(own)
    missed = {"missed_body": people.missed(torch.cat(body))}
    return missed | ({"missed_keypoints": people.missed(found[..., :2])} if found[..., 2].any() else {})


def _crops_of(photo: LabelledPhoto) -> LabelledCrops:
    chosen = photo.take(np.isfinite(photo.torso()))
    boxes = crop.pad_to_aspect(chosen.boxes.astype(np.float64), CROP_ASPECT, BOX_SCALE)
    focal = Camera.from_fov(ASSUMED_FIELD_OF_VIEW_DEG, photo.width, photo.height).K
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 - focal[:2, 2]) / focal[[0, 1], [0, 1]]
    height = boxes[:, 3] - boxes[:, 1]
    view = CropView(boxes, centre, height / focal[1, 1])
    return LabelledCrops(
        image=_cut(photo.path, boxes),
        camera=view.camera,
        places=view.to_crop_units(chosen.kp2d),
        labelled=chosen.labelled,
        torso=chosen.torso() / height,
    )


def _cut(path: Path, boxes: Floats) -> Image:
    """(P, 256, 192, 3) uint8 RGB: what ``boxes`` (P, 4) px show of a photo, black outside of it."""
    photo = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if photo is None:
        raise ValueError(f"crops.labels: {path}: not an image OpenCV can read; photos lie beside their labels")
    height, width = CROP_SHAPE
    crops = [cv2.warpAffine(photo, affine, (width, height)) for affine in crop.crop_from_image(boxes, width, height)]
    return np.asarray(np.array(crops, np.uint8).reshape(-1, height, width, 3)[..., ::-1], np.uint8)
