# SPDX-License-Identifier: Apache-2.0
import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.training.checkpoint import Checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipes import compact, trained_network
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


@pytest.mark.parametrize("stage", ["lift", "mesh"])
def test_validation_repeats_and_trains_nothing(recipe, stage):
    sampler = recipe.sampler("val", stage)
    before = {name: value.clone() for name, value in recipe.modules.state_dict().items()}
    report = recipe.validate(sampler, stage)
    assert set(report) == {"mpjpe_true", "pa_mpjpe_true", "mpjpe_error", "pa_mpjpe_error"}
    assert report == recipe.validate(sampler, stage)
    assert recipe.modules.training
    assert all(torch.equal(before[name], value) for name, value in recipe.modules.state_dict().items())


def test_true_keypoints_are_exact_in_validation(recipe):
    sampler = recipe.sampler("val", "mesh")
    exact, again = (recipe.batch(sampler, np.random.default_rng(0), 4, mix) for mix in (OBSERVED["true"],) * 2)
    torch.testing.assert_close(exact.keypoints, again.keypoints)
    erroneous = recipe.batch(sampler, np.random.default_rng(0), 4, OBSERVED["error"])
    assert (exact.keypoints != erroneous.keypoints).any()


def test_the_stages_train_their_parts(recipe):
    assert [fraction for _, fraction in recipe.trained("lift")] == [1.0, 1.0]
    assert [fraction for _, fraction in recipe.trained("mesh")] == [compact.LIFTING_FRACTION, 1.0]


def test_a_checkpoints_topology_builds_the_same_network(recipe):
    again = CompactRecipe(updated(TrainConfig(), SMALL), small_motion(), BODY, recipe.topology)
    again.modules.load_state_dict(recipe.modules.state_dict())
    keypoints, context = torch.rand(2, 21, 3), torch.rand(2, 1)
    actual = again.modules["network"](keypoints, context)
    for a, b in zip(actual, recipe.modules["network"](keypoints, context), strict=True):
        assert torch.equal(a, b)


@torch.no_grad()
def test_terms_are_mean_distances_in_metres_with_their_weights(recipe, batch):
    """A truth that is 0.3, 0.4, 0 m off what is predicted is 0.5 m away."""
    network = recipe.modules["network"]
    nodes, joints, joint_error = network.nodes(batch.keypoints, batch.context)
    nodes = nodes[:, : batch.nodes.shape[1]]
    off = torch.tensor([0.3, 0.4, 0])
    human36m = recipe._human36m(nodes) + off
    surface = torch.cat([human36m, batch.surface[:, 17:]], 1)
    truth = batch._replace(joints=joints + off, nodes=1.5 * nodes, surface=surface)
    found = terms(recipe, truth, "mesh")
    a, b = recipe._edge_lengths.edges
    lengths = (nodes[:, a] - nodes[:, b]).norm(dim=-1)
    error = torch.full((6, 23), 0.5)
    expected = {
        "nodes": (0.5 * nodes).norm(dim=-1).mean(),
        "human36m": 0.5,
        "edges": compact.EDGE_WEIGHT * 0.5 * lengths.mean(),
        "joints": 0.5,
        "joint_error": 0.01 * (joint_error[:, 1:].log() + error / joint_error[:, 1:]).mean(),
    }
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-3, abs=1e-4)
    hidden = network.lifting.hidden(batch.keypoints, batch.context)
    lift = recipe._lift_head(hidden).reshape(batch.surface.shape)
    assert terms(recipe, batch._replace(surface=lift + off), "lift")["surface"] == pytest.approx(0.5, rel=1e-3)


def test_edges_are_those_of_the_mesh_each_once(recipe):
    a, b = recipe._edge_lengths.edges
    laplacian = recipe._topology.laplacians[0].toarray()
    assert (a < b).all()
    assert len(a) == (np.triu(laplacian, 1) != 0).sum()
    assert (laplacian[a, b] != 0).all()


def test_keypoints_are_those_of_the_virtual_camera(recipe):
    """The camera looks at the person: their middle lies straight ahead, and rotations keep distances."""
    found = recipe.batch(recipe.sampler("val", "mesh"), np.random.default_rng(0), 4, OBSERVED["true"])
    bones = found.joints[:, 1:].norm(dim=-1)
    assert (bones < 1.2).all()
    assert (bones > 0.03).all()
    assert found.keypoints.shape == (4, 21, 3)


def test_the_validated_joints_are_those_of_the_stage(recipe, batch):
    network = recipe.modules["network"].eval()
    with torch.no_grad():
        nodes = network.nodes(batch.keypoints, batch.context)[0][:, : batch.nodes.shape[1]]
        torch.testing.assert_close(recipe._human36m_joints(batch, "mesh"), recipe._human36m(nodes))
        lift = recipe._human36m_joints(batch, "lift")
    assert lift.shape == (6, 17, 3)
    recipe.modules.train()


def test_upsampling_is_fitted_on_a_body_at_rest_and_random_ones(monkeypatch):
    fitted = {}

    def build(bodies, faces, weights, config):
        fitted["bodies"] = bodies
        raise KeyboardInterrupt

    monkeypatch.setattr(compact, "FITTING_BODIES", 3)
    monkeypatch.setattr(compact, "build_topology", build)
    with pytest.raises(KeyboardInterrupt):
        CompactRecipe(updated(TrainConfig(), SMALL), small_motion(), BODY, None)
    rest = BODY.v_template - BODY.rest_joints(np.zeros((1, 10)))[0, 0]
    np.testing.assert_allclose(fitted["bodies"][0], rest, atol=1e-4)
    assert np.abs(fitted["bodies"][1] - rest).max() > 0.1


def test_a_run_starts_from_the_lifting_network_that_it_names(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(compact, "FITTING_BODIES", 30)
    lifting = recipe.modules["network"].lifting
    stored = [numpy_helper.from_array(v.numpy(), f"lifting.{k}") for k, v in lifting.state_dict().items()]
    onnx.save(helper.make_model(helper.make_graph([], "graph", [], [], stored)), tmp_path / "trained.onnx")
    config = updated(TrainConfig(), SMALL | {"run.lifting": str(tmp_path / "trained.onnx")})
    started = CompactRecipe(config, small_motion(), BODY, None).modules["network"].lifting
    for name, value in lifting.state_dict().items():
        torch.testing.assert_close(started.state_dict()[name], value, rtol=0, atol=0)


def test_the_network_of_a_checkpoint_is_the_trained_one(recipe, batch):
    state = recipe.modules.state_dict()
    progress = {"stage": 1, "step": 3, "best": 0.0, "validation": {}, "optimiser": {}, "schedule": {}}
    checkpoint = Checkpoint(updated(TrainConfig(), SMALL), recipe.topology, state, state, **progress)
    network = recipe.modules["network"].eval()
    with torch.no_grad():
        expected = network(batch.keypoints, batch.context)
        found = trained_network(checkpoint, BODY)(batch.keypoints, batch.context)
    network.train()
    for name, value, again in zip(("vertices", "joints", "joint_error"), expected, found, strict=True):
        torch.testing.assert_close(again, value, rtol=0, atol=0, msg=name)
