# SPDX-License-Identifier: Apache-2.0
"""The errors of Global-to-Pixel on the same people every time: with exact, with erroneous and without keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from hmr_ros.networks.global_to_pixel import GlobalToPixel, SmplEstimate, Stages
from hmr_ros.networks.global_to_pixel.features import Features
from hmr_ros.training.device import moved
from hmr_ros.training.global_to_pixel_loss import GroundTruth, StageLoss
from hmr_ros.training.recipes.crop_batches import Batch
from hmr_ros.training.recipes.heatmaps import missed_rendered
from hmr_ros.training.recipes.joints import joint_report
from hmr_ros.training.synthetic.keypoints import KeypointMix

EVALUATED = {"true": KeypointMix(clean=1.0), "error": KeypointMix("coco", clean=0.0, weak=1.0, strong=1.0, scored=0.0)}
"""How the given keypoints are observed. People with images are evaluated without any, too."""

AT_ONCE = 100
"""People."""


class _Estimates(NamedTuple):
    """Human3.6M joints (B, 17, 3) m by name of what they are of, and ``found`` (B, J, 3), the backbone's keypoints."""

    joints: dict[str, Tensor]
    found: Tensor


def errors(network: GlobalToPixel, loss: StageLoss, batches: Mapping[str, Batch]) -> dict[str, float]:
    """Errors in mm with each source of keypoints and of the global stage; ``batches`` are the same people.

    With images: percent of visible joints that the backbone misses, if it finds any.
    """
    true = batches["true"]
    parts = [
        _estimates(network, loss, {source: moved(batch.rows(rows), network) for source, batch in batches.items()})
        for rows in torch.arange(len(true.camera)).split(AT_ONCE)
    ]
    joined = {name: torch.cat([part.joints[name] for part in parts]) for name in parts[0].joints}
    truth, found = joined.pop("ground_truth"), torch.cat([part.found for part in parts])
    report: dict[str, float] = {}
    for source, joints in joined.items():
        report |= joint_report(source, joints, truth)
    return report | ({"missed_rendered": missed_rendered(found, true.ground_truth)} if found[..., 2].any() else {})


def _estimates(network: GlobalToPixel, loss: StageLoss, batches: Mapping[str, Batch]) -> _Estimates:
    """Of people whose images are looked at once; without images the global stage is the mean body."""

    def human36m(body: SmplEstimate | GroundTruth) -> Tensor:
        return loss.human36m_joints(body.rotations, body.betas)

    true = batches["true"]
    features = network.features(true.image) if len(true.image) else None
    nothing = torch.zeros_like(true.keypoints)
    given = {source: batch.keypoints for source, batch in batches.items()} | ({"none": nothing} if features else {})
    joints = {"ground_truth": human36m(true.ground_truth)}
    for source, keypoints in given.items():
        stages = _stages(network, features, keypoints, true.camera)
        joints |= {source: human36m(stages.fine), "coarse": human36m(stages.coarse)}
    return _Estimates(joints, features.keypoints if features else nothing)


def _stages(network: GlobalToPixel, features: Features | None, keypoints: Tensor, camera: Tensor) -> Stages:
    """``keypoints`` (B, J, 3) crop units and score, ``camera`` (B, 3)."""
    if features is not None:
        return network.stages_from_features(features, keypoints, camera)
    return network.corrected(network.decoder(network.mean(camera), camera), keypoints, camera)
