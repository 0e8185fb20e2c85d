# SPDX-License-Identifier: Apache-2.0
"""MoveNet's heads while they are trained, alone or beside the rest of Global-to-Pixel: losses and what is missed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.core.skeleton import COCO17
from hmr_ros.networks.global_to_pixel.features import Backbone, Features
from hmr_ros.networks.global_to_pixel.movenet_backbone import MoveNetBackbone
from hmr_ros.networks.global_to_pixel.movenet_trunk import Heads
from hmr_ros.training.global_to_pixel_loss import GroundTruth
from hmr_ros.training.heatmap_loss import HeatmapLossConfig, heatmap_losses
from hmr_ros.training.labelled_crops import missed_percent
from hmr_ros.training.remembering import DrawnPhotos, Remembering

_SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]
_HIPS = [COCO17.index("left_hip"), COCO17.index("right_hip")]


class Seen(NamedTuple):
    """``features`` of a step's images; crops of ``photos`` beside them, and MoveNet's heads ``of_photos``, or None."""

    features: Features
    photos: DrawnPhotos | None
    of_photos: Heads | None


class HeadLosses:
    """The losses of a backbone's heads; none of a backbone without heads."""

    def __init__(self, backbone: Backbone, weights: HeatmapLossConfig, remembering: Remembering | None) -> None:
        """``remembering``: the photos on which the heads are held to what they said before; None: there are none."""
        self._backbone, self._weights, self._remembering = backbone, weights, remembering

    def see(self, image: Tensor) -> Seen:
        """Images (B, 256, 192, 3) uint8, and photos, in one pass: the larger, the faster."""
        if self._remembering is None:
            return Seen(self._backbone(image), None, None)
        photos = self._remembering.draw()
        features: Features = self._backbone(torch.cat([image, photos.crops.to(image.device)]))
        of_photos = features.rows(slice(len(image), None)).heads
        return Seen(features.rows(slice(len(image))), photos, of_photos)

    def terms(self, seen: Seen, ground_truth: GroundTruth) -> dict[str, Tensor]:
        """Weighted terms of rendered people, and of the photos."""
        if not isinstance(self._backbone, MoveNetBackbone):
            return {}
        terms = heatmap_losses(seen.features, ground_truth, self._weights)
        if self._remembering and seen.photos and seen.of_photos:
            terms["photos"] = self._weights.photos * self._remembering.loss(seen.of_photos, seen.photos)
        return terms


def missed_rendered(found: Tensor, ground_truth: GroundTruth) -> float:
    """Percent of visible joints of rendered people whose ``found`` (B, J, 3) place, crop units, is off.

    Heels and toes do not count, as labelled photos have none.
    """
    places = ground_truth.places[:, : COCO17.size].double().cpu().numpy()
    inside = ((places >= 0) & (places < 1)).all(2)
    seen = (ground_truth.visible[:, : COCO17.size].cpu().numpy() > 0) & inside
    trunk = places[:, _SHOULDERS].mean(1) - places[:, _HIPS].mean(1)
    return missed_percent(found[..., :2], places, seen, np.hypot(CROP_ASPECT * trunk[:, 0], trunk[:, 1]))
