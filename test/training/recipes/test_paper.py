# SPDX-License-Identifier: Apache-2.0
"""The recipe's own parts, with a network that is a few numbers: the real one's graphs take a while to build."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.networks.meshnet import BODY_SHAPE
from hmr_ros.networks.pose2mesh import Pose2MeshOutput, normalise_pose
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipes import paper
from hmr_ros.training.recipes.paper import Batch, PaperRecipe
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")
SETTINGS = {
    "recipe": "paper",
    "paper.joint_set": "human36m",
    "people.min_visible": 17,
    "run.validation_people": 3,
    "mesh.epochs": 10,
}


class FewNumbers(nn.Module):
    """A pose and a mesh that do not depend on the input, but for a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.posenet = nn.Sequential(nn.Flatten(), nn.Linear(34, 51), nn.Unflatten(1, (17, 3)))
        self.vertices = nn.Parameter(torch.from_numpy(BODY.v_template).float())

    def forward(self, pose2d: torch.Tensor) -> Pose2MeshOutput:
        return Pose2MeshOutput(self.vertices.expand(len(pose2d), -1, -1), self.posenet(pose2d))


@pytest.fixture(scope="module")
def recipe():
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "build_network", lambda *_: FewNumbers())
        return PaperRecipe(updated(TrainConfig(), SETTINGS), small_motion(), BODY, {"unused": np.zeros(1)})


@pytest.fixture(scope="module")
def batch(recipe) -> Batch:
    return recipe.batch(recipe.sampler("train", "mesh"), np.random.default_rng(0), 4)


def terms(recipe, batch: Batch, stage: str, progress: float = 0.0) -> dict[str, float]:
    return {name: value.item() for name, value in recipe.loss(batch, stage, progress).items()}


def test_a_sample_is_one_body_relative_to_its_root(recipe, batch):
    assert (batch.pose3d[:, 0] == 0).all()
    joints = 1000 * torch.from_numpy(BODY.regressor("human36m").astype(np.float32)) @ batch.vertices
    torch.testing.assert_close(joints - joints[:, :1], batch.pose3d, atol=1, rtol=0)  # mm


def test_only_noisy_samples_have_the_papers_error(recipe, batch):
    sampler = recipe.sampler("train", "mesh")
    exact = recipe.batch(sampler, np.random.default_rng(0), 4, noisy=False)
    torch.testing.assert_close(exact.vertices, batch.vertices)
    assert (exact.pose2d - batch.pose2d).abs().max() > 0.01
    torch.testing.assert_close(exact.pose2d, normalise_pose(exact.pose2d), atol=1e-4, rtol=1e-4)


ANSWERING = [
    ("lift", "pose3d", {"lift"}),
    ("lift", "vertices", set()),
    ("mesh", "pose3d", {"lift", "joint"}),
    ("mesh", "vertices", {"vertex", "normal", "edge"}),
]
"""The stage, what is wrong, and the terms that tell, of Pose2Mesh as published, of bodies and of hands."""


@pytest.mark.parametrize(("stage", "wrong", "answering"), ANSWERING)
def test_each_term_answers_to_what_it_measures(recipe, batch, stage, wrong, answering):
    value = getattr(batch, wrong)
    other = batch._replace(**{wrong: value * torch.tensor([1.0, 1.5, 1.0])})
    before, after = terms(recipe, batch, stage, 0.9), terms(recipe, other, stage, 0.9)
    assert {name for name in before if before[name] != after[name]} == answering


def test_edges_count_late_in_the_stage(recipe, batch):
    assert "edge" not in terms(recipe, batch, "mesh", 0.69)
    assert "edge" in terms(recipe, batch, "mesh", 0.7)


@pytest.mark.parametrize("stage", ["lift", "mesh"])
def test_steps_on_one_batch_lower_the_loss(recipe, batch, stage):
    saved = {name: value.clone() for name, value in recipe.modules.state_dict().items()}
    ((trained, _),) = recipe.trained(stage)
    optimiser = torch.optim.RMSprop(trained.parameters(), lr=1e-3)
    before = sum(terms(recipe, batch, stage).values())
    for _ in range(5):
        optimiser.zero_grad()
        torch.stack(list(recipe.loss(batch, stage, 0.0).values())).sum().backward()
        optimiser.step()
    after = sum(terms(recipe, batch, stage).values())
    recipe.modules.load_state_dict(saved)
    assert after < before


@pytest.mark.parametrize(("stage", "names"), [("lift", {"lift"}), ("mesh", {"mpjpe", "pa_mpjpe"})])
def test_validation_reports_the_stage(recipe, stage, names):
    sampler = recipe.sampler("val", stage)
    report = recipe.validate(sampler, stage)
    assert set(report) == {f"{name}_{source}" for name in names for source in ("true", "error")}
    assert report == recipe.validate(sampler, stage)


def test_units_are_millimetres_for_joints_and_metres_for_the_mesh(recipe, batch):
    assert 300 < batch.pose3d.norm(dim=-1).max() < 1500
    assert 0.5 < batch.vertices.norm(dim=-1).max() < 1.8


@pytest.mark.parametrize(("topology", "built"), [(None, 1), ({"known": np.zeros(1)}, 0)])
def test_a_new_run_builds_the_graph_and_a_resumed_one_keeps_that_of_its_checkpoint(monkeypatch, topology, built):
    asked, used = [], []
    graph = SimpleNamespace(to_arrays=lambda: {"new": np.ones(1)})
    monkeypatch.setattr(paper, "build_graph", lambda body, *how: asked.append(how) or graph)
    monkeypatch.setattr(paper, "build_network", lambda config, body, arrays: used.append(arrays) or FewNumbers())
    made = PaperRecipe(updated(TrainConfig(), SETTINGS), small_motion(), BODY, topology)
    assert asked == [("pose2mesh", BODY_SHAPE)] * built
    assert set(made.topology) == set(used[0]) == ({"new"} if built else {"known"})


def test_the_stages_train_their_parts(recipe):
    assert recipe.trained("lift") == [(recipe.modules["network"].posenet, 1.0)]
    assert recipe.trained("mesh") == [(recipe.modules["network"], 1.0)]


@pytest.mark.parametrize("stage", ["lift", "mesh"])
def test_both_stages_see_the_same_people(recipe, batch, stage):
    """Posenet's stage poses the vertices alone that its joints are made of."""
    sampler = recipe.sampler("train", stage)
    found = recipe.batch(sampler, np.random.default_rng(0), 4, noisy=False)
    used = int((BODY.regressor("human36m") != 0).any(0).sum())
    assert found.vertices.shape[1] == (used if stage == "lift" else BODY.vertex_count)
    joints = recipe.batch(recipe.sampler("train", "mesh"), np.random.default_rng(0), 4, noisy=False).pose3d
    if stage == "mesh":
        torch.testing.assert_close(found.pose3d, joints)


@pytest.mark.parametrize("stage", ["lift", "mesh"])
def test_networks_are_validated_as_they_are_used_and_then_trained_on(recipe, stage, monkeypatch):
    network, modes = recipe.modules["network"], []
    network.posenet.register_forward_hook(lambda *_: modes.append(network.training))
    network.train()
    recipe.validate(recipe.sampler("val", stage), stage)
    assert modes
    assert not any(modes)
    assert network.training


def test_exact_keypoints_are_validated_exactly_and_erroneous_ones_with_errors(recipe, monkeypatch):
    asked, original = [], recipe.batch
    monkeypatch.setattr(recipe, "batch", lambda *of: asked.append((of[2], of[3])) or original(*of))
    recipe.validate(recipe.sampler("val", "lift"), "lift")
    assert asked == [(3, False), (3, True)]


def test_the_edge_loss_is_reached_by_default():
    config = TrainConfig(recipe="paper")
    assert config.mesh.epochs > config.paper_loss.edge_start_epoch


def test_errors_of_the_input_may_be_left_out(recipe):
    sampler = recipe.sampler("val", "mesh")
    exact = recipe.batch(sampler, np.random.default_rng(3), 2, noisy=False).pose2d
    assert not torch.equal(recipe.batch(sampler, np.random.default_rng(3), 2).pose2d, exact)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "_config", updated(recipe._config, {"paper.errors": "none"}))
        assert torch.equal(recipe.batch(sampler, np.random.default_rng(3), 2).pose2d, exact)
