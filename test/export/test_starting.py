# SPDX-License-Identifier: Apache-2.0
"""A run starts from a checkpoint, or from an exported network as it is shipped."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import load_manifest, models_dir, verify
from hmr_ros.core.settings import updated
from hmr_ros.export.checkpoint import exportable, training_facts, write_artefact
from hmr_ros.export.onnx_graph import largest_difference
from hmr_ros.export.starting import started
from hmr_ros.training.checkpoint import at_stage, save_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipe_files import load_recipe
from hmr_ros.training.recipes import compact, make_recipe, trained_network
from hmr_ros.training.recipes.fusion import FusionRecipe
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")
NOT_EXPORTED = ("lifting.network.features.", "lifting.network.joint_error.", "pixel_stage.pixels.offsets.")
"""Parts of Global-to-Pixel that only its training uses, or only Pose2Mesh."""
FUSION = updated(TrainConfig(), {"recipe": "fusion", "run.workers": 0, "fusion.width": 16})


def fusion(config: TrainConfig = FUSION) -> FusionRecipe:
    return FusionRecipe(config, small_motion(), BODY)


def artefact(path: Path, operation: str = "Identity", **changes: object) -> Path:
    """An exported network of the recipe fusion that computes nothing of use."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node(operation, ["x"], ["y"])], "graph", [value], [value])
    shipped = load_manifest(models_dir() / "fusion.json")
    model = helper.make_model(graph)
    manifest = dataclasses.replace(shipped, name="made", file=path.name, sha256="", **changes)
    write_artefact(model, dataclasses.replace(manifest, sha256=sha256(model)), path)
    return path.with_suffix(".json")


def sha256(model: onnx.ModelProto) -> str:
    return hashlib.sha256(model.SerializeToString()).hexdigest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"provenance": {"recipe": "compact"}}, r"made\.json: a network of the recipe compact, not fusion"),
        ({"body_model_sha256": "0" * 64}, r"made\.json: trained on another body model; set run\.body"),
        ({"operation": "QuantizeLinear"}, r"made\.json: its weights are rounded to int8"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        started(artefact(tmp_path / "made.onnx", **changes), FUSION, fusion(), BODY)


def test_networks_that_are_folded_are_told(tmp_path):
    path = artefact(tmp_path / "made.onnx", provenance={"recipe": "paper"})
    config = updated(TrainConfig(), {"recipe": "paper"})
    with pytest.raises(ValueError, match=r"folded when they are exported; start from a best\.pt"):
        started(path, config, fusion(), BODY)
    with pytest.raises(ValueError, match=r"a\.txt: expected best\.pt of a run, or the \.json or \.onnx"):
        started(tmp_path / "a.txt", config, fusion(), BODY)


def test_a_checkpoint_gives_its_averaged_weights(tmp_path):
    recipe = fusion()
    weights = {name: torch.full_like(value, 0.5) for name, value in recipe.modules.state_dict().items()}
    live = {name: value + 1 for name, value in weights.items()}
    trained = dataclasses.replace(at_stage(0, FUSION, {}, live, weights, BODY.sha256), step=7, best=3.0)
    save_checkpoint(trained, tmp_path / "best.pt")
    found = started(tmp_path / "best.pt", FUSION, recipe, BODY)
    assert (found.step, found.best, found.stage) == (0, np.inf, 0)
    for name, value in weights.items():
        assert torch.equal(found.weights[name], value)
        assert torch.equal(found.average[name], value)
    wider = updated(FUSION, {"fusion.width": 32})
    with pytest.raises(ValueError, match=r"best\.pt: a network of other settings: set \[fusion\]"):
        started(tmp_path / "best.pt", wider, recipe, BODY)
    with pytest.raises(ValueError, match=r"best\.pt: a network of the recipe fusion, not compact"):
        started(tmp_path / "best.pt", TrainConfig(), recipe, BODY)


def run_of(path: Path, value: float, graph: int = 1) -> Path:
    """A run whose weights are all ``value``, on a mesh whose graphs are those of number ``graph``."""
    weights = {name: torch.full_like(w, value) for name, w in fusion().modules.state_dict().items()}
    topology = {"graph.parents": np.array([graph]), "upsampling.data": np.array([value])}
    save_checkpoint(at_stage(0, FUSION, topology, weights, weights, BODY.sha256), path)
    return path


def test_a_run_starts_from_the_mean_of_runs_that_had_one_start(tmp_path):
    first, *others = (run_of(tmp_path / f"{value}.pt", value) for value in (0.0, 3.0, 6.0))
    config = updated(FUSION, {"run.start": str(first), "run.mean_with": tuple(map(str, others))})
    found = started(first, config, fusion(config), BODY)
    for value in (*found.weights.values(), *found.average.values()):
        torch.testing.assert_close(value, torch.full_like(value, 3.0))
    assert found.topology["upsampling.data"] == 0, "the mesh of the first"


def test_the_manifest_names_the_runs_of_a_mean():
    runs = {"run.start": "models/a.json", "run.mean_with": ("runs/far/best.pt", "runs/near/best.pt"), "run.motion": ""}
    facts = training_facts(updated(TrainConfig(), runs))
    assert (facts["start"], facts["mean_with"]) == ("a.json", "far, near")


def test_the_mean_of_runs_on_other_meshes_is_refused(tmp_path):
    first, other = run_of(tmp_path / "a.pt", 0.0), run_of(tmp_path / "b.pt", 1.0, graph=2)
    config = updated(FUSION, {"run.start": str(first), "run.mean_with": (str(other),)})
    with pytest.raises(ValueError, match=r"b\.pt: its mesh is coarsened otherwise; average runs that started from one"):
        started(first, config, fusion(config), BODY)


@pytest.mark.slow
def test_settings_that_differ_are_named():
    with pytest.raises(
        ValueError, match=r"fusion\.json: .*expected .*the file has .*Set \[fusion\] as for that network"
    ):
        started(models_dir() / "fusion.json", FUSION, fusion(), BODY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "name", "tolerance"),
    [
        ("pose2mesh", "pose2mesh", 5e-4),  # the graph's constants are stored as fp16, and computed again
        ("fusion", "fusion", 2e-5),
        ("hand_pose2mesh", "hand_pose2mesh", 1e-5),
        ("global_to_pixel_thunder", "global_to_pixel", 1e-3),
    ],
)
def test_a_shipped_network_is_read_back(monkeypatch, recipe, name, tolerance):
    """Its weights are exact, and it gives what ONNX Runtime makes of the file."""
    monkeypatch.setattr(compact, "FITTING_BODIES", 30)
    monkeypatch.setattr(compact, "HEAD_PEOPLE", 1500)
    settings = (
        ["people.poses.low=0"]
        if recipe != "global_to_pixel_thunder"
        else ["crops.photos=''", "crops.shards=''", "run.local_stage=''"]
    )
    config = load_recipe(Path(recipe), settings)
    new = make_recipe(config, small_motion(), BODY, None)
    path = models_dir() / f"{name}.json"
    checkpoint = started(path, config, new, BODY)
    network = trained_network(checkpoint, BODY)
    model = onnx.load_from_string(verify(load_manifest(path), path))
    assert largest_difference(model, exportable(checkpoint, network, BODY)) < tolerance
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    numbers = set(
        np.concatenate([array.ravel() for array in stored if array.dtype in (np.float16, np.float32)]).tolist()
    )
    for key, value in network.state_dict().items():
        if key.endswith("weight") and not key.startswith(NOT_EXPORTED):
            assert numbers.issuperset(value.ravel()[:1000].tolist()), key


@pytest.mark.slow
def test_the_head_of_lifting_is_fitted_as_no_file_holds_it(monkeypatch):
    monkeypatch.setattr(compact, "FITTING_BODIES", 30)
    monkeypatch.setattr(compact, "HEAD_PEOPLE", 3000)
    config = load_recipe(Path("pose2mesh"), ["run.validation_people=300", "people.poses.low=0"])
    new = make_recipe(config, small_motion(), BODY, None)
    untrained = new.validate(new.sampler("val", "lift"), "lift")
    started(models_dir() / "pose2mesh.json", config, new, BODY)
    fitted = new.validate(new.sampler("val", "lift"), "lift")
    assert fitted["mpjpe_true"] < 0.2 * untrained["mpjpe_true"]
