# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.human36m import read_human36m, read_subjects

CAMERA_R = Rotation.from_euler("xyz", [100, 20, 5], degrees=True).as_matrix()
CAMERA_T = np.array([100.0, -900.0, 4500.0])  # mm


@pytest.fixture(scope="module")
def body():
    return load_body_model(models_dir() / "open_body.npz", np.float64)


def write_subject(directory, subject, body):
    """Frames 0, 25, 50 and 100 of one clip; 100 has no fit. Joints are those of the fitted body."""
    rng = np.random.default_rng(subject)
    frames = (0, 25, 50, 100)
    image = {"action_idx": 2, "subaction_idx": 1, "cam_idx": 4}
    fits, joints = {}, {}
    for frame in frames:
        pose, shape, trans = rng.normal(0, 0.3, 72), rng.normal(size=10), rng.normal(size=3)
        pelvis = body.rest_joints(shape[None])[:, 0] + trans
        posed = body.posed(pose[None, :3], pose[None, 3:].reshape(1, 23, 3), shape[None], pelvis)
        joints[str(frame)] = (1000 * (body.regressor("human36m") @ posed.vertices)[0]).tolist()
        if frame != 100:
            fits[str(frame)] = {"pose": pose.tolist(), "shape": shape.tolist(), "trans": trans.tolist()}
    contents = {
        "data": {"images": [image | {"frame_idx": f, "file_name": f"s{subject}_{f}.jpg"} for f in frames]},
        "camera": {"4": {"R": CAMERA_R.tolist(), "t": CAMERA_T.tolist(), "f": [1145.0, 1143.0], "c": [512.0, 515.0]}},
        "joint_3d": {"2": {"1": joints}},
        "smpl_param": {"2": {"1": fits}},
    }
    for kind, content in contents.items():
        (directory / f"Human36M_subject{subject}_{kind}.json").write_text(json.dumps(content))
    return joints


def test_fit_and_measured_joints_meet_in_the_camera(tmp_path, body):
    joints = write_subject(tmp_path, 9, body)
    people = read_subjects(tmp_path, body, (9,), 50)
    assert people.image.tolist() == ["s9_0.jpg", "s9_50.jpg"]
    posed = body.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t)
    fitted = body.regressor("human36m") @ posed.vertices
    np.testing.assert_allclose(fitted, people.human36m, atol=1e-4)
    in_camera = (CAMERA_R @ np.array(joints["50"]).T).T + CAMERA_T
    np.testing.assert_allclose(people.human36m[1], in_camera / 1000, atol=1e-5)
    expected = in_camera[:, :2] / in_camera[:, 2:] * [1145, 1143] + [512, 515]
    np.testing.assert_allclose(people.kp2d[1], expected, atol=0.05)


def test_the_test_set_is_subjects_9_and_11(tmp_path, body):
    for subject in (9, 11):
        write_subject(tmp_path, subject, body)
    people = read_human36m(tmp_path, body)
    assert people.image.tolist() == ["s9_0.jpg", "s9_50.jpg", "s11_0.jpg", "s11_50.jpg"]
    assert set(people.person) == {"s9/2/1", "s11/2/1"}


def test_a_missing_file_is_named(tmp_path, body):
    with pytest.raises(FileNotFoundError, match=r"Human36M_subject9_camera.json"):
        read_human36m(tmp_path, body)


@pytest.mark.parametrize(("step", "frames"), [(25, ["s9_0.jpg", "s9_25.jpg", "s9_50.jpg"]), (100, ["s9_0.jpg"])])
def test_every_so_many_frames_that_have_a_fit_are_read(tmp_path, body, step, frames):
    write_subject(tmp_path, 9, body)
    people = read_subjects(tmp_path, body, (9,), step)
    assert people.image.tolist() == frames
    assert (people.kp2d_score == 1).all()
    assert set(people.gender) == {"neutral"}
    np.testing.assert_allclose(people.K[0], [[1145, 0, 512], [0, 1143, 515], [0, 0, 1]])


@pytest.mark.parametrize(
    ("key", "value"),
    [("cam_idx", True), ("cam_idx", 4.5), ("frame_idx", None), ("action_idx", "two"), ("cam_idx", [4])],
)
def test_an_index_that_is_none_is_named_with_its_entry(tmp_path, body, key, value):
    """True counts as 1 in Python, and would be blamed on the file of cameras."""
    write_subject(tmp_path, 9, body)
    path = tmp_path / "Human36M_subject9_data.json"
    content = json.loads(path.read_text())
    content["images"][1][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"subject9_data.json: images: entry 1: {key}: expected a whole number, got"):
        read_subjects(tmp_path, body, (9,), 25)


def test_indices_may_be_text(tmp_path, body):
    write_subject(tmp_path, 9, body)
    path = tmp_path / "Human36M_subject9_data.json"
    content = json.loads(path.read_text())
    content["images"] = [
        {k: v if k == "file_name" else str(v) for k, v in image.items()} for image in content["images"]
    ]
    path.write_text(json.dumps(content))
    assert len(read_subjects(tmp_path, body, (9,), 25)) == 3
