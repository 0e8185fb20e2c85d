# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.cli import arguments_of
from hmr_ros.commands import evaluate, evaluate_hands
from hmr_ros.core.arrays import Array
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import Manifest, TensorSpec, models_dir
from hmr_ros.evaluation.hands.freihand import HandMeshes, read_meshes, write_meshes
from hmr_ros.training.datasets.freihand import read_freihand
from test.training.datasets.made_freihand import write_freihand

SPEC = TensorSpec("x", "float32", ("N",))


def run(*arguments: object) -> int:
    return evaluate_hands.run(arguments_of("evaluate-hands", evaluate_hands, [str(a) for a in arguments]))


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


class Flat:
    """A network of the paper's form whose meshes are flat: its joints are the points that it reads, in m."""

    status = "stub"
    manifest = Manifest(
        "stub", "hand_pose2mesh", "stub.onnx", "0" * 64, (SPEC,), (SPEC,), "none", normalisation={"input": "pixels"}
    )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        keypoints = inputs["keypoints"]
        joints = np.concatenate([keypoints, 0 * keypoints[..., :1]], -1)
        return {"vertices": np.repeat(joints, 38, 1)[:, :778], "joints": joints}

    def close(self) -> None:
        pass


def test_a_network_is_scored_on_the_annotated_points_or_on_those_of_a_detector(root: Path, monkeypatch):
    monkeypatch.setattr(evaluate_hands, "open_engine", lambda path, backend: Flat())
    people = read_freihand(root, "evaluation")
    assert run(root, "--network", "net.json", "--write", root / "exact.json") == 0
    found = read_meshes(root / "exact.json")
    assert_allclose(found.joints[..., :2], people.keypoints[..., :2] / people.keypoints[..., 2:], atol=1e-5)
    shifted = root / "points.json"
    shifted.write_text(json.dumps((people.pixels + [48, 0]).tolist()))
    assert run(root, "--network", "net.json", "--keypoints", shifted, "--write", root / "seen.json") == 0
    assert_allclose(read_meshes(root / "seen.json").joints - found.joints, np.tile([0.1, 0, 0], (2, 21, 1)), atol=1e-5)


def by_protocol(model: str, *arguments: object) -> int:
    given = [models_dir() / model, "--protocol", "freihand", *arguments]
    return evaluate.run(arguments_of("evaluate", evaluate, [str(a) for a in given]))


def test_a_network_is_scored_by_the_protocol(root: Path, capsys):
    report, predictions = root / "report.json", root / "pred.json"
    assert by_protocol("hand_pose2mesh.json", "--data", root, "--json", report) == 0
    by_name = json.loads(report.read_text())
    assert run(root, "--network", models_dir() / "hand_pose2mesh.json", "--write", predictions) == 0
    assert run(root, predictions, "--json", report) == 0
    for name, score in json.loads(report.read_text())["official"].items():
        assert by_name["official"][name] == pytest.approx(score, abs=1e-3)
    assert "| official |" in capsys.readouterr().out


def test_the_protocol_is_of_hands(root: Path):
    with pytest.raises(ValueError, match=r"pose2mesh\.json: --protocol freihand expects .* got 'pose2mesh'"):
        by_protocol("pose2mesh.json", "--data", root)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "either FreiHAND's directory or --rendered"),
        (("--rendered", "x", "root"), "either FreiHAND's directory or --rendered"),
        (("root",), "root: expected either a pred.json or --network"),
        (("root", "pred.json", "--network", "net.json"), "root: expected either a pred.json or --network"),
        (("root", "pred.json", "--keypoints", "points.json"), "--keypoints, --write: only with"),
        (("--rendered", "x", "--write", "pred.json"), "--keypoints, --write: only with"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments: tuple[str, ...], message: str):
    with pytest.raises(ValueError, match=message):
        run(*arguments)


def test_points_of_other_files_are_refused(root: Path, monkeypatch):
    monkeypatch.setattr(evaluate_hands, "open_engine", lambda path, backend: Flat())
    points = root / "points.json"
    for content, message in (
        ("[1, 2]", r"points\.json: expected 2D joints"),
        ("[]", r"expected 2D joints \(2, 21, 2\)"),
    ):
        points.write_text(content)
        with pytest.raises(ValueError, match=message):
            run(root, "--network", "net.json", "--keypoints", points)


def test_without_ground_truth_there_are_no_scores(root: Path):
    people = read_freihand(root, "evaluation", with_vertices=True)
    write_meshes(HandMeshes(people.keypoints, people.vertices), root / "pred.json")
    (root / "evaluation_verts.json").unlink()
    with pytest.raises(ValueError, match="ground truth: joints and vertices must be finite"):
        run(root, root / "pred.json")
