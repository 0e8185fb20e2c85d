# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel on hands: the same network on a hand's 16 joints, learnt from rendered open hands.

One stage, "images". Right hands only, so that none is mirrored; everything is relative to the wrist. The network's crop
has the shape of a person's.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import HAND, MANO
from hmr_ros.networks.global_to_pixel import GlobalToPixel, MeanPose
from hmr_ros.training.backbone_weights import load_backbone
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.device import moved
from hmr_ros.training.global_to_pixel_loss import StageLoss, matching_targets
from hmr_ros.training.hand_crops import HandCropSampler
from hmr_ros.training.precision import hidden_precision
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.recipes.crop_batches import Batch
from hmr_ros.training.recipes.joints import SOURCES, joint_report
from hmr_ros.training.synthetic.hands import HandSampler
from hmr_ros.training.synthetic.images.hands import HandPainter
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds

FIRST_SCALE = 9.0
"""Where ``crop_cam`` starts: a hand of 0.2 m that almost fills the box."""

_VALIDATION_SEED = 12345
_AT_ONCE = 50
_ALL = np.arange(HAND.size)


class HandPixelRecipe:
    """Global-to-Pixel on hands: both stages at once, with images ("images")."""

    def __init__(self, config: TrainConfig, topology: Arrays | None) -> None:
        self._config = config
        self._hand = load_hand_model(models_dir() / "open_hand.npz")
        self.topology: Arrays = {}
        self._network = build_network(config)
        if topology is None:
            load_backbone(self._network.backbone, config.global_to_pixel.checkpoint)
        self._loss = StageLoss(self._hand, MANO, config.global_to_pixel_loss)
        self.modules = nn.ModuleDict({"network": self._network, "loss": self._loss})

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """Everything; the backbone at its own fraction of the learning rate."""
        network = self._network
        parts: list[nn.Module] = [network.global_stage, network.lifting]
        if self._config.global_to_pixel.corrects:
            parts.append(network.pixel_stage)
        backbone = network.backbone.pretrained(self._config.crops.frozen_stride)
        return [*((part, 1.0) for part in parts), (backbone, self._config.crops.backbone)]

    def sampler(self, split: str, stage: str) -> HandCropSampler:
        """Rendered hands by the same law for training and validation, which draw others."""
        body = load_body_model(models_dir() / "open_body.npz")
        painter = HandPainter(self._hand, body, Backgrounds(self._config.image_mix.backgrounds))
        return HandCropSampler(self._hand, HandSampler(self._hand, self._config.hand_mix), painter)

    def batch(self, sampler: HandCropSampler, rng: Generator, count: int, noisy: bool = True) -> Batch:
        """``count`` samples; ``noisy``: whether their keypoints have errors, and some hands have none at all."""
        crops = self._config.crops
        return sampler.sample(rng, count, crops.without_keypoints if noisy else 0.0, noisy)

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms of both stages and of the matching; ``progress`` changes nothing here."""
        truth = batch.ground_truth
        targets = matching_targets(truth)
        with hidden_precision(batch.camera.device, self._config.run.bfloat16):
            stages = self._network.stages(batch.image, batch.keypoints, batch.camera, targets)
        return self._loss.of_stages(stages, truth, targets, batch.camera)

    @torch.no_grad()
    def validate(self, sampler: HandCropSampler, stage: str) -> dict[str, float]:
        """Errors of the joints in mm with exact and erroneous keypoints, and of the first stage."""
        report: dict[str, float] = {}
        self.modules.eval()
        for source in SOURCES:
            count = self._config.run.validation_people
            batch = self.batch(sampler, default_rng(_VALIDATION_SEED), count, source == "error")
            found = self._joints(batch)
            report |= joint_report(source, found["fine"], batch.joints, _ALL)
            if source == "true":
                report |= joint_report("coarse", found["coarse"], batch.joints, _ALL)
        self.modules.train()
        return report

    def _joints(self, batch: Batch) -> dict[str, Tensor]:
        """(B, 16, 3) m of both stages."""
        parts: dict[str, list[Tensor]] = {"coarse": [], "fine": []}
        for rows in torch.arange(len(batch.camera)).split(_AT_ONCE):
            part = moved(Batch(*(x[rows] for x in batch)), self._network)
            stages = self._network.stages(part.image, part.keypoints, part.camera)
            for name in parts:
                parts[name].append(getattr(stages, name).joints.cpu())
        return {name: torch.cat(joints) for name, joints in parts.items()}


def build_network(config: TrainConfig) -> GlobalToPixel:
    """The untrained network; it starts from the open hand at rest."""
    hand = load_hand_model(models_dir() / "open_hand.npz")
    return GlobalToPixel(config.global_to_pixel, hand, MeanPose.rest(hand.tree.size, FIRST_SCALE))
