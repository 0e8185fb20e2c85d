# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from itertools import product

import pytest
import torch

from hmr_ros.cli import arguments_of
from hmr_ros.commands import ablate
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.ablation import runs
from hmr_ros.evaluation.ablation.features import network_of
from hmr_ros.evaluation.ablation.pose2mesh import training
from hmr_ros.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import save_motion
from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe
from test.networks.global_to_pixel.test_network import SMALL, build
from test.training.datasets.test_motion import small_motion
from test.training.real.made_root import write_root

BODY = load_body_model(models_dir() / "open_body.npz")

SETTINGS = """
recipe = "global_to_pixel"
[run]
bfloat16 = false
[global_to_pixel]
global_width = 16
width = 16
layers = 1
heads = 2
points = 1
pixel_width = 8
[local]
steps = {local}
[images]
steps = {images}
batch_size = 3
warmup = 1
"""


@pytest.fixture
def command(tmp_path):
    """-> a function that runs ``hmr ablate`` on a few images."""
    save_motion(small_motion(), tmp_path / "motion.npz")

    def ablated(local: int = 0, images: int = 3, people: int = 5) -> int:
        config = tmp_path / "ablation.toml"
        config.write_text(SETTINGS.format(local=local, images=images))
        words = [config, "--motion", tmp_path / "motion.npz", "--out", tmp_path / "out"]
        words += ["--images", 7, "--people", people, "--seeds", 2, "--head-start", 2]
        return ablate.run(arguments_of("ablate", ablate, list(map(str, words))))

    return ablated


@pytest.mark.slow
def test_every_variant_is_trained_once_and_compared(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablate, "SHARD_SIZE", 8)
    assert command() == 0
    names = {"full", "match", "sampler", "residual", "local"}
    for seed in ("seed0", "seed1"):
        assert {path.stem for path in (tmp_path / "out" / seed).iterdir()} == names | {"global_stage"}
    report = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [row["variant"]["paper_mpjpe"] for row in report["rows"]] == [42.3, 44.1, 44.5, 45.6, 47.8]
    assert report["rows"][0]["mpjpe"]["worse"]["mean"] == 0
    assert all(len(row["mpjpe"]["each"]) == 2 for row in report["rows"])
    means = [row["mpjpe"]["mean"]["mean"] for row in report["rows"]]
    assert len(set(means)) == 5, "every variant is another network"
    starts = [torch.load(path, weights_only=True) for path in (tmp_path / "out").glob("seed*/global_stage.pt")]
    assert any((starts[0][name] != starts[1][name]).any() for name in starts[0])
    table = capsys.readouterr().out
    assert "Paper: full < fixed matching < fixed RoI < no residual < no local encoding" in table

    (tmp_path / "out" / "seed1" / "local.npz").unlink()
    made = []
    original = runs.trained
    monkeypatch.setattr(runs, "trained", lambda *arguments: made.append(arguments[2]) or original(*arguments))
    assert command() == 0
    assert made == ["no local encoding, seed 1"], "finished runs are kept"
    assert json.loads((tmp_path / "out" / "ablation.json").read_text()) == report, "the same seed, the same network"

    with pytest.raises(ValueError, match=r"settings.json: the runs there were made with other settings"):
        command(images=4)


def test_variants_must_start_equal(command):
    with pytest.raises(ValueError, match=r"ablation.toml: expected recipe = 'global_to_pixel', .* and 5"):
        command(local=5)


def test_runs_start_from_a_checkpoint_or_an_exported_network_of_their_size(tmp_path):
    config = TrainConfig(recipe="global_to_pixel", global_to_pixel=SMALL)
    wider = dataclasses.replace(SMALL, global_width=48)
    for name, size in (("small", SMALL), ("wider", wider)):
        network = build(BODY, size)
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        of_size = dataclasses.replace(config, global_to_pixel=size)
        save_checkpoint(Checkpoint(of_size, {}, weights, weights, 0, 0, 0.0, {}, {}, {}), tmp_path / f"{name}.pt")
    recipe = GlobalToPixelRecipe(config, small_motion(), BODY, None)
    with pytest.raises(ValueError, match=r"wider\.pt: a network of other settings"):
        ablate._start(tmp_path / "wider.pt", config, recipe, BODY)
    found = ablate._start(tmp_path / "small.pt", config, recipe, BODY)
    assert set(found) == set(network_of(recipe).state_dict())
    assert all((value == found[name]).all() for name, value in network_of(recipe).state_dict().items())


POSE2MESH = """
recipe = "paper"
[run]
bfloat16 = false
workers = 0
validation_people = 2
[people]
min_visible = 17
[people.occlusion]
half_plane = 0.0
rectangle = 0.0
limb = 0.0
single_joints = 0.0
[paper]
posenet_width = 16
fc_width = 8
narrower = 32
[lift]
steps = 2
batch_size = 4
[mesh]
steps = 1
batch_size = 2
"""


def pose2mesh(tmp_path, *words: str) -> int:
    (tmp_path / "paper.toml").write_text(POSE2MESH)
    save_motion(small_motion(), tmp_path / "motion.npz")
    always = ["--motion", tmp_path / "motion.npz", "--out", tmp_path / "out", "--people", 4, "--seeds", 2]
    return ablate.run(arguments_of("ablate", ablate, list(map(str, [tmp_path / "paper.toml", *always, *words]))))


def errors_of(row: str, text: str) -> list[str]:
    """The errors of the first row called ``row`` in a table that was printed."""
    (line, *_) = (line for line in text.splitlines() if line.startswith(f"| {row} |"))
    return line.split("|")[6:]


@pytest.mark.slow
def test_the_cells_of_pose2mesh_are_trained_once_from_one_posenet(tmp_path, monkeypatch, capsys):
    assert pose2mesh(tmp_path) == 0
    table = capsys.readouterr().out
    assert "2D: coco, 4 people:" in table
    out = tmp_path / "out"
    names = {"posenet", "recipe", "target-smpl", "network-fc", "target-smpl_network-fc"}
    assert {path.name for path in (out / "seed1").iterdir()} == names
    report = json.loads((out / "cells.json").read_text())
    assert len(report["rows"]) == 4 * 3
    assert all(row["figures"]["MPJPE"]["worse"]["mean"] == 0 for row in report["rows"][::4])
    runs = {name: load_checkpoint(out / "seed0" / name / "last.pt") for name in names}
    assert {run.stage for name, run in runs.items() if name != "posenet"} == {1}
    trained = [run.config.paper for run in runs.values()]
    assert {(paper.target, paper.network) for paper in trained} == set(product(("vertices", "smpl"), ("graph", "fc")))

    monkeypatch.setattr(training, "Trainer", None)  # finished runs are read
    assert pose2mesh(tmp_path) == 0
    first, again = (errors_of("vertices, graph", text) for text in (table, capsys.readouterr().out))
    assert first == again
    with pytest.raises(ValueError, match=r"settings.json: the runs there were made with other settings"):
        pose2mesh(tmp_path, "--set", "mesh.steps=2")


def on_data_sets(tmp_path, *words: str) -> int:
    """``hmr ablate --table data`` on Human3.6M and 3DPW, evaluated by a protocol of each."""
    root = tmp_path / "data"
    if not root.exists():
        root.mkdir()
        write_root(root)
    data = f'[data]\nroot = "{root}"\nbody_male = "{root / "smpl.npz"}"\nhuman36m = 1.0\nthreedpw = 1.0\n'
    settings = POSE2MESH.replace("[people]", f'body = "{root / "smpl.npz"}"\n{data}[people]', 1)
    (tmp_path / "data.toml").write_text(settings)
    always = ["--out", tmp_path / "out", "--table", "data", "--seeds", 1, "--set", "run.motion="]
    return ablate.run(arguments_of("ablate", ablate, list(map(str, [tmp_path / "data.toml", *always, *words]))))


@pytest.mark.slow
def test_data_sets_are_added_one_by_one_and_evaluated_by_protocols(tmp_path, capsys):
    protocols = ["--protocol", "human36m", "--protocol", "3dpw"]
    with pytest.raises(ValueError, match=r"gender \['male'\]: set --body-female, --body-male"):
        on_data_sets(tmp_path, *protocols)
    assert not list((tmp_path / "out").glob("seed*")), "told before anything is trained"
    assert on_data_sets(tmp_path, *protocols, "--body-male", str(tmp_path / "data" / "smpl.npz")) == 0
    table = capsys.readouterr().out
    assert "human36m, 4 people:" in table
    assert "3dpw, 6 people:" in table
    rows = json.loads((tmp_path / "out" / "data.json").read_text())["rows"]
    assert [(row["test"], row["arm"]["name"]) for row in rows] == [
        (test, arm) for test in ("human36m", "3dpw") for arm in ("human36m", "human36m + threedpw")
    ]


def test_what_an_ablation_lacks_is_told_before_it_trains(tmp_path, command):
    with pytest.raises(ValueError, match=r"--seeds: expected at least 1, got 0"):
        pose2mesh(tmp_path, "--seeds", "0")
    (tmp_path / "paper.toml").write_text('recipe = "paper"\n[run]\nmotion = ""\n')
    args = arguments_of("ablate", ablate, [str(tmp_path / "paper.toml"), "--out", str(tmp_path / "out")])
    with pytest.raises(ValueError, match=r"run\.motion: set it, or --motion"):
        ablate.run(args)
    (tmp_path / "paper.toml").write_text('recipe = "compact"\n')
    with pytest.raises(ValueError, match=r"or recipe = 'paper'; got 'compact'"):
        ablate.run(args)


def test_data_sets_to_add_must_be_there(tmp_path):
    with pytest.raises(ValueError, match="table data: expected two data sets"):
        pose2mesh(tmp_path, "--table", "data")
