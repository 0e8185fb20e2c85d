# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh on hands as published, with a narrow network."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.cli import main
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.core.settings import load_toml, updated
from hmr_ros.networks.hand_pose2mesh_paper import build_hand_graph
from hmr_ros.networks.pose2mesh import normalise_pose
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipe_files import find_recipe
from hmr_ros.training.recipes import needs_motion, stage_names
from hmr_ros.training.recipes.hands_paper import Batch, HandPaperRecipe, hand_path
from test.training.datasets.made_freihand import write_freihand
from test.training.recipes.test_paper import ANSWERING

HAND = load_hand_model(models_dir() / "open_hand.npz")
PAPER = load_toml(find_recipe(Path("hand_pose2mesh_paper")), TrainConfig)
SMALL = updated(
    PAPER,
    {"run.validation_people": 3, "hands_paper.posenet_width": 16, "hands_paper.narrower": 32, "hand_mix.exact": 0.0},
)


@pytest.fixture(scope="module")
def recipe() -> HandPaperRecipe:
    torch.manual_seed(0)
    return HandPaperRecipe(SMALL, None)


@pytest.fixture(scope="module")
def batch(recipe: HandPaperRecipe) -> Batch:
    return recipe.batch(recipe.sampler("train", "mesh"), np.random.default_rng(0), 4)


def terms(recipe: HandPaperRecipe, batch: Batch, stage: str, progress: float = 0.0) -> dict[str, float]:
    return {name: value.item() for name, value in recipe.loss(batch, stage, progress).items()}


def test_the_shipped_settings_are_the_papers():
    assert stage_names(PAPER) == ("lift", "mesh")
    assert not needs_motion(PAPER)
    for stage, epochs, drop in ((PAPER.lift, 120, 90), (PAPER.mesh, 40, 30)):
        assert stage.steps == epochs * (4 * 32560 // 64)
        assert (stage.optimiser, stage.learning_rate, stage.batch_size) == ("rmsprop", 1e-3, 64)
        assert (stage.schedule, stage.gamma, stage.warmup, stage.clip) == ("multistep", 0.1, 0, 0.0)
        assert stage.milestones == (drop / epochs,)
        assert stage.epochs == epochs
    weights = PAPER.paper_loss
    assert (weights.vertex, weights.joint, weights.normal, weights.edge, weights.lift) == (1, 1e-3, 0.1, 20, 1e-3)
    assert PAPER.hands_paper.posenet_width == 4096
    assert PAPER.hands_paper.narrower == 1


def test_a_sample_is_one_hand_about_its_wrist_in_mm_and_m(recipe, batch):
    assert (batch.pose3d[:, 0] == 0).all()
    joints = 1000 * torch.from_numpy(HAND.keypoint_regressor) @ batch.vertices
    torch.testing.assert_close(joints, batch.pose3d, atol=0.05, rtol=0)
    assert 60 < batch.pose3d.norm(dim=-1).max() < 300
    torch.testing.assert_close(batch.pose2d, normalise_pose(batch.pose2d), atol=1e-4, rtol=1e-4)
    assert batch.pose2d.mean(1).abs().max() < 1e-5


def test_only_noisy_samples_have_errors(recipe, batch):
    sampler = recipe.sampler("train", "mesh")
    exact, noisy = (recipe.batch(sampler, np.random.default_rng(0), 4, noisy=noisy) for noisy in (False, True))
    torch.testing.assert_close(exact.vertices, batch.vertices)
    torch.testing.assert_close(noisy.pose2d, batch.pose2d)
    assert (exact.pose2d - batch.pose2d).abs().max() > 0.01


@pytest.mark.parametrize(("stage", "wrong", "answering"), ANSWERING)
def test_each_term_answers_to_what_it_measures(recipe, batch, stage, wrong, answering):
    other = batch._replace(**{wrong: getattr(batch, wrong) * torch.tensor([1.0, 1.5, 1.0])})
    recipe.modules.eval()
    before, after = terms(recipe, batch, stage, 0.9), terms(recipe, other, stage, 0.9)
    recipe.modules.train()
    assert {name for name in before if before[name] != after[name]} == answering


def test_edges_count_from_the_sixteenth_epoch_on(recipe, batch):
    assert "edge" not in terms(recipe, batch, "mesh", 14.9 / 40)
    assert "edge" in terms(recipe, batch, "mesh", 15 / 40)


def test_the_stages_train_their_parts(recipe):
    assert recipe.trained("lift") == [(recipe.modules["network"].posenet, 1.0)]
    assert recipe.trained("mesh") == [(recipe.modules["network"], 1.0)]


@pytest.mark.parametrize(("stage", "names"), [("lift", {"lift"}), ("mesh", {"pa_mpjpe", "pa_mpvpe"})])
def test_validation_is_in_mm_and_the_same_every_time(recipe, stage, names):
    sampler = recipe.sampler("val", stage)
    report = recipe.validate(sampler, stage)
    assert set(report) == {f"{name}_{source}" for name in names for source in ("true", "error")}
    assert report == recipe.validate(sampler, stage)
    assert all(10 < value < 200 for value in report.values())
    assert recipe.modules["network"].training


def test_a_resumed_run_keeps_the_graph_of_its_checkpoint(recipe, monkeypatch):
    monkeypatch.setattr("hmr_ros.training.recipes.hands_paper.build_hand_graph", lambda *_: pytest.fail("built"))
    again = HandPaperRecipe(SMALL, recipe.topology)
    assert again.topology is recipe.topology
    again.modules.load_state_dict(recipe.modules.state_dict())


def test_the_users_hand_model_is_trained_on(tmp_path: Path, recipe):
    mano = tmp_path / "mano_right.npz"
    with np.load(models_dir() / "open_hand.npz") as shipped:
        schema = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "hands_mean")
        np.savez(mano, **{name: shipped[name] for name in schema})
    write_freihand(tmp_path, load_hand_model(mano, np.float64), 4)
    config = updated(SMALL, {"freihand.directory": str(tmp_path), "freihand.hand": str(mano)})
    assert hand_path(config) == mano
    own = HandPaperRecipe(config, recipe.topology)
    found = own.batch(own.sampler("train", "mesh"), np.random.default_rng(0), 2)
    assert found.vertices.shape == (2, 778, 3)
    drawn = HandPaperRecipe(updated(config, {"freihand.directory": ""}), recipe.topology)
    with pytest.raises(ValueError, match=r"expected the shipped open_hand\.npz"):
        drawn.sampler("train", "mesh")


def test_left_hands_are_refused(tmp_path: Path, recipe):
    with np.load(models_dir() / "open_hand.npz") as shipped:
        arrays = dict(shipped)
    np.savez(tmp_path / "left.npz", **{**arrays, "v_template": arrays["v_template"] * [-1, 1, 1]})
    with pytest.raises(ValueError, match=r"freihand\.hand: expected a right hand, .*left\.npz is a left one"):
        HandPaperRecipe(updated(SMALL, {"freihand.hand": str(tmp_path / "left.npz")}), recipe.topology)


def test_the_graph_is_that_of_the_mesh(recipe):
    graph = build_hand_graph(dataclasses.replace(SMALL.hands_paper, rescaling="textbook"), HAND)
    assert (graph.perm == recipe.topology["perm"]).all()
    assert not np.array_equal(graph.laplacians[0].data, recipe.topology["0.data"])


@pytest.mark.slow
@pytest.mark.parametrize("data", ["freihand", "drawn"])
def test_from_the_command_line_to_scores_on_freihand(tmp_path: Path, data: str, capsys):
    pytest.importorskip("onnxruntime")
    hand = load_hand_model(models_dir() / "open_hand.npz", np.float64)
    write_freihand(tmp_path, hand, 6)
    write_freihand(tmp_path, hand, 3, "evaluation")
    small = {"run.device": "cpu", "run.workers": 0, "run.validation_people": 3, "run.threads": 1}
    small |= {"hands_paper.posenet_width": 16, "hands_paper.narrower": 16}
    small |= {f"{stage}.{name}": 3 for stage in ("lift", "mesh") for name in ("steps", "batch_size")}
    if data == "freihand":
        small["freihand.directory"] = str(tmp_path)
    settings = [part for name, value in small.items() for part in ("--set", f"{name}={value}")]
    run, network = tmp_path / "run", tmp_path / "paper"
    assert main(["train", "hand_pose2mesh_paper", "--out", str(run), *settings]) == 0
    licence = ["--licence", "FreiHAND's"] if data == "freihand" else []
    if licence:
        assert main(["export", str(run / "best.pt"), "--out", str(network)]) == 1
        assert "trained on freihand, whose terms bind them" in capsys.readouterr().err
    assert main(["export", str(run / "best.pt"), "--out", str(network), *licence]) == 0
    manifest = load_manifest(network.with_suffix(".json"))
    assert (manifest.kind, manifest.joint_set, manifest.body_model) == ("hand_pose2mesh", "mano", "open_hand")
    assert manifest.licence == (licence[1] if licence else "Apache-2.0")
    score, predictions = ["evaluate-hands", str(tmp_path)], str(tmp_path / "pred.json")
    lifted = ["--network", str(network.with_suffix(".json")), "--write", predictions]
    assert main([*score, *lifted, "--json", str(tmp_path / "lifted.json")]) == 0
    assert main([*score, predictions, "--json", str(tmp_path / "read.json")]) == 0
    lifted_scores, read = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("lifted", "read"))
    assert lifted_scores["count"] == 3
    assert lifted_scores["official"]["pa_mpvpe"] == pytest.approx(read["official"]["pa_mpvpe"], abs=0.01)
