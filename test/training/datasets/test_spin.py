# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO17
from hmr_ros.training.datasets.spin import read_spin


@pytest.fixture(scope="module")
def body():
    return load_body_model(models_dir() / "open_body.npz")


def write_spin(path, **replaced):
    rng = np.random.default_rng(0)
    arrays = {
        "imgname": np.array(["a.jpg", "b.jpg", "c.jpg"]),
        "center": rng.normal(size=(3, 2)),
        "scale": np.ones(3),
        "part": rng.uniform(0, 500, (3, 24, 3)),
        "pose": rng.normal(size=(3, 72)),
        "shape": rng.normal(size=(3, 10)),
        "has_smpl": np.array([1, 0, 1]),
        "gender": np.array(["m", "f", "f"]),
    }
    np.savez(path, **{k: v for k, v in (arrays | replaced).items() if v is not None})
    return arrays


def test_people_with_smpl_are_read(tmp_path, body):
    arrays = write_spin(tmp_path / "x.npz")
    people = read_spin(tmp_path / "x.npz", body)
    assert people.image.tolist() == ["a.jpg", "c.jpg"]
    assert people.gender.tolist() == ["male", "female"]
    np.testing.assert_allclose(people.pose[1].ravel(), arrays["pose"][2], rtol=1e-6)
    np.testing.assert_allclose(people.betas[1], arrays["shape"][2], rtol=1e-6)
    assert np.isnan(people.K).all()
    expected = {"nose": 19, "left_eye": 20, "right_ear": 23, "left_shoulder": 9, "right_wrist": 6, "left_ankle": 5}
    for joint, row in expected.items():
        k = COCO17.index(joint)
        np.testing.assert_allclose(people.kp2d[0, k], arrays["part"][0, row, :2], rtol=1e-6)
        np.testing.assert_allclose(people.kp2d_score[0, k], arrays["part"][0, row, 2], rtol=1e-6)


def test_optional_arrays_may_be_absent(tmp_path, body):
    write_spin(tmp_path / "x.npz", has_smpl=None, gender=None)
    assert read_spin(tmp_path / "x.npz", body).gender.tolist() == ["neutral"] * 3


def test_a_missing_array_is_named(tmp_path, body):
    write_spin(tmp_path / "x.npz", part=None)
    with pytest.raises(ValueError, match=r"x.npz: not a SPIN annotation file: it lacks \['part'\]"):
        read_spin(Path(tmp_path / "x.npz"), body)


def test_more_betas_than_the_body_has_are_left_out_and_nothing_else_is_known(tmp_path, body):
    shape = np.random.default_rng(1).normal(size=(3, 16))
    gender = np.array(["male", "neutral", "f"])
    write_spin(tmp_path / "x.npz", shape=shape, gender=gender, has_smpl=np.array([1, 1, 0]))
    people = read_spin(tmp_path / "x.npz", body)
    np.testing.assert_allclose(people.betas, shape[:2, :10], rtol=1e-6)
    assert people.gender.tolist() == ["male", "neutral"]
    assert people.person.tolist() == people.image.tolist() == ["a.jpg", "b.jpg"]
    assert all(np.isnan(x).all() for x in (people.K, people.cam_t, people.human36m))
