<<<<<<< HEAD
=======
"""The compact recipe on a network of a few weights: what each term responds to, and what validation measures."""

import dataclasses

>>>>>>> bite
import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
<<<<<<< HEAD
from hmr_ros.core.settings import updated
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipes import compact
from hmr_ros.training.recipes.compact import OBSERVED, Batch, CompactRecipe
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")
SMALL = {
    "run.bfloat16": False,
    "run.validation_people": 4,
    "compact.width": 16,
    "compact.blocks": 1,
    "compact.channels": 4,
}


@pytest.fixture(scope="module")
def recipe():
    """Its up-sampling is fitted on fewer bodies than in earnest."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "FITTING_BODIES", 30)
        return CompactRecipe(updated(TrainConfig(), SMALL), small_motion(), BODY, None)


@pytest.fixture(scope="module")
def batch(recipe) -> Batch:
    return recipe.batch(recipe.sampler("train", "mesh"), np.random.default_rng(0), 6)


def terms(recipe, batch: Batch, stage: str) -> dict[str, float]:
    return {name: value.item() for name, value in recipe.loss(batch, stage, 0.0).items()}


@pytest.mark.parametrize(
    ("stage", "wrong", "answering"),
    [
        ("lift", "joints", {"joints", "joint_error"}),
        ("lift", "surface", {"surface"}),
        ("lift", "nodes", set()),
        ("mesh", "joints", {"joints", "joint_error"}),
        ("mesh", "surface", {"human36m"}),
        ("mesh", "nodes", {"nodes", "edges"}),
        ("mesh", "keypoints", {"nodes", "edges", "human36m", "joints", "joint_error"}),
    ],
)
def test_each_term_answers_to_what_it_measures(recipe, batch, stage, wrong, answering):
    other = batch._replace(**{wrong: 1.3 * getattr(batch, wrong)})
    before, after = terms(recipe, batch, stage), terms(recipe, other, stage)
    assert {name for name in before if before[name] != after[name]} == answering


def test_edges_do_not_feel_a_shift(recipe, batch):
    before, after = (terms(recipe, b, "mesh") for b in (batch, batch._replace(nodes=batch.nodes + 0.2)))
    assert after["edges"] == pytest.approx(before["edges"], rel=1e-4)
    assert after["nodes"] > before["nodes"]


@pytest.mark.parametrize("stage", ["lift", "mesh"])
def test_steps_on_one_batch_lower_every_term(recipe, batch, stage):
    parameters = [p for module, _ in recipe.trained(stage) for p in module.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=3e-3)
    saved = {name: value.clone() for name, value in recipe.modules.state_dict().items()}
    before = terms(recipe, batch, stage)
    for _ in range(15):
        optimiser.zero_grad()
        torch.stack(list(recipe.loss(batch, stage, 0.0).values())).sum().backward()
        optimiser.step()
    after = terms(recipe, batch, stage)
    recipe.modules.load_state_dict(saved)
    for name in before:
        assert after[name] < before[name], name


def test_the_error_that_is_expected_does_not_train_the_lifting(recipe, batch):
    recipe.modules.zero_grad()
    recipe.loss(batch, "lift", 0.0)["joint_error"].backward()
    touched = {name for name, p in recipe.modules.named_parameters() if p.grad is not None and p.grad.any()}
    assert touched == {f"network.lifting.joint_error.{name}" for name in ("weight", "bias")}


def test_nodes_and_surface_are_those_of_the_same_body(batch):
    """The Human3.6M pelvis, read from the mesh nodes, lies near the joint all is relative to."""
    assert (batch.joints[:, 0] == 0).all()
    assert (batch.surface[:, 0].norm(dim=-1) < 0.15).all()
    assert (batch.nodes.mean(1).norm(dim=-1) < 0.6).all()


def test_validation_repeats_and_is_exact_where_it_says_so(recipe):
    sampler = recipe.sampler("val", "mesh")
    report = recipe.validate(sampler, "mesh")
    assert report == recipe.validate(sampler, "mesh")
    assert set(report) == {"mpjpe_true", "pa_mpjpe_true", "mpjpe_error", "pa_mpjpe_error"}
    exact, again = (recipe.batch(sampler, np.random.default_rng(0), 4, mix) for mix in (OBSERVED["true"],) * 2)
    torch.testing.assert_close(exact.keypoints, again.keypoints)
    erroneous = recipe.batch(sampler, np.random.default_rng(0), 4, OBSERVED["error"])
    assert (exact.keypoints != erroneous.keypoints).any()


def test_a_checkpoints_topology_builds_the_same_network(recipe):
    again = CompactRecipe(updated(TrainConfig(), SMALL), small_motion(), BODY, recipe.topology)
    again.modules.load_state_dict(recipe.modules.state_dict())
    keypoints, context = torch.rand(2, 21, 3), torch.rand(2, 1)
    actual = again.modules["network"](keypoints, context)
    for a, b in zip(actual, recipe.modules["network"](keypoints, context), strict=True):
        assert torch.equal(a, b)
=======
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
>>>>>>> bite
