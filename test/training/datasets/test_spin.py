# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO17, HUMAN36M
from hmr_ros.training.datasets.spin import read_spin


@pytest.fixture(scope="module")
def body():
    return load_body_model(models_dir() / "open_body.npz")


def write_spin(path, **replaced):
    rng = np.random.default_rng(0)
    arrays = {
        "imgname": np.array(["a.jpg", "b.jpg", "c.jpg"]),
        "center": 200 + rng.normal(size=(3, 2)),
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


@pytest.mark.parametrize("name", ["imgname", "pose", "shape"])
def test_a_missing_array_is_named(tmp_path, body, name):
    write_spin(tmp_path / "x.npz", **{name: None})
    with pytest.raises(ValueError, match=rf"x.npz: not a SPIN annotation file: it lacks \['{name}'\]"):
        read_spin(Path(tmp_path / "x.npz"), body)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("pose", (3, 24, 3), r"pose: expected shape \(3, 72\), got \(3, 24, 3\)"),
        ("part", (3, 17, 3), r"part: expected shape \(3, 24, 3\), got \(3, 17, 3\)"),
        ("shape", (2, 10), r"shape: expected shape \(3, '\*'\), got \(2, 10\)"),
        ("scale", (3, 2), r"scale: expected shape \(3,\), got \(3, 2\)"),
    ],
)
def test_an_array_of_another_shape_is_named(tmp_path, body, name, shape, message):
    write_spin(tmp_path / "x.npz", **{name: np.zeros(shape)})
    with pytest.raises(ValueError, match=rf"x.npz: {message}"):
        read_spin(tmp_path / "x.npz", body)


def test_spins_3dpw_has_no_keypoints_but_boxes(tmp_path, body):
    arrays = write_spin(tmp_path / "x.npz", part=None)
    people = read_spin(tmp_path / "x.npz", body)
    assert (people.kp2d_score == 0).all()
    assert people.kp2d_source == "none"
    np.testing.assert_allclose(people.box[1], [*(arrays["center"][2] - 100), *(arrays["center"][2] + 100)], rtol=1e-5)


def test_measured_joints_are_read_by_name_and_people_with_them_alone_are_kept(tmp_path, body):
    joints = np.random.default_rng(2).normal(size=(3, 24, 4))
    joints[..., 3] = 1
    joints[0, 16, 3] = 0  # no spine
    write_spin(tmp_path / "x.npz", S=joints)
    people = read_spin(tmp_path / "x.npz", body)
    assert people.fitted.tolist() == [True, False, True]
    assert people.measured.tolist() == [False, True, True]
    expected = {"pelvis": 14, "right_hip": 2, "left_ankle": 5, "torso": 16, "neck": 12, "nose": 17, "head_top": 18}
    for joint, row in expected.items():
        np.testing.assert_allclose(people.human36m[1, HUMAN36M.index(joint)], joints[1, row, :3], rtol=1e-6)
    write_spin(tmp_path / "x.npz", S=joints, pose=None, shape=None, has_smpl=None)
    people = read_spin(tmp_path / "x.npz", body)
    assert (len(people), people.fitted.any()) == (2, False), "MPI-INF-3DHP's test set"


def test_cliffs_files_have_focal_lengths_and_positions(tmp_path, body):
    transl = np.array([[0.1, 0.2, 5], [0, 0, 4], [0.3, 0, 6]])
    write_spin(tmp_path / "x.npz", global_t=transl, focal_l=np.array([1000.0, 1100, 1200]))
    people = read_spin(tmp_path / "x.npz", body)
    np.testing.assert_allclose(people.K[:, 0, 0], [1000, 1200])
    assert np.isnan(people.K[:, :2, 2]).all(), "where the image's centre lies is not in the file"
    np.testing.assert_allclose(people.cam_t - body.rest_joints(people.betas)[:, 0], transl[[0, 2]], atol=1e-5)


def test_recordings_and_frames_are_read_from_image_names(tmp_path, body):
    names = ["imageFiles/office_00/image_00012.jpg", "S9_Eating 1.60457274_000051.jpg", "S1/Seq2/video_4/frame_7.jpg"]
    write_spin(tmp_path / "x.npz", imgname=np.array(names), has_smpl=np.ones(3))
    people = read_spin(tmp_path / "x.npz", body)
    assert people.person.tolist() == ["imageFiles/office_00", "S9_Eating 1", "S1/Seq2"]
    assert people.frame.tolist() == [12, 51, 7]
    assert people.track[1] == "S9_Eating 1.60457274_"


def test_more_betas_than_the_body_has_are_left_out_and_nothing_else_is_known(tmp_path, body):
    shape = np.random.default_rng(1).normal(size=(3, 16))
    gender = np.array(["male", "neutral", "f"])
    write_spin(tmp_path / "x.npz", shape=shape, gender=gender, has_smpl=np.array([1, 1, 0]))
    people = read_spin(tmp_path / "x.npz", body)
    np.testing.assert_allclose(people.betas, shape[:2, :10], rtol=1e-6)
    assert people.gender.tolist() == ["male", "neutral"]
    assert people.person.tolist() == people.image.tolist() == ["a.jpg", "b.jpg"]
    assert all(np.isnan(x).all() for x in (people.K, people.cam_t, people.human36m))
