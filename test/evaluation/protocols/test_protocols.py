# SPDX-License-Identifier: Apache-2.0
"""The protocols against the obvious computation, person by person and joint by joint."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.held_out.case import Case, Prediction
from hmr_ros.evaluation.protocols.errors import PersonErrors, acceleration_errors
from hmr_ros.evaluation.protocols.evaluate import ProtocolRow, evaluate, read_people
from hmr_ros.evaluation.protocols.registry import PROTOCOLS
from hmr_ros.evaluation.protocols.report import ProtocolReport, described, text, unseen
from hmr_ros.training.datasets.human36m import read_subjects
from hmr_ros.training.real.images import ImageDirectory
from test.training.datasets import made
from test.training.datasets.test_human36m import write_subject

BODY = load_body_model(models_dir() / "open_body.npz", np.float64)
JOINTS14 = [1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16]


class Wrong:
    """Estimates bodies that have nothing to do with the person, and remembers them."""

    name, joint_set, reads_images = "wrong", "human36m", False

    def __init__(self) -> None:
        self.made: list[np.ndarray] = []

    def predict(self, case: Case) -> list[Prediction]:
        rng, count = np.random.default_rng(len(self.made)), len(case.score)
        pose = rng.normal(0, 0.3, (count, 24, 3))
        posed = BODY.posed(pose[:, 0], pose[:, 1:], rng.normal(size=(count, 10)), rng.normal(size=(count, 3)))
        self.made.extend(posed.vertices)
        unknown = np.full((count, 24), np.nan)
        return [Prediction("wrong", posed.vertices, posed.joints, posed.joints[:, 0], unknown)]


def aligned(p: np.ndarray, g: np.ndarray) -> np.ndarray:
    """``p`` after the best similarity transform to ``g``."""
    a, b = p - p.mean(0), g - g.mean(0)
    rotated = Rotation.align_vectors(b, a)[0].apply(a)
    return (rotated * b).sum() / (a * a).sum() * rotated + g.mean(0)


def mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return 1000 * sum(float(np.sqrt(((x - y) ** 2).sum())) for x, y in zip(a, b, strict=True)) / len(a)


def obvious(vertices: np.ndarray, true_vertices: np.ndarray, true_joints: np.ndarray, rows: list[int]) -> dict:
    joints = BODY.regressor("human36m") @ vertices
    p, g = joints - joints[0], true_joints - true_joints[0]
    pelvis, true_pelvis = BODY.J_regressor[0] @ vertices, BODY.J_regressor[0] @ true_vertices
    off = [1000 * float(np.linalg.norm(p[k] - g[k])) for k in rows]
    return {
        "MPJPE": mean_distance(p[rows], g[rows]),
        "PA-MPJPE": mean_distance(aligned(joints[rows], true_joints[rows]), true_joints[rows]),
        "MPVPE": mean_distance(vertices - pelvis, true_vertices - true_pelvis),
        "PA-MPVPE": mean_distance(aligned(vertices, true_vertices), true_vertices),
        "PCK": 100 * sum(x <= 150 for x in off) / len(off),
        "AUC": 100 * sum(x <= t for x in off for t in range(0, 151, 5)) / len(off) / 31,
    }


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    directory = tmp_path_factory.mktemp("human36m")
    write_subject(directory, 9, BODY)
    people = read_subjects(directory, BODY, (9,), 25)
    return dataclasses.replace(people, human36m=people.human36m + np.random.default_rng(0).normal(0, 0.05, (3, 17, 3)))


@pytest.mark.parametrize(
    ("name", "rows"), [("human36m-p1", JOINTS14), ("3dpw", JOINTS14), ("mpi-inf-3dhp", list(range(17)))]
)
def test_errors_are_those_of_an_independent_implementation(people, name, rows):
    predictor = Wrong()
    images = ImageDirectory(models_dir())
    (row,) = evaluate(PROTOCOLS[name], predictor, people, BODY, {"neutral": BODY}, images)
    true = BODY.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t).vertices
    each = [obvious(v, t, j, rows) for v, t, j in zip(predictor.made, true, people.human36m, strict=True)]
    assert row.count == 3
    for metric, interval in row.errors.items():
        if metric != "acceleration":
            expected = np.mean([errors[metric] for errors in each])
            assert interval.mean == pytest.approx(expected, abs=0.01), metric
    joints = np.array([BODY.regressor("human36m") @ v for v in predictor.made])
    off = [(x - x[:1])[rows] - (y - y[:1])[rows] for x, y in zip(joints, people.human36m, strict=True)]
    if "acceleration" in row.errors:
        expected = 1000 * np.linalg.norm(off[0] - 2 * off[1] + off[2], axis=1).mean()
        assert row.errors["acceleration"].mean == pytest.approx(expected, abs=0.01)


def test_measured_joints_alone_have_no_mesh_errors(people):
    measured = dataclasses.replace(people, pose=np.full((3, 24, 3), np.nan))
    protocol = dataclasses.replace(PROTOCOLS["3dpw"])
    (row,) = evaluate(protocol, Wrong(), measured, BODY, {"neutral": BODY}, ImageDirectory(models_dir()))
    assert set(row.errors) == {"MPJPE", "PA-MPJPE", "acceleration"}


def test_a_network_that_reads_keypoints_needs_some(people):
    without = dataclasses.replace(people, kp2d_score=np.zeros((3, 17)), box=np.ones((3, 4)) * [0, 0, 9, 9])
    with pytest.raises(ValueError, match="wrong reads 2D keypoints, and these annotations have none"):
        evaluate(PROTOCOLS["3dpw"], Wrong(), without, BODY, {"neutral": BODY}, ImageDirectory(models_dir()))


def test_people_whom_no_keypoint_shows_are_counted(people):
    assert unseen(people) == ""
    score = people.kp2d_score.copy()
    score[1] = 0
    assert unseen(dataclasses.replace(people, kp2d_score=score)) == "; 1 people without any"


def test_accelerations_stay_within_a_track_and_the_step_of_the_data():
    """Frames 0, 5, 10 of one person, 0, 5, 15 of another before the same camera: one triple has no gap."""
    error = np.random.default_rng(0).normal(size=(7, 2, 3))
    errors = PersonErrors(np.zeros((7, 1)), error, np.zeros_like(error))
    frame = np.array([0, 5, 10, 0, 5, 15, 20])
    values, rows = acceleration_errors(errors, np.array(["a"] * 7), frame)
    assert rows.tolist() == [1]
    expected = 1000 * np.linalg.norm(error[0] - 2 * error[1] + error[2], axis=1).mean()
    np.testing.assert_allclose(values, [expected])
    values, _ = acceleration_errors(errors, np.array(list("abababa")), np.arange(7))
    assert len(values) == 3, "0 2 4, 2 4 6 and 1 3 5"
    assert len(acceleration_errors(errors, np.array(["a"] * 7), np.full(7, -1))[0]) == 0


def test_protocols_read_their_own_split(tmp_path):
    directory = tmp_path / "human36m"
    directory.mkdir()
    for subject in (9, 11):
        write_subject(directory, subject, BODY)
    assert len(read_people(PROTOCOLS["human36m-p1"], tmp_path, BODY)[0]) == 6
    assert len(read_people(PROTOCOLS["human36m"], tmp_path, BODY)[0]) == 4
    with pytest.raises(FileNotFoundError, match=r"3dpw: no annotations for 'test'; expected one of 3DPW_latest_test"):
        read_people(PROTOCOLS["3dpw"], tmp_path, BODY)
    people = made.people(["a.jpg"], body=BODY)
    made.write_spin(tmp_path / "mpi_inf_3dhp" / "mpi_inf_3dhp_valid.npz", people, pose=None, shape=None, has_smpl=None)
    assert read_people(PROTOCOLS["mpi-inf-3dhp"], tmp_path, BODY)[0].measured.all()


def test_the_report_says_what_was_evaluated_on_what(tmp_path):
    for name in ("b.pkl", "a.pkl"):
        (tmp_path / name).write_bytes(name.encode())
    before = described(tmp_path / "a.pkl")
    assert "2 files, sha256 " in before
    (tmp_path / "b.pkl").write_bytes(b"changed")
    assert described(tmp_path / "a.pkl") != before
    interval = SimpleNamespace(mean=1.0, __str__=lambda: "")
    rows = [ProtocolRow("x", 3, {"MPJPE": 1.0, "PCK": 2.0}), ProtocolRow("y", 3, {"MPJPE": interval})]
    report = text(ProtocolReport("3dpw", "m", {"protocol": "p", "data": "d"}, rows)).splitlines()
    assert report[:3] == ["protocol  p", "data      d", ""]
    assert report[3].split("  ")[0] == "output"
    assert "MPJPE (mm)" in report[3]
    assert "PCK (%)" in report[3]
    assert report[5].split()[-1] == "-"
