# SPDX-License-Identifier: Apache-2.0
"""One run of the ablation: train a variant on stored features, then evaluate it as `hmr evaluate` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor
from tqdm import tqdm

from hmr_ros.core.arrays import Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.records import join_rows
from hmr_ros.evaluation.ablation.features import StoredFeatures, StoredImages, network_of
from hmr_ros.evaluation.ablation.variants import WITHOUT_LOCAL, Variant
from hmr_ros.evaluation.held_out.case import Case
from hmr_ros.evaluation.held_out.crop_predictor import trained_crop_predictor
from hmr_ros.evaluation.held_out.protocol import errors_of
from hmr_ros.evaluation.held_out.report import Errors
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.optimising import learning_rate_fraction, make_optimiser, only_these_learn, optimise
from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe

Weights = Mapping[str, Tensor]

STAGE = "images"


@dataclass(frozen=True, eq=False)
class Material:
    """The data of all runs. ``cases`` are the people to evaluate, with image features in place of images.

    ``weights``: of a network that all runs start from, as far as they have such parts; none start as new ones do.
    """

    motion: Motion
    body: BodyModel
    images: StoredImages
    cases: list[Case]
    weights: Weights = field(default_factory=dict)


def errors_of_run(variant: Variant, config: TrainConfig, material: Material, start: Weights, path: Path) -> Errors:
    """Errors of the variant, trained as ``config`` says, on all people; read from ``path`` if it was trained before.

    ``start``: the weights of the global stage that its training starts from.
    """
    if not path.exists():
        label = f"{variant.name}, seed {config.run.seed}"
        errors = evaluated(trained(variant.of(config), material, label, start), material)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **vars(errors))
    with np.load(path) as archive:
        return Errors(**{field.name: archive[field.name] for field in dataclasses.fields(Errors)})


def global_stage(config: TrainConfig, material: Material, steps: int, path: Path) -> Weights:
    """The global stage trained alone for ``steps``; read from ``path`` if it was trained before.

    No gradient of a local stage reaches it, so all variants of a seed share it.
    """
    if not path.exists():
        longer = dataclasses.replace(config, images=dataclasses.replace(config.images, steps=steps))
        recipe = trained(WITHOUT_LOCAL.of(longer), material, f"global stage, seed {config.run.seed}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            torch.save(network_of(recipe).global_stage.state_dict(), temporary)
    weights: Weights = torch.load(path, weights_only=True)
    return weights


def trained(config: TrainConfig, material: Material, label: str, start: Weights | None = None) -> GlobalToPixelRecipe:
    """Both stages of a network, trained on images in a random order, every one equally often."""
    torch.manual_seed(config.run.seed)
    recipe = GlobalToPixelRecipe(config, material.motion, material.body, None)
    network, stage = network_of(recipe), config.images
    load_common(network, material.weights)
    network.add_module("backbone", StoredFeatures(network.backbone))
    if start:
        network.global_stage.load_state_dict(start)
    parts = recipe.trained(STAGE)
    only_these_learn(recipe.modules, parts)
    optimiser = make_optimiser(stage, parts)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate_fraction(stage, step))
    order = shuffled(len(material.images), stage.batch_size, default_rng(config.run.seed))
    for step in tqdm(range(stage.steps), desc=label, unit="step", leave=False):
        terms = recipe.loss(material.images.take(next(order)), STAGE, step / stage.steps)
        optimise(torch.stack(list(terms.values())).sum(), optimiser, recipe.modules, stage.clip)
        schedule.step()
    return recipe


def load_common(network: GlobalToPixel, weights: Weights) -> None:
    """Give ``network`` those of ``weights`` that it has in the same shape: variants have other parts."""
    own = network.state_dict()
    common = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict(common, strict=False)


def shuffled(count: int, batch_size: int, rng: Generator) -> Iterator[Int64s]:
    """Endless batches of the numbers below ``count``; every number comes once before any is repeated."""
    due = np.zeros(0, np.int64)
    while True:
        while len(due) < batch_size:
            due = np.concatenate([due, rng.permutation(count)])
        yield due[:batch_size]
        due = due[batch_size:]


def evaluated(recipe: GlobalToPixelRecipe, material: Material) -> Errors:
    """Errors of the last stage alone, on all people."""
    network, body = network_of(recipe).eval(), material.body
    predictor = trained_crop_predictor("ablation", network, body)
    parts = []
    for case in material.cases:
        assert case.shown is not None, "the people were drawn in images"
        found = predictor.stages(case.shown)[0][-1].predicted(case.shown.view, body)
        parts.append(errors_of(found, case, body))
    return join_rows(parts)
