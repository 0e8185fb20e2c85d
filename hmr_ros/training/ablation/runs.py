"""One run of the ablation: train a variant on stored features, then judge it as `hmr evaluate` does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import default_rng
from tqdm import tqdm

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.manifest import atomic_path
from hmr_ros.training.ablation.features import Seen, StoredFeatures
from hmr_ros.training.ablation.variants import Variant
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.evaluation.case import Case
from hmr_ros.training.evaluation.crop_predictor import trained_crop_predictor
from hmr_ros.training.evaluation.protocol import errors_of
from hmr_ros.training.evaluation.report import Errors, join_errors
from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe
from hmr_ros.training.train import learning_rate_share, make_optimiser, only_these_learn, optimise

STAGE = "images"


@dataclass(frozen=True, eq=False)
class Material:
    """What all runs share. ``cases`` are the people to judge, their image features in the place of images."""

    motion: Motion
    body: BodyModel
    pictures: Seen
    cases: list[Case]


def errors_of_run(variant: Variant, seed: int, config: TrainConfig, material: Material, path: Path) -> Errors:
    """Errors of the trained variant on everybody, from ``path`` if the run was made before."""
    if not path.exists():
        errors = judged(trained(variant.of(config, seed), material, f"{variant.name}, seed {seed}"), material)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **vars(errors))
    with np.load(path) as archive:
        return Errors(**{field.name: archive[field.name] for field in dataclasses.fields(Errors)})


def trained(config: TrainConfig, material: Material, label: str) -> GlobalToPixelRecipe:
    """Both stages of a network, trained on pictures in a random order, every one equally often."""
    torch.manual_seed(config.run.seed)
    recipe = GlobalToPixelRecipe(config, material.motion, material.body, None)
    network, stage = recipe.modules["network"], config.images
    network.backbone = StoredFeatures(network.backbone)
    parts = recipe.trained(STAGE)
    only_these_learn(recipe.modules, parts)
    optimiser = make_optimiser(stage, parts)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate_share(stage, step))
    rng, due = default_rng(config.run.seed), np.zeros(0, np.int64)
    for step in tqdm(range(stage.steps), desc=label, unit="step", leave=False):
        while len(due) < stage.batch_size:
            due = np.concatenate([due, rng.permutation(len(material.pictures))])
        rows, due = due[: stage.batch_size], due[stage.batch_size :]
        terms = recipe.loss(material.pictures.take(rows), STAGE, step / stage.steps)
        optimise(torch.stack(list(terms.values())).sum(), optimiser, recipe.modules, stage.clip)
        schedule.step()
    return recipe


def judged(recipe: GlobalToPixelRecipe, material: Material) -> Errors:
    """Errors of the last stage alone, on everybody."""
    network, body = recipe.modules["network"].eval(), material.body
    predictor = trained_crop_predictor("ablation", network, body)
    parts = []
    for case in material.cases:
        assert case.shown is not None, "the people were drawn in pictures"
        found = predictor.stages(case.shown)[-1].recovered(case.shown.view, body)
        parts.append(errors_of(found, case, body))
    return join_errors(parts)
