# SPDX-License-Identifier: Apache-2.0
"""How Global-to-Pixel is trained: samples, losses, validation.

Two stages. "local" trains the local stage alone, without images: from keypoints and an estimate that is wrong on
purpose it learns to correct poses, on far more people than could be rendered. "images" trains all that reads images,
on rendered ones, and goes on with people without: they cost a tenth. The backbone's fraction of the learning rate is a
setting, as pretrained features are best left alone.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.crop_view import CROP_SHAPE
from hmr_ros.core.geometry.rotation import rotmat_to_rot6d, rotvec_to_rotmat
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.networks.body_model import rot6d_to_rotmat
from hmr_ros.networks.global_to_pixel import (
    GlobalToPixel,
    MatchingTargets,
    MeanPose,
    SmplEstimate,
    SmplState,
    Stages,
    matching_loss,
)
from hmr_ros.training.blazepose_weights import load_blazepose
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.global_to_pixel_loss import GroundTruth, StageLoss
from hmr_ros.training.losses import joint_error_loss
from hmr_ros.training.recipes import Arrays, Sampler, mix_of
from hmr_ros.training.recipes.joints import joint_report
from hmr_ros.training.synthetic.images import ImageBatch, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import ShardReader
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe
from hmr_ros.training.synthetic.people import PeopleBatch, PeopleSampler, VertexSubset
from hmr_ros.training.synthetic.subjects import Subjects, cut_crops, moved_boxes

WRONG_DEPTH = 0.3
"""Standard deviation of the wrong starts' relative depth, and of their place across in m."""

MEAN_STARTS = 0.5
"""Share of starts that are the mean body."""

MEAN_POSE_FRAMES = 4000
EVALUATED = {"true": KeypointMix(clean=1.0), "error": KeypointMix("coco", clean=0.0, weak=1.0, strong=1.0, scored=0.0)}
"""How keypoints are observed in a validation."""


class Batch(NamedTuple):
    """What a step trains on: the input and the ground truth of B people; ``image`` (I, 256, 192, 3) of the first I."""

    image: Tensor
    keypoints: Tensor
    camera: Tensor
    rotations: Tensor
    betas: Tensor
    crop_cam: Tensor
    joints: Tensor
    anchors: Tensor
    places: Tensor
    visible: Tensor

    @property
    def ground_truth(self) -> GroundTruth:
        """All but the input."""
        return GroundTruth(*self[3:])

    def split(self) -> tuple[Batch, Batch]:
        """Those with an image, and those without."""
        count = len(self.image)
        return Batch(self.image, *(x[:count] for x in self[1:])), Batch(self.image[:0], *(x[count:] for x in self[1:]))


class Mixed(NamedTuple):
    """Draws people with images, and ``ratio`` times as many without."""

    images: Sampler
    people: Sampler
    ratio: float

    def sample(self, rng: Generator, count: int) -> tuple[ImageBatch, PeopleBatch]:
        """``count`` with images."""
        return self.images.sample(rng, count), self.people.sample(rng, round(self.ratio * count))


class GlobalToPixelRecipe:
    """Everything about Global-to-Pixel that ``train`` does not need to know."""

    def __init__(self, config: TrainConfig, motion: Motion, body: BodyModel, topology: Arrays | None) -> None:
        self._config, self._motion, self._body = config, motion, body
        self._joint_set = JOINT_SETS[config.global_to_pixel.joint_set]
        self.topology = topology or _mean_pose(motion.select("train"))
        self._network = build_network(config, body, self.topology)
        if topology is None and config.global_to_pixel.backbone == "blazepose":
            load_blazepose(self._network.backbone.trunk)
        if topology is None and config.crops.lifting:
            load_lifting(self._network.lifting.network, Path(config.crops.lifting))
        self._loss = StageLoss(body, self._joint_set, config.global_to_pixel_loss)
        self.modules = nn.ModuleDict({"network": self._network, "loss": self._loss})
        self._evaluated: dict[str, Batch] = {}

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """The local stage, then everything."""
        network, crops = self._network, self._config.crops
        local: list[tuple[nn.Module, float]] = [(network.lifting, crops.lifting_fraction if crops.lifting else 1.0)]
        if self._config.global_to_pixel.local == "on":
            local.append((network.pixel_stage, 1.0))
        if stage == "local":
            return local
        return [(network.global_stage, 1.0), (network.backbone, crops.backbone), *local]

    def sampler(self, split: str, stage: str) -> Sampler:
        """People without images, images to be evaluated on, or both to train on."""
        if stage == "local":
            return self._people(split)
        if split == "train":
            return Mixed(self._images(split), self._people(split), self._config.crops.without_image)
        return self._images(split)

    def _images(self, split: str) -> Sampler:
        """Images of people: for training from shards, where there are some."""
        if split == "train" and self._config.crops.shards:
            return ShardReader(Path(self._config.crops.shards))
        images = dataclasses.replace(self._config.image_mix, people=mix_of(split, self._config.people))
        return ImageSampler(self._motion.select(split), self._body, self._joint_set.name, images)

    def _people(self, split: str) -> Sampler:
        """People without images."""
        mix, motion = mix_of(split, self._config.people), self._motion.select(split)
        regressor = self._body.regressor(self._joint_set.name)
        used = np.flatnonzero(regressor.any(0))
        return PeopleSampler(motion, self._body, self._joint_set.name, mix, VertexSubset(used, regressor[:, used]))

    def batch(self, sampler: Sampler, rng: Generator, count: int, mix: KeypointMix | None = None) -> Batch:
        """``count`` samples; ``mix``: keypoints as it says and nothing else changed, for validation."""
        drawn = sampler.sample(rng, count)
        if isinstance(drawn, tuple):
            with_image, without = (self._observed(part, rng, mix) for part in drawn)
            return Batch(with_image.image, *(torch.cat(pair) for pair in zip(with_image[1:], without[1:], strict=True)))
        return self._observed(drawn, rng, mix)

    def _observed(self, drawn: ImageBatch | PeopleBatch, rng: Generator, mix: KeypointMix | None) -> Batch:
        """People as a detector reports them; ``mix`` as in ``batch``."""
        count = len(drawn)
        is_image = isinstance(drawn, ImageBatch)
        subjects = Subjects.of_images(drawn) if is_image else Subjects.of_people(drawn)
        augment = self._config.crops
        if mix is None:
            boxes = moved_boxes(subjects.boxes, rng, augment.box_scale, augment.box_shift)
            subjects = subjects.in_boxes(boxes)
        image = cut_crops(drawn, subjects.boxes) if is_image else np.zeros((0, *CROP_SHAPE, 3), np.uint8)
        if mix is None:
            flip = rng.random(count) < augment.flip
            subjects = subjects.mirrored(flip, self._joint_set)
            if is_image:
                image[flip] = image[flip, :, ::-1]
        seen = observe(subjects, self._joint_set, mix or self._config.keypoints, rng)
        score = seen.score
        if mix is None and is_image:
            score = score * (rng.random((count, 1)) >= augment.without_keypoints)
        return _batch(subjects, image, seen.pixels, score)

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms; ``progress`` changes nothing here."""
        with_image, without = batch.split()
        terms = self._loss_with_image(with_image) if len(with_image.camera) else {}
        if len(without.camera) and self._config.global_to_pixel.local == "on":
            terms |= {f"blind_{name}": value for name, value in self._loss_without_image(without).items()}
        return terms

    def _autocast(self, batch: Batch) -> torch.autocast:
        return torch.autocast(batch.camera.device.type, torch.bfloat16, enabled=self._config.run.bfloat16)

    def _loss_without_image(self, batch: Batch) -> dict[str, Tensor]:
        with self._autocast(batch):
            stages = self._network.corrected(self._wrong_start(batch), batch.keypoints, batch.camera)
        return self._loss_of_local_stage(batch, stages, self._true_vertices(batch))

    def _true_vertices(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            return self._loss.vertices(batch.rotations, batch.betas)

    def _loss_of_local_stage(self, batch: Batch, stages: Stages, vertices: Tensor) -> dict[str, Tensor]:
        terms = self._loss(stages.fine, batch.ground_truth, vertices, batch.camera)
        error = torch.linalg.vector_norm(stages.fine.joints.detach() - batch.joints, dim=-1)
        joint_error = joint_error_loss(error, stages.joint_error)
        return terms | {"joint_error": self._config.global_to_pixel_loss.joint_error * joint_error}

    def _loss_with_image(self, batch: Batch) -> dict[str, Tensor]:
        weights = self._config.global_to_pixel_loss
        targets = MatchingTargets(batch.anchors, torch.ones_like(batch.anchors[..., 0], dtype=torch.bool))
        with self._autocast(batch):
            stages = self._network.stages(batch.image, batch.keypoints, batch.camera, targets)
        vertices = self._true_vertices(batch)
        terms = self._loss_of_local_stage(batch, stages, vertices)
        coarse = self._loss(stages.coarse, batch.ground_truth, vertices, batch.camera)
        terms |= {f"coarse_{name}": weights.coarse * value for name, value in coarse.items()}
        if stages.pixels is not None and stages.positives is not None:
            focal, offset = matching_loss(stages.pixels, stages.positives, targets)
            terms |= {"focal": weights.focal * focal, "offset": weights.offset * offset}
        return terms

    def _wrong_start(self, batch: Batch) -> SmplEstimate:
        """What the local stage starts from: the mean body, or one between the ground truth and another person's."""
        ground_truth, count, mean = batch.ground_truth, len(batch.camera), self._network.mean(batch.camera)
        wrong = torch.rand(count, 1, device=batch.camera.device)
        rot6d = ground_truth.rotations[..., :2].flatten(-2)
        rot6d = torch.lerp(rot6d, rot6d.roll(1, 0), wrong[..., None])
        rotations = rot6d_to_rotmat(rot6d)
        noise = WRONG_DEPTH * wrong * torch.randn(count, 3, device=wrong.device)
        scale = ground_truth.crop_cam[:, :1] * noise[:, :1].exp()
        crop_cam = torch.cat([scale, ground_truth.crop_cam[:, 1:] + noise[:, 1:]], 1)
        betas = torch.lerp(ground_truth.betas, ground_truth.betas.roll(1, 0), wrong)
        state = SmplState(rotations[..., :2].flatten(-2), betas, crop_cam)
        take_mean = torch.rand(count, device=wrong.device) < MEAN_STARTS
        chosen = (torch.where(take_mean.view(-1, *[1] * (m.ndim - 1)), m, s) for m, s in zip(mean, state, strict=True))
        return self._network.decoder(SmplState(*chosen), batch.camera)

    @torch.no_grad()
    def validate(self, sampler: Sampler, stage: str) -> dict[str, float]:
        """Errors of the mesh's Human3.6M joints with exact and erroneous keypoints, and of the first stage."""
        report: dict[str, float] = {}
        self.modules.eval()
        for source, mix in EVALUATED.items():
            key = f"{stage} {source}"
            if key not in self._evaluated:
                self._evaluated[key] = self.batch(sampler, default_rng(12345), self._config.run.validation_people, mix)
            report |= self._errors(self._evaluated[key], stage, source)
        self.modules.train()
        return report

    def _errors(self, batch: Batch, stage: str, source: str) -> dict[str, float]:
        device = next(self._network.parameters()).device
        parts: list[dict[str, Tensor]] = []
        for rows in torch.arange(len(batch.camera)).split(100):
            image = batch.image if stage == "local" else batch.image[rows]
            part = Batch(image.to(device), *(x[rows].to(device) for x in batch[1:]))
            parts.append(self._human36m(part, stage))
        joined = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
        report = joint_report(source, joined["fine"], joined["ground_truth"])
        return report | (joint_report("coarse", joined["coarse"], joined["ground_truth"]) if source == "true" else {})

    def _human36m(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """(B, 17, 3) m of the ground truth and of both stages; of the mean pose where a stage has no image."""
        network = self._network
        if stage == "local":
            mean = network.decoder(network.mean(batch.camera), batch.camera)
            stages = network.corrected(mean, batch.keypoints, batch.camera)
        else:
            stages = network.stages(batch.image, batch.keypoints, batch.camera)
        bodies = {"ground_truth": batch.ground_truth, "coarse": stages.coarse, "fine": stages.fine}
        return {
            name: self._loss.human36m @ self._loss.vertices(body.rotations, body.betas) for name, body in bodies.items()
        }


def _batch(subjects: Subjects, image: np.ndarray, pixels: np.ndarray, score: np.ndarray) -> Batch:
    """Put it all into the crop's camera and units."""
    view = subjects.view
    turn = view.crop_from_optical
    rotations = subjects.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    relative = subjects.joints - subjects.joints[:, :1]
    keypoints = np.concatenate([view.to_crop_units(pixels), score[..., None]], -1)
    keypoints[score == 0] = 0
    arrays = (
        keypoints,
        view.camera,
        rotations,
        subjects.betas,
        subjects.crop_cam,
        relative @ turn.transpose(0, 2, 1),
        view.to_crop_units(subjects.joint_pixels()),
        view.to_crop_units(subjects.pixels),
        subjects.visible,
    )
    return Batch(torch.from_numpy(image), *(torch.from_numpy(a.astype(np.float32)) for a in arrays))


def _mean_pose(motion: Motion) -> Arrays:
    """Where the global stage starts: the mean of recorded poses, upright and facing the camera; the mean shape."""
    rng = default_rng(0)
    frames = motion.pose[rng.integers(len(motion), size=MEAN_POSE_FRAMES)].astype(np.float64)
    rot6d = rotmat_to_rot6d(rotvec_to_rotmat(frames)).mean(0)
    rest = MeanPose.rest()
    rot6d[0] = rest.rot6d[0]
    return {"mean_rot6d": rot6d.astype(np.float32), "mean_betas": rest.betas.astype(np.float32)}


def load_lifting(lifting: nn.Module, path: Path) -> None:
    """Start from the lifting network of a Pose2Mesh run; ValueError names a checkpoint that has another one."""
    weights = load_checkpoint(path).averaged_weights("network")
    prefix = "lifting."
    found = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    try:
        lifting.load_state_dict(found)
    except RuntimeError as err:
        raise ValueError(f"{path}: its lifting network is not of the size set in global_to_pixel: {err}") from err


def build_network(config: TrainConfig, body: BodyModel, topology: Arrays) -> GlobalToPixel:
    """The untrained network; its mean pose is its topology."""
    mean = MeanPose(topology["mean_rot6d"], topology["mean_betas"])
    return GlobalToPixel(config.global_to_pixel, body, mean)
