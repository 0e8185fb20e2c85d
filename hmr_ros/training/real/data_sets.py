# SPDX-License-Identifier: Apache-2.0
"""The data sets of a run: read once, completed, filtered, in neutral shapes, and split by person."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import file_sha256, models_dir
from hmr_ros.core.skeleton import JointSet
from hmr_ros.training.data_config import DataConfig
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.cameras import completed
from hmr_ros.training.datasets.filters import filtered, neutral_betas
from hmr_ros.training.datasets.layouts import find_layout, read_split
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.datasets.reading import reading
from hmr_ros.training.real.crops import AnnotatedImages
from hmr_ros.training.real.images import ImageDirectory
from hmr_ros.training.real.labels import LabelledImages
from hmr_ros.training.real.mixture import LabelledSource, Mixture, PeopleMixture, Source, weighted
from hmr_ros.training.real.people import AnnotatedSampler, KeypointRule, annotated_keypoints
from hmr_ros.training.synthetic.people import PeopleBatch, VertexSubset

VALIDATED = 20
"""One person in so many is kept for validation."""

_UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""World axes (y up) of a level camera's optical frame."""


class DataSets:
    """The data sets that ``config`` gives a weight, as training samples for the body model ``body``."""

    def __init__(self, config: DataConfig, body: BodyModel) -> None:
        """ValueError without a directory, or for the open body: the fits are parameters of SMPL."""
        if not config.root:
            raise ValueError("data.root: set it to the directory of the data sets (docs/datasets.md)")
        if body.sha256 == file_sha256(models_dir() / "open_body.npz"):
            raise ValueError("run.body: the data sets' poses and shapes are SMPL's; set it to the converted SMPL model")
        self._config, self._body = config, body

    def people(
        self,
        split: str,
        joint_set: JointSet,
        rule: KeypointRule,
        vertices: VertexSubset | None,
        motion: Source[PeopleBatch] | None = None,
    ) -> PeopleMixture:
        """People without images of "train" or "val"; ``motion`` draws the synthetic ones, to be trained on too."""
        samplers = [AnnotatedSampler(p, self._body, joint_set, rule, vertices) for p in self._parts(split).values()]
        sources: list[Source[PeopleBatch]] = list(samplers)
        weights = list(self._config.weights.values())
        regressor: Float32s = samplers[0].regressor
        if motion is not None and self._config.motion and split == "train":
            sources, weights = [*sources, motion], [*weights, self._config.motion]
        mixed = weighted([LabelledSource(source, regressor) for source in sources], weights)
        return PeopleMixture(mixed.sources, mixed.weights, regressor)

    def images(self, split: str, joint_set: JointSet) -> Mixture[LabelledImages]:
        """People with images of "train" or "val"."""
        used = np.flatnonzero(self._body.regressor(joint_set.name).any(0))
        vertices = VertexSubset(used, self._body.regressor(joint_set.name)[:, used])

        def source(name: str, people: AnnotatedPeople) -> AnnotatedImages:
            sampler = AnnotatedSampler(people, self._body, joint_set, annotated_keypoints, vertices)
            return AnnotatedImages(people, sampler, ImageDirectory(Path(self._config.root) / name))

        sources = [source(name, people) for name, people in self._parts(split).items()]
        return weighted(sources, list(self._config.weights.values()))

    def fitted_only(self) -> DataSets:
        """The same without people who have no fit."""
        return _FittedDataSets(self._config, self._body)

    def motion(self) -> Motion:
        """The fitted poses as a motion file has them, for what needs poses without a camera."""
        parts = [part.take(part.fitted) for part in self._all().values()]
        if not any(map(len, parts)):
            raise ValueError(f"{self._names()}: no person with a usable fit; `hmr data check` looks for the cause")
        pose = np.concatenate([part.pose for part in parts]).astype(np.float32)
        pose[:, 0] = rotmat_to_rotvec(_UPRIGHT @ rotvec_to_rotmat(pose[:, 0].astype(np.float64)))
        position = np.concatenate([part.cam_t for part in parts])
        persons, clip = np.unique(np.concatenate([part.person for part in parts]), return_inverse=True)
        return Motion(
            pose=pose,
            trans=(position @ _UPRIGHT).astype(np.float32),
            clip=clip.astype(np.int64),
            clip_id=persons,
            clip_subject=persons,
            clip_category=np.full(len(persons), "data sets"),
            clip_split=np.full(len(persons), "train"),
            clip_leg=np.full(len(persons), np.nan, np.float32),
            fps=1.0,
        )

    def _all(self) -> dict[str, AnnotatedPeople]:
        return {name: _prepared(self._config, name, self._body) for name in self._config.weights}

    def _parts(self, split: str) -> dict[str, AnnotatedPeople]:
        """The people of a split; validation needs fits."""
        parts = {name: _of_split(people, split) for name, people in self._all().items()}
        parts = {name: part.take(part.fitted) if split == "val" else part for name, part in parts.items()}
        if empty := [name for name, part in parts.items() if not len(part)]:
            raise ValueError(
                f"data.{_setting(empty[0])}: no person with a usable fit is left for {split!r}; `hmr data check` looks "
                "for the cause"
            )
        return parts

    def check_images(self) -> None:
        """FileNotFoundError where images are missing: told now, not when one of them is drawn."""
        root = Path(self._config.root)
        for name in self._config.weights:
            ImageDirectory(root / name).check(read_split(root, name, "train", self._body).image.tolist())

    def _names(self) -> str:
        return ", ".join(f"data.{_setting(name)}" for name in self._config.weights)


class _FittedDataSets(DataSets):
    """Without people who have no fit."""

    def _parts(self, split: str) -> dict[str, AnnotatedPeople]:
        return {name: part.take(part.fitted) for name, part in super()._parts(split).items()}


def _setting(name: str) -> str:
    """The setting of a data set's weight."""
    return "threedpw" if name == "3dpw" else name


def _of_split(people: AnnotatedPeople, split: str) -> AnnotatedPeople:
    """Every VALIDATED-th person for "val", the others for "train"; a single person for both."""
    persons, number = np.unique(people.person, return_inverse=True)
    validated = number % VALIDATED == 0
    return people if len(persons) == 1 else people.take(validated if split == "val" else ~validated)


@functools.lru_cache(maxsize=8)
def _prepared(config: DataConfig, name: str, body: BodyModel) -> AnnotatedPeople:
    """The training people of one data set: complete, without bad fits, in shapes of ``body``."""
    root = Path(config.root)
    layout, path = find_layout(root, name, "train")
    people = layout.read(path, body)
    images = ImageDirectory(root / name)
    bodies = _bodies(config, body)
    if missing := set(people.gender[people.fitted].tolist()) - set(bodies):
        raise ValueError(f"{name}: made with SMPL models of gender {sorted(missing)}: set data.body_{min(missing)}")
    available = len(people) and images.find(str(people.image[0])) is not None
    with reading(path):
        people = completed(people, bodies, images.size if available else None)
    return _neutral(filtered(people, bodies), bodies)


def _bodies(config: DataConfig, body: BodyModel) -> dict[str, BodyModel]:
    genders = {"female": config.body_female, "male": config.body_male}
    return {gender: load_body_model(Path(path)) for gender, path in genders.items() if path} | {"neutral": body}


def _neutral(people: AnnotatedPeople, bodies: Mapping[str, BodyModel]) -> AnnotatedPeople:
    """``people`` with the nearest shapes of the neutral body."""
    betas = people.betas.copy()
    for gender, body in bodies.items():
        rows = people.fitted & (people.gender == gender)
        betas[rows] = neutral_betas(betas[rows], body, bodies["neutral"])
    return dataclasses.replace(people, betas=betas, gender=np.full(len(people), "neutral"))
