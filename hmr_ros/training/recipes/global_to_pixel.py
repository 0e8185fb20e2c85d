# SPDX-License-Identifier: Apache-2.0
"""How Global-to-Pixel is trained: samples, losses, validation.

Four stages. "local" trains the local stage alone, without images: from keypoints and an estimate that is wrong on
purpose it learns to correct poses, on far more people than could be rendered. "trunk" trains MoveNet's heatmaps alone,
on rendered people: the cheapest passes for what limits the global stage most. "merge" learns how far to trust given
keypoints and how far these heatmaps, in two minutes. "images" trains all that reads images, and goes on with people
without: they cost a tenth. There the backbone's fraction of the learning rate is a setting, as pretrained features are
best left alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rot6d, rotvec_to_rotmat
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.networks.global_to_pixel import GlobalToPixel, MeanPose
from hmr_ros.networks.global_to_pixel.features import Backbone, Features
from hmr_ros.networks.global_to_pixel.merging import Evidence, KeypointMerger
from hmr_ros.networks.global_to_pixel.movenet_backbone import MoveNetBackbone
from hmr_ros.training.backbone_weights import load_backbone
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.global_to_pixel_loss import StageLoss, matching_targets
from hmr_ros.training.labelled_crops import labelled_crops, missed_joints
from hmr_ros.training.lifting_weights import load_lifting
from hmr_ros.training.local_stage_weights import load_local_stage
from hmr_ros.training.movenet_weights import load_movenet
from hmr_ros.training.precision import hidden_precision
from hmr_ros.training.real.data_sets import DataSets
from hmr_ros.training.real.mixture import LabelledImageSource, weighted
from hmr_ros.training.real.people import annotated_keypoints
from hmr_ros.training.recipes import Arrays, PeopleSource, mix_of
from hmr_ros.training.recipes.crop_batches import (
    Batch,
    ImageSource,
    Mixed,
    Observer,
    Source,
    joined,
)
from hmr_ros.training.recipes.crop_validation import EVALUATED, errors
from hmr_ros.training.recipes.heatmaps import HeadLosses
from hmr_ros.training.recipes.merging import MergeSource, ToMerge, loss_of_merging
from hmr_ros.training.recipes.own_keypoints import Sayings, WithOwnKeypoints, seen_people
from hmr_ros.training.recipes.wrong_start import wrong_start
from hmr_ros.training.remembering import Remembering
from hmr_ros.training.synthetic.images import ImageBatch, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import ShardReader, shards_of
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.people import PeopleBatch, PeopleSampler, VertexSubset

MEAN_POSE_FRAMES = 4000
"""Random frames of the motion that the mean pose is taken of."""

NEW = 8.0
"""Learning rate of heads that start from random weights, relative to that of MoveNet's own layers."""


class GlobalToPixelRecipe:
    """Global-to-Pixel: the local stage without images, MoveNet's heatmaps, then both stages with images."""

    def __init__(self, config: TrainConfig, motion: Motion, body: BodyModel, topology: Arrays | None) -> None:
        self._config, self._motion, self._body = config, motion, body
        if config.crops.shards:
            shards_of(Path(config.crops.shards))  # that they are missing is told now, not after the first stage
        self._data = DataSets(config.data, body) if config.data.weights else None
        if self._data and config.images.steps:
            self._data.check_images()  # as above
        self._joint_set = JOINT_SETS[config.global_to_pixel.joint_set]
        self.topology = topology or _mean_pose(motion.select("train"))
        self._network = build_network(config, body, self.topology)
        remembering = _prepared(self._network.backbone, config, new=topology is None)
        self._heads = HeadLosses(self._network.backbone, config.heatmap_loss, remembering)
        if topology is None and config.run.lifting:
            load_lifting(self._network.lifting.network, Path(config.run.lifting))
        if topology is None and config.run.local_stage:
            load_local_stage(self._network, Path(config.run.local_stage))
        self._labelled = labelled_crops(Path(config.crops.labels)) if config.crops.labels else None
        self._observer = Observer(self._joint_set, config.crops, config.keypoints)
        self._loss = StageLoss(body, self._joint_set, config.global_to_pixel_loss)
        self.modules = nn.ModuleDict({"network": self._network, "loss": self._loss})
        self._evaluated: dict[tuple[bool, str], Batch] = {}

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """The local stage, the backbone, then everything."""
        network, crops = self._network, self._config.crops
        if stage == "trunk":
            own = [(network.backbone.pretrained(crops.frozen_stride), crops.trunk)] if crops.trunk else []
            return [*own, *((part, NEW) for part in network.backbone.untrained())]
        if stage == "merge":
            return [(self._merger, 1.0)]
        run = self._config.run
        pretrained = run.start or run.lifting or run.local_stage
        local: list[tuple[nn.Module, float]] = [(network.lifting, crops.lifting_fraction if pretrained else 1.0)]
        if stage == "local":
            return [*local, (network.pixel_stage, 1.0)] if self._config.global_to_pixel.corrects else local
        if self._config.global_to_pixel.corrects:
            local.append((network.pixel_stage.correcting(), crops.local_fraction))
            local += [(part, 1.0) for part in network.pixel_stage.reading_images()]
        untrained = [(part, 1.0) for part in network.backbone.untrained() if crops.backbone]
        backbone = (network.backbone.pretrained(crops.frozen_stride), crops.backbone)
        return [(network.global_stage, 1.0), backbone, *untrained, *local]

    def sampler(self, split: str, stage: str) -> Source | MergeSource:
        """People without images, images to be evaluated on, or both to train on; for "merge" those that were seen."""
        own = self._config.crops.own_keypoints
        if stage == "local" and own and split == "train":
            return WithOwnKeypoints(self._people_by_own_keypoints(), self._people(split), own)
        if stage == "merge" and split == "train":
            return MergeSource(self._people_to_merge())
        if stage == "local" and not own:
            return self._people(split)
        if split == "train" and stage == "images" and self._config.crops.without_image:
            return Mixed(self._images(split), self._people(split), self._config.crops.without_image)
        return self._images(split)

    def _people_by_own_keypoints(self) -> Batch:
        """The people of the shards, augmented once, with the keypoints and scores of the backbone."""
        people, (own,) = self._seen_people("crops.own_keypoints", lambda features, _: (features.keypoints,))
        return people._replace(keypoints=own)

    def _people_to_merge(self) -> ToMerge:
        """The same people with given keypoints, and what the backbone says of these."""
        people, evidence = self._seen_people("merge.steps", self._merger.evidence)
        return ToMerge.of(people, Evidence(*evidence))

    def _seen_people(self, setting: str, say: Callable[[Features, Tensor], Sayings]) -> tuple[Batch, Sayings]:
        """The people of the shards, augmented once, and what there is to ``say`` of them; ``setting`` asks for it."""
        if not self._config.crops.shards:
            raise ValueError(f"{setting}: set crops.shards, whose people the backbone looks at")
        shards, bfloat16 = Path(self._config.crops.shards), self._config.run.bfloat16
        return seen_people(self._network.backbone, shards, self._observer.augmented, say, bfloat16)

    @property
    def _merger(self) -> KeypointMerger:
        """What the stage "merge" trains; the settings see to it that there is one."""
        assert self._network.merger is not None
        return self._network.merger

    def _images(self, split: str) -> ImageSource:
        """Images of people: of the data sets and, for training, rendered ones beside them."""
        if self._data is None:
            return self._rendered(split)
        real = self._data.images(split, self._joint_set)
        if not (self._config.data.motion and split == "train"):
            return real
        total = sum(self._config.data.weights.values())
        return weighted([real, LabelledImageSource(self._rendered(split))], [total, self._config.data.motion])

    def _rendered(self, split: str) -> ImageSource:
        """Rendered images: for training from shards, where there are some."""
        if split == "train" and self._config.crops.shards:
            return ShardReader(Path(self._config.crops.shards))
        images = dataclasses.replace(self._config.image_mix, people=mix_of(split, self._config.people))
        return ImageSampler(self._motion.select(split), self._body, self._joint_set.name, images)

    def _people(self, split: str) -> PeopleSource:
        """People without images, all of them with poses."""
        regressor = self._body.regressor(self._joint_set.name)
        used = np.flatnonzero(regressor.any(0))
        vertices = VertexSubset(used, regressor[:, used])
        if self._data is None:
            return self._synthetic(split, vertices)
        synthetic = self._synthetic(split, vertices) if self._config.data.motion and split == "train" else None
        data = self._data.fitted_only()
        return data.people(split, self._joint_set, annotated_keypoints, vertices, synthetic)

    def _synthetic(self, split: str, vertices: VertexSubset) -> PeopleSource:
        mix, motion = mix_of(split, self._config.people), self._motion.select(split)
        return PeopleSampler(motion, self._body, self._joint_set.name, mix, vertices)

    def batch(self, sampler: Source | MergeSource, rng: Generator, count: int) -> Batch | ToMerge:
        """``count`` samples to train on."""
        if isinstance(sampler, MergeSource):
            return sampler.sample(rng, count)
        return self.samples(sampler, rng, count)

    def samples(self, sampler: Source, rng: Generator, count: int, mix: KeypointMix | None = None) -> Batch:
        """``count`` samples; with ``mix``, keypoints are as it says and nothing else is changed, for validation."""
        drawn = sampler.sample(rng, count)
        if isinstance(drawn, tuple):
            return joined(*(self._observed(part, rng, mix) for part in drawn))
        return self._observed(drawn, rng, mix)

    def _observed(self, drawn: ImageBatch | PeopleBatch | Batch, rng: Generator, mix: KeypointMix | None) -> Batch:
        """Samples of ``drawn``: augmented, or exactly as ``mix`` says; or samples already."""
        if isinstance(drawn, Batch):
            return drawn
        return self._observer.augmented(drawn, rng) if mix is None else self._observer.exact(drawn, mix, rng)

    def loss(self, batch: Batch | ToMerge, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms; ``progress`` changes nothing here."""
        if isinstance(batch, ToMerge):
            return loss_of_merging(self._merger, batch)
        if stage == "trunk":
            return self._loss_of_trunk(batch)
        with_image, without = batch.split()
        terms = self._loss_with_image(with_image) if len(with_image.camera) else {}
        if len(without.camera) and self._config.global_to_pixel.corrects:
            terms |= {f"blind_{name}": value for name, value in self._loss_without_image(without).items()}
        return terms

    def _precision(self, batch: Batch) -> AbstractContextManager[object]:
        """The precision that the run asks for, on the batch's device."""
        return hidden_precision(batch.camera.device, self._config.run.bfloat16)

    def _loss_without_image(self, batch: Batch) -> dict[str, Tensor]:
        with self._precision(batch):
            stages = self._network.corrected(wrong_start(self._network, batch), batch.keypoints, batch.camera)
        truth = batch.ground_truth
        return self._loss.of_local_stage(stages, truth, self._loss.true_vertices(truth), batch.camera)

    def _loss_of_trunk(self, batch: Batch) -> dict[str, Tensor]:
        with self._precision(batch):
            seen = self._heads.see(batch.image)
            return self._heads.terms(seen, batch.ground_truth)

    def _loss_with_image(self, batch: Batch) -> dict[str, Tensor]:
        truth, seen = batch.ground_truth, None
        targets = matching_targets(truth)
        with self._precision(batch):
            if self._config.crops.backbone:
                seen = self._heads.see(batch.image)
            features = seen.features if seen else self._network.features(batch.image)
            stages = self._network.stages_from_features(features, batch.keypoints, batch.camera, targets)
        terms = self._loss.of_stages(stages, truth, targets, batch.camera)
        if seen:
            with self._precision(batch):
                terms |= self._heads.terms(seen, truth)
        return terms

    @torch.no_grad()
    def validate(self, sampler: Source, stage: str) -> dict[str, float]:
        """Errors of both stages with exact, erroneous and no keypoints, and what the backbone misses."""
        self.modules.eval()
        with_images = stage != "local" or self._config.crops.own_keypoints > 0
        batches = {source: self._to_evaluate(sampler, with_images, source) for source in EVALUATED}
        report = errors(self._network, self._loss, batches)
        if self._labelled and with_images:
            report |= missed_joints(self._network, self._loss, self._labelled)
        self.modules.train()
        return report

    def _to_evaluate(self, sampler: Source, with_images: bool, source: str) -> Batch:
        """The same people every time, with keypoints of ``source``."""
        key = (with_images, source)
        if key not in self._evaluated:
            people = self._config.run.validation_people
            self._evaluated[key] = self.samples(sampler, default_rng(12345), people, EVALUATED[source])
        return self._evaluated[key]


def _prepared(backbone: Backbone, config: TrainConfig, new: bool) -> Remembering | None:
    """Give the ``backbone`` of a ``new`` run its first weights; what it is held to, which are these, of any run."""
    crops = config.crops
    if new:
        load_backbone(backbone, config.global_to_pixel.checkpoint)
    if not isinstance(backbone, MoveNetBackbone):
        return None
    load_movenet(backbone.trunk)  # of a run that is resumed, the checkpoint's take their place
    for weight in backbone.parameters():  # images come so, and convolutions are faster on them
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return Remembering(backbone, Path(crops.photos), crops.photos_per_step) if crops.photos else None


def _mean_pose(motion: Motion) -> Arrays:
    """Where the global stage starts: the mean of recorded poses, upright and facing the camera; the mean shape."""
    rng = default_rng(0)
    frames = motion.pose[rng.integers(len(motion), size=MEAN_POSE_FRAMES)].astype(np.float64)
    rot6d = rotmat_to_rot6d(rotvec_to_rotmat(frames)).mean(0)
    rest = MeanPose.rest()
    rot6d[0] = rest.rot6d[0]
    return {"mean_rot6d": rot6d.astype(np.float32), "mean_betas": rest.betas.astype(np.float32)}


def build_network(config: TrainConfig, body: BodyModel, topology: Arrays) -> GlobalToPixel:
    """The untrained network; its mean pose is its topology."""
    rot6d, betas = (np.asarray(topology[name], np.float32) for name in ("mean_rot6d", "mean_betas"))
    return GlobalToPixel(config.global_to_pixel, body, MeanPose(rot6d, betas))
