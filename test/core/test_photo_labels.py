# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.photo_labels import LabelledPhoto, read_coco
from hmr_ros.core.skeleton import COCO17

STANDING = {
    "left_shoulder": (60, 20),
    "right_shoulder": (40, 20),
    "left_hip": (56, 60),
    "right_hip": (44, 60),
    "left_knee": (56, 90),
    "right_knee": (44, 90),
    "left_ankle": (56, 120),
    "right_ankle": (44, 120),
}
SEATED = STANDING | {"left_ankle": (56, 78), "right_ankle": (44, 78), "left_knee": (76, 62), "right_knee": (24, 62)}
LYING = {joint: (y, x) for joint, (x, y) in STANDING.items()}
BENT = STANDING | {"left_shoulder": (106, 40), "right_shoulder": (94, 40)}
CUT = {joint: place for joint, place in STANDING.items() if "ankle" not in joint}


def photo_of(*people: dict[str, tuple[float, float]]) -> LabelledPhoto:
    kp2d, labelled = np.zeros((len(people), 17, 2)), np.zeros((len(people), 17), np.bool_)
    for person, joints in enumerate(people):
        for joint, place in joints.items():
            kp2d[person, COCO17.index(joint)] = place
            labelled[person, COCO17.index(joint)] = True
    return LabelledPhoto(Path("photo.jpg"), 200, 200, np.zeros((len(people), 4)), kp2d, labelled)


def coco(**changes: object) -> dict[str, object]:
    keypoints = [0.0] * 51
    keypoints[:6] = [5, 6, 2, 7, 8, 1]
    person = {"image_id": 1, "id": 3, "bbox": [1, 2, 10, 20], "keypoints": keypoints, "num_keypoints": 2} | changes
    images = [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}, {"id": 2, "file_name": "b.jpg"}]
    return {"images": images, "annotations": [person]}


def written(directory: Path, content: object) -> Path:
    path = directory / "labels.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_upright_is_who_stands_from_shoulders_to_ankles():
    photo = photo_of(STANDING, SEATED, LYING, BENT, CUT)
    assert photo.upright().tolist() == [True, False, False, False, False]


def test_the_torso_reaches_from_shoulder_to_opposite_hip():
    one_side = {joint: STANDING[joint] for joint in ("left_shoulder", "right_hip")}
    nothing = {joint: STANDING[joint] for joint in ("left_shoulder", "left_hip")}
    torso = photo_of(STANDING, one_side, nothing).torso()
    np.testing.assert_allclose(torso[:2], np.hypot(16, 40))
    assert np.isnan(torso[2])


def test_a_coco_file_becomes_photos_with_people(tmp_path):
    (photo,) = read_coco(written(tmp_path, coco()), tmp_path / "images")
    assert (photo.path, photo.width, photo.height) == (tmp_path / "images/a.jpg", 40, 30)
    np.testing.assert_array_equal(photo.boxes, [[1, 2, 11, 22]])
    np.testing.assert_array_equal(photo.kp2d[0, :2], [[5, 6], [7, 8]])
    assert photo.labelled[0].tolist() == [True, True] + 15 * [False]


@pytest.mark.parametrize("left_out", [{"iscrowd": 1}, {"num_keypoints": 0}])
def test_crowds_and_people_without_joints_are_left_out(tmp_path, left_out):
    assert read_coco(written(tmp_path, coco(**left_out)), tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco(keypoints=[1, 2, 2]), "annotation 3: expected 51 numbers in 'keypoints', got 3"),
        (coco(bbox=None), "not in COCO's keypoint format"),
        (coco(image_id=9), "not in COCO's keypoint format"),
        ([], "not in COCO's keypoint format"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as refusal:
        read_coco(written(tmp_path, content), tmp_path)
    assert "labels.json" in str(refusal.value)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a JSON file"):
        read_coco(tmp_path / "absent.json", tmp_path)
    (tmp_path / "labels.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="expected a JSON file"):
        read_coco(tmp_path / "labels.json", tmp_path)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"kp2d: expected shape \(1, 17, 2\), got \(1, 16, 2\)"):
        LabelledPhoto(Path("a"), 1, 1, np.zeros((1, 4)), np.zeros((1, 16, 2)), np.zeros((1, 17), np.bool_))
