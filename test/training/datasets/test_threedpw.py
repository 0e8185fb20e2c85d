# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO17
from hmr_ros.training.datasets.threedpw import read_3dpw


@pytest.fixture(scope="module")
def body():
    return load_body_model(models_dir() / "open_body.npz")


def write_3dpw(directory, detections=True):
    rng = np.random.default_rng(0)
    camera = {"focal": [1960.0, 1961.0], "princpt": [540.0, 960.0]}
    image = {"id": 7, "sequence": "downtown_walk", "file_name": "image_00001.jpg", "cam_param": camera}
    people = [
        {
            "id": 70 + i,
            "image_id": 7,
            "person_id": i,
            "smpl_param": {
                "pose": rng.normal(size=72).tolist(),
                "shape": rng.normal(size=10).tolist(),
                "trans": [[0.1, 0.2, 4.0 + i]],
                "gender": ["male", "female"][i],
            },
            "openpose_result": rng.uniform(0, 500, (18, 3)).ravel().tolist(),
        }
        for i in range(2)
    ]
    path = directory / "3DPW_latest_test.json"
    path.write_text(json.dumps({"images": [image], "annotations": people}))
    found = [{"annotation_id": 71 - i, "keypoints": rng.uniform(0, 500, (17, 3)).tolist()} for i in range(2)]
    if detections:
        (directory / "darkpose_3dpw_testset_output.json").write_text(json.dumps(found))
    return path, people, found


def test_people_cameras_and_detections(tmp_path, body):
    path, people, found = write_3dpw(tmp_path)
    read = read_3dpw(path, body)
    assert read.image.tolist() == ["downtown_walk/image_00001.jpg"] * 2
    assert read.person.tolist() == ["downtown_walk/0", "downtown_walk/1"]
    assert read.gender.tolist() == ["male", "female"]
    np.testing.assert_allclose(read.pose[1].ravel(), people[1]["smpl_param"]["pose"], rtol=1e-6)
    np.testing.assert_allclose(read.K[0], [[1960, 0, 540], [0, 1961, 960], [0, 0, 1]])
    np.testing.assert_allclose(read.kp2d[0], np.array(found[1]["keypoints"])[:, :2], rtol=1e-6)
    np.testing.assert_allclose(read.kp2d_score[1], np.array(found[0]["keypoints"])[:, 2], rtol=1e-6)
    posed = body.posed(read.pose[:, 0], read.pose[:, 1:], read.betas, read.cam_t)
    np.testing.assert_allclose(posed.joints[:, 0], read.cam_t, atol=1e-6)
    rest = body.rest_joints(read.betas)[:, 0]
    np.testing.assert_allclose(read.cam_t - rest, [[0.1, 0.2, 4], [0.1, 0.2, 5]], atol=1e-5)


def test_openpose_keypoints_stand_in_for_detections(tmp_path, body):
    path, people, _ = write_3dpw(tmp_path, detections=False)
    read = read_3dpw(path, body)
    own = np.array(people[0]["openpose_result"]).reshape(18, 3)
    for joint, row in {"nose": 0, "left_shoulder": 5, "right_hip": 8, "left_ear": 17, "right_eye": 14}.items():
        np.testing.assert_allclose(read.kp2d[0, COCO17.index(joint)], own[row, :2], rtol=1e-6)


def test_a_missing_detection_is_named(tmp_path, body):
    path, _, found = write_3dpw(tmp_path)
    (tmp_path / "darkpose_3dpw_testset_output.json").write_text(json.dumps(found[1:]))
    with pytest.raises(ValueError, match=r"no detection for 1 annotations of 3DPW_latest_test.json, the first is 71"):
        read_3dpw(path, body)


def test_more_betas_than_the_body_has_are_left_out(tmp_path, body):
    path, people, _ = write_3dpw(tmp_path)
    content = json.loads(path.read_text())
    for person in content["annotations"]:
        person["smpl_param"]["shape"] += [9.0, 9.0]
    path.write_text(json.dumps(content))
    expected = [person["smpl_param"]["shape"] for person in people]
    np.testing.assert_allclose(read_3dpw(path, body).betas, expected, rtol=1e-6)


def test_detections_belong_to_the_split_and_annotations_to_their_image(tmp_path, body):
    path, _, _ = write_3dpw(tmp_path)
    content = json.loads(path.read_text())
    other = content["images"][0] | {"id": 8, "sequence": "office", "file_name": "image_9.jpg"}
    other["cam_param"] = {"focal": [1.0, 2.0], "princpt": [3.0, 4.0]}
    content["images"].insert(0, other)
    content["annotations"][1]["image_id"] = 8
    train = tmp_path / "3DPW_latest_train.json"
    train.write_text(json.dumps(content))
    read = read_3dpw(train, body)
    assert read.image.tolist() == ["downtown_walk/image_00001.jpg", "office/image_9.jpg"]
    assert read.person.tolist() == ["downtown_walk/0", "office/1"]
    np.testing.assert_allclose(read.K[1], [[1, 0, 3], [0, 2, 4], [0, 0, 1]])
    own = np.array(content["annotations"][0]["openpose_result"]).reshape(18, 3)
    np.testing.assert_allclose(read.kp2d_score[0, 0], own[0, 2], err_msg="there are detections of another split only")
