# SPDX-License-Identifier: Apache-2.0
"""Every recipe on a device that refuses what was not moved to it, as a GPU does."""

import numpy as np
import pytest
import torch
from torch import nn

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.networks import meshnet
from hmr_ros.networks.chebyshev import DenseLaplacian
from hmr_ros.training import device as placing
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.device import pins_memory, place
from hmr_ros.training.recipes import compact, make_recipe, paper
from test.training.datasets.test_motion import small_motion
from test.training.elsewhere import train_elsewhere
from test.training.recipes import test_hands, test_hands_paper, test_hands_pixel
from test.training.recipes.test_global_to_pixel import SMALL
from test.training.recipes.test_paper import SETTINGS, FewNumbers
from test.training.separate_device import Separate, separate_device

BODY = load_body_model(models_dir() / "open_body.npz")
RECIPES = {
    "compact": {"run.validation_people": 3, "compact.width": 16, "compact.blocks": 1, "compact.channels": 4},
    "paper": SETTINGS,
    "global_to_pixel": SMALL | {"crops.backbone": 0.1, "run.validation_people": 1},
}
HANDS = (test_hands.SMALL, test_hands_paper.SMALL, updated(test_hands_pixel.SHIPPED, test_hands_pixel.SMALL))
"""Fusion over time, the last recipe, has its own sequences: test_fusion.py."""


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_and_a_validation_on_another_device(name, monkeypatch):
    monkeypatch.setattr(paper, "build_network", lambda *_: FewNumbers())
    monkeypatch.setattr(compact, "FITTING_BODIES", 30)
    config = updated(TrainConfig(), RECIPES[name] | {"recipe": name})
    torch.manual_seed(0)
    recipe = make_recipe(config, small_motion(), BODY, {"unused": np.zeros(1)} if name == "paper" else None)
    train_elsewhere(recipe, config)


@pytest.mark.slow
@pytest.mark.parametrize("config", HANDS, ids=lambda config: config.recipe)
def test_hands_on_another_device(config, monkeypatch):
    monkeypatch.setattr(meshnet, "SparseLaplacian", DenseLaplacian)  # the stand-in knows no sparse tensors
    torch.manual_seed(0)
    train_elsewhere(make_recipe(config, None, BODY, None), config)


def test_what_was_not_moved_is_refused():
    with separate_device() as device:
        layer = nn.Linear(2, 1).to(device)
        assert isinstance(layer(torch.zeros(3, 2, device=device)), Separate)
        with pytest.raises(RuntimeError, match="a tensor \\(3, 2\\) of the CPU"):
            layer(torch.zeros(3, 2))


def test_the_stand_in_computes_what_the_cpu_does():
    torch.manual_seed(0)
    layer, x = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.GELU()), torch.randn(5, 4)
    expected = layer(x).square().mean()
    expected.backward()
    gradient = layer[0].weight.grad.clone()
    layer.zero_grad()
    with separate_device() as device:
        value = layer.to(device)(x.to(device)).square().mean()
        value.backward()
    assert value.item() == expected.item()
    assert torch.equal(layer[0].weight.grad.cpu(), gradient)


def test_convolutions_of_a_gpu_have_channels_last_and_batches_pinned_memory(monkeypatch):
    monkeypatch.setattr(placing, "_FORMATS", {"cpu": torch.channels_last})
    modules = nn.ModuleList([nn.Conv2d(3, 4, 3), nn.Linear(3, 4)])
    modules.register_buffer("rotations", torch.zeros(2, 5, 3, 3))
    place(modules, torch.device("cpu"))
    assert modules[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert not modules[0].weight.is_contiguous()
    assert modules.rotations.is_contiguous(), "no weight of a convolution, though it has four dimensions"
    assert [pins_memory(torch.device(name)) for name in ("cuda", "cpu")] == [True, False]


def test_networks_view_images_with_their_channels_last():
    """As batches hold them, so that nothing is copied."""
    image = torch.zeros(2, 32, 24, 3, dtype=torch.uint8)
    assert image.permute(0, 3, 1, 2).float().is_contiguous(memory_format=torch.channels_last)


@pytest.mark.slow
def test_the_format_of_weights_changes_no_loss(monkeypatch):
    losses = []
    for formats in ({}, {"cpu": torch.channels_last}):
        monkeypatch.setattr(placing, "_FORMATS", formats)
        torch.manual_seed(0)
        recipe = make_recipe(updated(TrainConfig(), RECIPES["global_to_pixel"]), small_motion(), BODY, None)
        place(recipe.modules, torch.device("cpu"))
        batch = recipe.batch(recipe.sampler("train", "images"), np.random.default_rng(0), 2)
        losses.append(torch.stack(list(recipe.loss(batch, "images", 1.0).values())).sum())
    torch.testing.assert_close(*losses)
