"""The compact recipe on a network of a few weights: what each term responds to, and what validation measures."""

import dataclasses

import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.config import RunConfig, TrainConfig
from hmr_ros.training.recipes import compact
from test.training.datasets.test_motion import small_motion


@pytest.fixture(scope="module")
def recipe():
    config = TrainConfig(run=RunConfig(validation_people=6, bfloat16=False))
    small = dataclasses.replace(config.compact, width=16, blocks=1, channels=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "FITTING_BODIES", 20)
        body = load_body_model(models_dir() / "open_body.npz")
        return compact.CompactRecipe(dataclasses.replace(config, compact=small), small_motion(), body, None)


@pytest.fixture(scope="module")
def batch(recipe):
    return recipe.batch(recipe.sampler("train", "mesh"), np.random.default_rng(0), 4)


def total(terms):
    return torch.stack(list(terms.values())).sum()


def test_samples_are_relative_to_the_pelvis_and_one_person(batch):
    assert batch.joints.shape == (4, 24, 3)
    torch.testing.assert_close(batch.joints[:, 0], torch.zeros(4, 3))
    off = (batch.surface[:, :17].mean(1) - batch.joints.mean(1)).norm(dim=-1)
    assert (off < 0.3).all()
    assert (batch.nodes.amax(1) - batch.nodes.amin(1)).amax(-1).gt(0.5).all()


@pytest.mark.parametrize("stage", ["lift", "mesh"])
def test_a_few_steps_lower_the_loss(recipe, batch, stage):
    torch.manual_seed(0)
    parameters = [p for module, _ in recipe.trained(stage) for p in module.parameters()]
    optimiser = torch.optim.Adam(parameters, 1e-2)
    losses = []
    for _ in range(6):
        loss = total(recipe.loss(batch, stage, 0.0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_terms_respond_to_their_targets_and_to_nothing_else(recipe, batch):
    before = recipe.loss(batch, "mesh", 0.0)
    moved = recipe.loss(batch._replace(nodes=batch.nodes + 0.5), "mesh", 0.0)
    assert {name for name in before if not torch.equal(before[name], moved[name])} <= {"nodes", "edges"}
    assert moved["nodes"] != before["nodes"]
    torch.testing.assert_close(moved["edges"], before["edges"], atol=1e-6, rtol=1e-4)
    joints = recipe.loss(batch._replace(joints=batch.joints + 0.5), "mesh", 0.0)
    assert {name for name in before if not torch.equal(before[name], joints[name])} == {"joints", "joint_error"}


def test_the_stages_train_their_parts(recipe):
    assert [fraction for _, fraction in recipe.trained("lift")] == [1.0, 1.0]
    assert [fraction for _, fraction in recipe.trained("mesh")] == [compact.LIFTING_FRACTION, 1.0]


@pytest.mark.parametrize("stage", ["lift", "mesh"])
def test_validation_reports_the_same_people_twice_and_trains_nothing(recipe, stage):
    sampler = recipe.sampler("val", stage)
    before = {name: value.clone() for name, value in recipe.modules.state_dict().items()}
    report = recipe.validate(sampler, stage)
    assert set(report) == {f"{kind}_{source}" for kind in ("mpjpe", "pa_mpjpe") for source in ("true", "error")}
    assert all(0 < value < 3000 for value in report.values())
    assert recipe.validate(sampler, stage) == report
    assert recipe.modules.training
    assert all(torch.equal(before[name], value) for name, value in recipe.modules.state_dict().items())
