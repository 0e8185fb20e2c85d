# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel on hands: the same network on a hand's 16 joints, learnt from rendered open hands.

One stage, "images". Right hands only, so that none is mirrored; everything is relative to the wrist. The network's crop
has the shape of a person's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.metrics import mpjpe, pa_mpjpe
from hmr_ros.core.skeleton import MANO
from hmr_ros.networks.global_to_pixel import GlobalToPixel, MatchingTargets, MeanPose, matching_loss
from hmr_ros.networks.global_to_pixel.backbones import BlazePoseBackbone, HrnetBackbone
from hmr_ros.networks.global_to_pixel.hrnet import load_hrnet
from hmr_ros.training.blazepose_weights import load_blazepose
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.device import moved
from hmr_ros.training.global_to_pixel_loss import StageLoss
from hmr_ros.training.hand_crops import HandCropSampler
from hmr_ros.training.losses import joint_error_loss
from hmr_ros.training.precision import hidden_precision
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.recipes.crop_batches import Batch
from hmr_ros.training.recipes.joints import SOURCES
from hmr_ros.training.synthetic.hands import HandSampler
from hmr_ros.training.synthetic.images.hands import HandPainter
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds

FIRST_SCALE = 9.0
"""Where ``crop_cam`` starts: a hand of 0.2 m that almost fills the box."""

_VALIDATION_SEED = 12345
_AT_ONCE = 50


class HandPixelRecipe:
    """Global-to-Pixel on hands: both stages at once, with images ("images")."""

    def __init__(self, config: TrainConfig, topology: Arrays | None) -> None:
        self._config = config
        self._hand = load_hand_model(models_dir() / "open_hand.npz")
        self.topology: Arrays = {}
        self._network = build_network(config)
        if topology is None:
            _load_backbone(self._network, config)
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
        weights = self._config.global_to_pixel_loss
        targets = MatchingTargets(batch.anchors, torch.ones_like(batch.anchors[..., 0], dtype=torch.bool))
        with hidden_precision(batch.camera.device, self._config.run.bfloat16):
            stages = self._network.stages(batch.image, batch.keypoints, batch.camera, targets)
        with torch.no_grad():
            vertices = self._loss.vertices(batch.rotations, batch.betas)
        terms: dict[str, Tensor] = self._loss(stages.fine, batch.ground_truth, vertices, batch.camera)
        coarse = self._loss(stages.coarse, batch.ground_truth, vertices, batch.camera)
        terms |= {f"coarse_{name}": weights.coarse * value for name, value in coarse.items()}
        error = torch.linalg.vector_norm(stages.fine.joints.detach() - batch.joints, dim=-1)
        terms["joint_error"] = weights.joint_error * joint_error_loss(error, stages.joint_error)
        if stages.pixels is not None and stages.positives is not None:
            focal, offset = matching_loss(stages.pixels, stages.positives, targets)
            terms |= {"focal": weights.focal * focal, "offset": weights.offset * offset}
        return terms

    @torch.no_grad()
    def validate(self, sampler: HandCropSampler, stage: str) -> dict[str, float]:
        """Errors of the joints in mm with exact and erroneous keypoints, and of the first stage."""
        report: dict[str, float] = {}
        self.modules.eval()
        for source in SOURCES:
            count = self._config.run.validation_people
            batch = self.batch(sampler, default_rng(_VALIDATION_SEED), count, source == "error")
            found = self._joints(batch)
            report |= _report(source, found["fine"], batch.joints)
            if source == "true":
                report |= _report("coarse", found["coarse"], batch.joints)
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


def _load_backbone(network: GlobalToPixel, config: TrainConfig) -> None:
    """Give the backbone its first weights: BlazePose's, or those of HRNet's file, if there is one."""
    if isinstance(network.backbone, BlazePoseBackbone):
        load_blazepose(network.backbone.trunk)
    if isinstance(network.backbone, HrnetBackbone) and config.global_to_pixel.checkpoint:
        load_hrnet(network.backbone.model, Path(config.global_to_pixel.checkpoint))


def _report(source: str, predicted: Tensor, ground_truth: Tensor) -> dict[str, float]:
    """Mean MPJPE and PA-MPJPE in mm of joints (B, 16, 3) m about the wrist."""
    p, t = (np.asarray(joints.double().cpu().numpy()) for joints in (predicted, ground_truth))
    return {f"mpjpe_{source}": float(mpjpe(p, t).mean()), f"pa_mpjpe_{source}": float(pa_mpjpe(p, t).mean())}
