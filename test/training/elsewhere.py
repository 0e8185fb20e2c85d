# SPDX-License-Identifier: Apache-2.0
"""A step of every stage of a recipe, and a validation, on the device that stands in for a GPU."""

import numpy as np
import torch

from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.device import moved, place
from hmr_ros.training.optimising import make_optimiser, only_these_learn, optimise
from hmr_ros.training.recipes import PARTLY_USED, AnyRecipe, stage_names
from hmr_ros.training.trainer import RunningAverage
from test.training.separate_device import separate_device


def train_elsewhere(recipe: AnyRecipe, config: TrainConfig) -> None:
    """Assert that nothing is left on the CPU, and that only stages that are known for it leave weights unused."""
    with separate_device() as device:
        place(recipe.modules, device)
        average = RunningAverage(recipe.modules.state_dict(), 0.9)
        for stage in stage_names(config):
            trained = recipe.trained(stage)
            only_these_learn(recipe.modules, trained)
            batch = moved(recipe.batch(recipe.sampler("train", stage), np.random.default_rng(0), 2), recipe.modules)
            terms = recipe.loss(batch, stage, 1.0)
            optimise(torch.stack(list(terms.values())).sum(), make_optimiser(StageConfig(), trained), recipe.modules, 1)
            average.update(recipe.modules.state_dict(), 1)
            unused = [p for p in recipe.modules.parameters() if p.requires_grad and p.grad is None]
            partly = (config.recipe, stage) in PARTLY_USED
            assert partly or not unused, f"several processes have to look for weights without a gradient in {stage}"
            assert config.recipe == "fusion" or bool(unused) == partly, f"they look for them in vain in {stage}"
            report = recipe.validate(recipe.sampler("val", stage), stage)
            assert all(np.isfinite(value) for value in report.values())
