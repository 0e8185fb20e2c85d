# SPDX-License-Identifier: Apache-2.0
"""FreiHAND's protocol against SciPy's Procrustes and nearest neighbours, hand by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.hands.freihand import (
    HandMeshes,
    evaluate_freihand,
    mirroring_aligned,
    read_meshes,
    write_meshes,
)

linalg = pytest.importorskip("scipy.linalg")
spatial = pytest.importorskip("scipy.spatial")

HAND = load_hand_model(models_dir() / "open_hand.npz", np.float64)
RNG = np.random.default_rng(0)


def hands(count: int, bend: float = 0.3, seed: int = 0) -> HandMeshes:
    rng = np.random.default_rng(seed)
    shapes = ((count, 3), (count, 15, 3), (count, 10), (count, 3))
    posed = HAND.posed(*(s * rng.normal(size=shape) for s, shape in zip((1, bend, 1, 0.5), shapes, strict=True)))
    return HandMeshes(HAND.keypoints(posed), posed.vertices)


def aligned_plainly(predicted: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    p, t = (x - x.mean(0) for x in (predicted, ground_truth))
    size = np.linalg.norm(t)
    p, t = p / np.linalg.norm(p), t / size
    rotation, scale = linalg.orthogonal_procrustes(p, t)
    return p @ rotation * scale * size + ground_truth.mean(0)


def scores_plainly(predicted: HandMeshes, ground_truth: HandMeshes) -> dict[str, float]:
    errors: dict[str, list] = {"joints": [], "vertices": [], "5": [], "15": []}
    for k in range(len(predicted.joints)):
        for name in ("joints", "vertices"):
            truth = getattr(ground_truth, name)[k]
            errors[name].append(np.linalg.norm(aligned_plainly(getattr(predicted, name)[k], truth) - truth, axis=1))
        found, truth = aligned_plainly(predicted.vertices[k], ground_truth.vertices[k]), ground_truth.vertices[k]
        precision, recall = spatial.cKDTree(truth).query(found)[0], spatial.cKDTree(found).query(truth)[0]
        for mm in ("5", "15"):
            p, r = (precision < float(mm) / 1000).mean(), (recall < float(mm) / 1000).mean()
            errors[mm].append(2 * p * r / (p + r))
    steps = np.linspace(0, 0.05, 100)
    areas = {}
    for name in ("joints", "vertices"):
        curve = np.array([np.mean(np.array(errors[name]) <= step) for step in steps])
        areas[name] = np.sum((curve[1:] + curve[:-1]) / 2 * np.diff(steps)) / 0.05
    return {
        "pa_mpjpe": 1000 * np.mean(errors["joints"]), "pa_mpvpe": 1000 * np.mean(errors["vertices"]),
        "auc_joints": areas["joints"], "auc_vertices": areas["vertices"],
        "f_5": np.mean(errors["5"]), "f_15": np.mean(errors["15"]),
    }  # fmt: skip


def test_scores_are_those_of_a_plain_implementation():
    predicted, truth = hands(4, seed=1), hands(4, seed=2)
    report = evaluate_freihand(predicted, truth)
    for name, expected in scores_plainly(predicted, truth).items():
        assert getattr(report.official, name) == pytest.approx(expected, rel=1e-9), name
    assert report.count == 4
    assert 5 < report.official.pa_mpjpe < 40
    assert 0.05 < report.official.f_5 < 0.95


def test_a_similar_hand_has_no_error():
    truth = hands(2)
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = HandMeshes(*(1000 * x @ turn + [5, 6, 7] for x in (truth.joints, truth.vertices)))
    report = evaluate_freihand(moved, truth)
    for scores in (report.official, report.rotation):
        assert scores.pa_mpjpe == pytest.approx(0, abs=1e-6)
        assert scores.f_5 == pytest.approx(1)
        assert scores.auc_joints > 0.99  # errors of rounding exceed the first threshold, 0
    assert report.mirrored == 0


def test_the_official_alignment_forgives_mirrored_hands_and_ours_does_not():
    truth = hands(2, bend=0.5)
    inside_out = HandMeshes(truth.joints * [-1, 1, 1], truth.vertices * [-1, 1, 1])
    report = evaluate_freihand(inside_out, truth)
    assert report.official.pa_mpjpe == pytest.approx(0, abs=1e-6)
    assert report.rotation.pa_mpjpe > 5
    assert report.rotation.f_5 < report.official.f_5
    assert report.mirrored == 1
    assert "100.0 % fit better mirrored" in report.table()


def test_alignment_is_scipys():
    predicted, truth = RNG.normal(size=(2, 5, 21, 3))
    expected = [aligned_plainly(p, t) for p, t in zip(predicted, truth, strict=True)]
    assert_allclose(mirroring_aligned(predicted, truth), expected, atol=1e-12)
    flat = mirroring_aligned(np.zeros((1, 21, 3)), truth[:1])  # a prediction without extent lies at the centre
    assert_allclose(flat, np.tile(truth[:1].mean(1, keepdims=True), (1, 21, 1)), atol=1e-9)


def test_predictions_go_through_a_file(tmp_path: Path):
    truth = hands(2)
    write_meshes(truth, tmp_path / "pred.json")
    joints, vertices = json.loads((tmp_path / "pred.json").read_text())
    assert np.shape(joints) == (2, 21, 3)
    assert np.shape(vertices) == (2, 778, 3)
    assert_allclose(read_meshes(tmp_path / "pred.json").vertices, truth.vertices, atol=1e-6)


@pytest.mark.parametrize("content", ["", "[[], []]", "[1, 2]", "[[[[0, 0, 0]]], [[[0, 0, 0]]]]", "{}", "[1]"])
def test_other_files_are_refused(tmp_path: Path, content: str):
    (tmp_path / "pred.json").write_text(content)
    with pytest.raises(ValueError, match=r"pred\.json: expected \[joints \(N, 21, 3\)"):
        read_meshes(tmp_path / "pred.json")


def test_other_numbers_of_hands_and_unknown_ones_are_refused():
    with pytest.raises(ValueError, match="expected predictions of 2 hands, at least one, got 3"):
        evaluate_freihand(hands(3), hands(2))
    with pytest.raises(ValueError, match="expected predictions of 0 hands, at least one"):
        evaluate_freihand(hands(0), hands(0))
    unknown = HandMeshes(np.full((1, 21, 3), np.nan), hands(1).vertices)
    with pytest.raises(ValueError, match="ground truth: joints and vertices must be finite"):
        evaluate_freihand(hands(1), unknown)
