# SPDX-License-Identifier: Apache-2.0
import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.commands import evaluate_hands
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.hands.freihand import HandMeshes, write_meshes
from hmr_ros.training.datasets.freihand import read_freihand
from test.training.datasets.made_freihand import write_freihand


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    evaluate_hands.add_arguments(parser)
    return evaluate_hands.run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_freihand(tmp_path, load_hand_model(models_dir() / "open_hand.npz", np.float64), 2, "evaluation")
    return tmp_path


def test_predictions_are_scored_in_a_table_and_in_json(root: Path, capsys):
    people = read_freihand(root, "evaluation", with_vertices=True)
    noise = 0.005 * np.random.default_rng(0).normal(size=(2, 21, 3))
    write_meshes(HandMeshes(people.keypoints + noise, people.vertices), root / "pred.json")
    assert run(root, root / "pred.json", "--json", root / "out" / "report.json") == 0
    report = json.loads((root / "out" / "report.json").read_text())
    assert report["count"] == 2
    assert 4 < report["official"]["pa_mpjpe"] < 9
    assert report["official"]["pa_mpvpe"] < 0.01
    assert f"| official | {report['official']['pa_mpjpe']:.1f} | 0.0 |" in capsys.readouterr().out


def test_without_ground_truth_there_are_no_scores(root: Path):
    people = read_freihand(root, "evaluation", with_vertices=True)
    write_meshes(HandMeshes(people.keypoints, people.vertices), root / "pred.json")
    (root / "evaluation_verts.json").unlink()
    with pytest.raises(ValueError, match="ground truth: joints and vertices must be finite"):
        run(root, root / "pred.json")
