# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from hmr_ros.training import optimising
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.optimising import learning_rate_fraction, optimise


def test_learning_rate_schedules():
    cosine = StageConfig(steps=100, warmup=10)
    assert learning_rate_fraction(cosine, 0) == pytest.approx(0.1)
    assert learning_rate_fraction(cosine, 50) == pytest.approx(0.5)
    assert learning_rate_fraction(cosine, 100) == pytest.approx(0)
    drops = StageConfig(steps=100, schedule="multistep", milestones=(0.5, 0.8), gamma=0.1, warmup=0)
    assert [learning_rate_fraction(drops, step) for step in (0, 50, 80)] == pytest.approx([1, 0.1, 0.01])


def test_a_broken_loss_stops_before_it_spoils_the_weights():
    layer = torch.nn.Linear(1, 1)
    before = layer.weight.clone()
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    with pytest.raises(FloatingPointError, match="learning rate"):
        optimise(layer(torch.ones(1, 1)).sum() * math.nan, optimiser, layer, 1.0)
    torch.testing.assert_close(layer.weight, before)


def stage(**changes: object):
    return dataclasses.replace(TrainConfig().lift, **changes)


def test_the_learning_rate_falls_as_asked():
    cosine = stage(steps=100, warmup=0)
    rates = [optimising.learning_rate_fraction(cosine, step) for step in (0, 25, 50, 75, 100, 150)]
    np.testing.assert_allclose(rates, [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0, 0], atol=1e-12)
    drops = stage(steps=100, schedule="multistep", milestones=(0.5, 0.8), gamma=0.3, warmup=0)
    rates = [optimising.learning_rate_fraction(drops, step) for step in (49, 50, 79, 80, 200)]
    np.testing.assert_allclose(rates, [1, 0.3, 0.3, 0.09, 0.09])
    assert optimising.learning_rate_fraction(stage(steps=0, warmup=0), 0) == 1, "a stage of no steps"


def test_a_stage_has_the_optimiser_it_asks_for_and_its_fractions_of_the_rate():
    slow, fast, frozen = nn.Linear(1, 1), nn.Linear(2, 1), nn.Linear(3, 1)
    trained = [(slow, 0.5), (fast, 1.0), (frozen, 0.0)]
    adamw = optimising.make_optimiser(stage(learning_rate=0.2, weight_decay=0.03), trained)
    assert isinstance(adamw, torch.optim.AdamW)
    assert [(group["lr"], group["weight_decay"]) for group in adamw.param_groups] == [(0.1, 0.03), (0.2, 0.03)]
    assert adamw.param_groups[0]["params"][0] is slow.weight
    rmsprop = optimising.make_optimiser(stage(optimiser="rmsprop"), trained)
    assert isinstance(rmsprop, torch.optim.RMSprop)


def test_only_what_has_a_learning_rate_learns():
    modules = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    optimising.only_these_learn(modules, [(modules[0], 1.0), (modules[1], 0.0)])
    assert [module.weight.requires_grad for module in modules] == [True, False, False]
    optimising.only_these_learn(modules, [(modules[2], 0.1)])
    assert [module.weight.requires_grad for module in modules] == [False, False, True]
