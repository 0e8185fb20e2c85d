# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel (ECCV 2024): the network. Read ``network.py`` first; the others are its parts."""

from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.crop_camera import crop_translation, optical_from_crop, to_crop_units
from hmr_ros.networks.global_to_pixel.estimate import MeanPose, SmplEstimate, SmplState
from hmr_ros.networks.global_to_pixel.features import Features
from hmr_ros.networks.global_to_pixel.matching import MatchingTargets, PixelPredictions, matching_loss
from hmr_ros.networks.global_to_pixel.network import GlobalToPixel, Stages

__all__ = [
    "Features",
    "GlobalToPixel",
    "GlobalToPixelConfig",
    "MatchingTargets",
    "MeanPose",
    "PixelPredictions",
    "SmplEstimate",
    "SmplState",
    "Stages",
    "crop_translation",
    "matching_loss",
    "optical_from_crop",
    "to_crop_units",
]
