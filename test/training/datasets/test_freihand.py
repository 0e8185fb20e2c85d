# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.hand_model import HandModel, load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.freihand import ROOT, VERSIONS, read_freihand
from test.training.datasets.made_freihand import CAMERA, write_freihand


@pytest.fixture(scope="module")
def hand() -> HandModel:
    """The open hand with a mean pose, as MANO has one."""
    hand = load_hand_model(models_dir() / "open_hand.npz", np.float64)
    return dataclasses.replace(hand, mean_pose=np.linspace(-0.2, 0.3, 45).reshape(15, 3))


@pytest.fixture
def root(tmp_path: Path, hand: HandModel) -> Path:
    write_freihand(tmp_path, hand, 3)
    write_freihand(tmp_path, hand, 2, "evaluation")
    return tmp_path


def test_manos_parameters_give_the_joints_and_the_mesh(root: Path, hand: HandModel):
    people = read_freihand(root, "evaluation", with_vertices=True)
    posed = people.posed(hand)
    assert_allclose(hand.keypoints(posed), people.keypoints, atol=2e-6)
    assert_allclose(posed.vertices, people.vertices, atol=2e-6)
    assert_allclose(people.root_position, people.keypoints[:, ROOT], atol=2e-6)


def test_points_are_seen_where_the_camera_has_them(root: Path):
    people = read_freihand(root, "evaluation")
    x, y, z = people.keypoints[1, 7].astype(float)
    expected = (480 * x / z + CAMERA[0, 2], 480 * y / z + CAMERA[1, 2])
    assert_allclose(people.pixels[1, 7], expected, rtol=1e-5)
    assert_allclose(people.pixels[:, ROOT], people.root_uv, rtol=1e-5)
    assert people.vertices.shape == (2, 0, 3)
    assert people.image.tolist() == ["evaluation/rgb/00000000.jpg", "evaluation/rgb/00000001.jpg"]


def test_training_samples_come_in_four_versions(root: Path):
    people = read_freihand(root, "training")
    assert len(people) == 12
    assert people.image[[0, 2, 3, 11]].tolist() == [f"training/rgb/{k:08d}.jpg" for k in (0, 2, 3, 11)]
    assert_allclose(people.keypoints[3:6], people.keypoints[:3])
    assert_allclose(people.betas[9:], people.betas[:3])
    some = read_freihand(root, "training", versions=("auto", "hom"))
    assert some.image.tolist() == [f"training/rgb/{k:08d}.jpg" for k in (9, 10, 11, 3, 4, 5)]
    assert VERSIONS.index("auto") == 3


def test_what_a_split_lacks_is_unknown(root: Path):
    for name in ("xyz", "mano", "scale"):
        (root / f"evaluation_{name}.json").unlink()
    people = read_freihand(root, "evaluation")
    assert np.isnan(people.keypoints).all()
    assert np.isnan(people.pose).all()
    assert np.isnan(people.bone_m).all()
    assert np.isfinite(people.K).all()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("evaluation_xyz.json", [[[0, 0, 0]] * 21], r"evaluation_xyz\.json: expected 2 samples"),
        ("evaluation_xyz.json", [[[0, 0, 0]] * 20] * 2, r"evaluation_xyz\.json: not a file of FreiHAND.*\(N, 21, 3\)"),
        ("evaluation_K.json", "nonsense", r"evaluation_K\.json: not a file of FreiHAND"),
        ("evaluation_mano.json", {"a": 1}, r"evaluation_mano\.json: not a file of FreiHAND"),
    ],
)
def test_other_files_are_refused(root: Path, file: str, content: object, message: str):
    (root / file).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_freihand(root, "evaluation")


def test_absent_files_and_unknown_names_are_refused(root: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"evaluation_K\.json: not a file of FreiHAND"):
        read_freihand(tmp_path / "empty", "evaluation")
    with pytest.raises(ValueError, match="split: expected one of"):
        read_freihand(root, "test")
    with pytest.raises(ValueError, match=r"versions: expected of .*, got \['green'\]"):
        read_freihand(root, "training", versions=("green",))
