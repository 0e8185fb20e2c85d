# SPDX-License-Identifier: Apache-2.0
"""Every reader on a tiny data set in the official layout: the bodies that it reads are the ones that were written."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.restricted_pickle import UnsafePickleError
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.cameras import completed
from hmr_ros.training.datasets.coco_fits import read_coco_fits
from hmr_ros.training.datasets.eft import read_eft
from hmr_ros.training.datasets.filters import filtered
from hmr_ros.training.datasets.human36m import DETECTIONS, read_human36m, read_protocol1, read_protocol2, read_training
from hmr_ros.training.datasets.layouts import DATASETS, LAYOUTS, files_of, find_layout, read_split
from hmr_ros.training.datasets.spin import read_spin
from hmr_ros.training.datasets.threedpw_pickles import read_3dpw_pickles
from test.training.datasets import made
from test.training.datasets.test_human36m import write_subject

BODY = load_body_model(models_dir() / "open_body.npz", np.float64)
PEOPLE = made.people(["a.jpg", "b.jpg", "c.jpg"], body=BODY)
READERS = {
    "spin": (lambda d: made.write_spin(d / "x.npz", PEOPLE), read_spin),
    "cliff": (lambda d: made.write_cliff(d / "x.npz", PEOPLE), read_spin),
    "smplify": (lambda d: made.write_smplify(d, PEOPLE), read_coco_fits),
    "neuralannot": (lambda d: made.write_neuralannot(d, PEOPLE), read_coco_fits),
    "eft": (lambda d: made.write_eft(d / "COCO2014-All-ver01.json", PEOPLE), read_eft),
}


def projected(people: AnnotatedPeople) -> np.ndarray:
    """(N, 17, 2) px of the read bodies' COCO keypoints."""
    posed = BODY.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t)
    points = BODY.regressor("coco17") @ posed.vertices @ people.K.swapaxes(1, 2)
    return points[..., :2] / points[..., 2:]


@pytest.mark.parametrize("name", READERS)
def test_bodies_are_read_and_stand_where_the_keypoints_are(tmp_path, name):
    write, read = READERS[name]
    people = completed(read(write(tmp_path), BODY), {"neutral": BODY}, lambda image: made.SIZE)
    assert len(people) == 3
    assert people.fitted.all()
    np.testing.assert_allclose(people.kp2d, PEOPLE.kp2d, atol=0.01)
    np.testing.assert_allclose(people.betas, PEOPLE.betas, atol=1e-5)
    assert np.linalg.norm(projected(people) - PEOPLE.kp2d, axis=-1).max() < (8 if name == "smplify" else 0.5)
    np.testing.assert_allclose(people.cam_t, PEOPLE.cam_t, rtol=0.05, atol=0.05)
    np.testing.assert_allclose(people.K[:, 0, 0], made.FOCAL, rtol=1e-6)


def test_a_weak_perspective_camera_projects_as_it_says(tmp_path):
    """px = s XY + t, of the joint that lies at the assumed distance."""
    people = read_coco_fits(made.write_smplify(tmp_path, PEOPLE), BODY)
    fits = json.loads((tmp_path / "coco_smplify_train.json").read_text())
    for row, fit in enumerate(fits.values()):
        xy = PEOPLE.cam_t[row, :2] - PEOPLE.transl[row, :2]
        expected = fit["cam_param"]["s"] * xy + fit["cam_param"]["t"]
        pelvis = people.cam_t[row]
        at_distance = pelvis[2] - (PEOPLE.cam_t[row] - PEOPLE.transl[row])[2]
        np.testing.assert_allclose(pelvis[:2] / at_distance * made.FOCAL + made.K[:2, 2], expected, atol=1e-2)


def test_without_the_images_size_the_camera_looks_at_the_box(tmp_path):
    people = completed(read_spin(made.write_spin(tmp_path / "x.npz", PEOPLE), BODY), {"neutral": BODY})
    centre = (people.box[:, :2] + people.box[:, 2:]) / 2
    np.testing.assert_allclose(people.K[:, :2, 2], centre, rtol=1e-5)
    assert np.linalg.norm(projected(people) - PEOPLE.kp2d, axis=-1).mean() < 8
    assert 2 < people.cam_t[:, 2].min() < people.cam_t[:, 2].max() < 8


def test_cliffs_fits_lie_on_their_keypoints_without_the_images(tmp_path):
    """Their focal length and position hold for the image's centre, which is not in the file."""
    written = read_spin(made.write_cliff(tmp_path / "x.npz", PEOPLE), BODY)
    people = completed(written, {"neutral": BODY})
    np.testing.assert_allclose(people.K[:, :2, 2], np.tile(made.K[:2, 2], (3, 1)), atol=0.1)
    np.testing.assert_allclose(people.cam_t, PEOPLE.cam_t, atol=1e-4)
    assert filtered(people, {"neutral": BODY}).fitted.all()
    unseen = completed(dataclasses.replace(written, kp2d_score=np.zeros((3, 17))), {"neutral": BODY})
    np.testing.assert_allclose(unseen.K[:, :2, 2], (unseen.box[:, :2] + unseen.box[:, 2:]) / 2, rtol=1e-5)


def test_people_without_keypoints_are_placed_by_their_boxes(tmp_path):
    people = completed(read_spin(made.write_spin(tmp_path / "x.npz", PEOPLE, part=None), BODY), {"neutral": BODY})
    assert np.isfinite(people.cam_t).all()
    nothing = dataclasses.replace(people, box=np.full((3, 4), np.nan), cam_t=np.full((3, 3), np.nan))
    with pytest.raises(
        ValueError, match=r"image a.jpg, person a.jpg: expected a box with an area, a keypoint, or a fit"
    ):
        completed(nothing, {"neutral": BODY})


def test_a_fit_with_a_camera_tells_the_box_where_nothing_else_does(tmp_path):
    """As in 3DPW's own files, where OpenPose found no keypoint of a person."""
    people = completed(read_coco_fits(made.write_neuralannot(tmp_path, PEOPLE), BODY), {"neutral": BODY})
    unseen = dataclasses.replace(people, box=np.full((3, 4), np.nan), kp2d_score=np.zeros((3, 17)))
    around = completed(dataclasses.replace(people, box=np.full((3, 4), np.nan)), {"neutral": BODY}).box
    np.testing.assert_allclose(completed(unseen, {"neutral": BODY}).box, around, atol=0.5)


@pytest.mark.parametrize("protocol", [2, 4])
def test_3dpws_own_files_are_read(tmp_path, protocol):
    same = made.people([f"office_00/image_{i:05d}.jpg" for i in range(4)], body=BODY)
    same = dataclasses.replace(same, betas=np.tile(same.betas[:1], (4, 1)))
    again = BODY.posed(same.pose[:, 0], same.pose[:, 1:], same.betas, same.cam_t)
    same = dataclasses.replace(same, vertices=again.vertices, transl=same.cam_t - BODY.rest_joints(same.betas)[:, 0])
    made.write_3dpw_pickle(tmp_path / "office_00.pkl", same, protocol=protocol)
    people = read_3dpw_pickles(tmp_path, BODY)
    assert people.image.tolist() == same.names[:3], "the last frame's camera is not valid"
    assert people.gender.tolist() == ["male"] * 3
    assert people.frame.tolist() == [0, 1, 2]
    posed = BODY.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t)
    np.testing.assert_allclose(posed.vertices, same.vertices[:3], atol=1e-4)
    np.testing.assert_allclose(people.kp2d, same.kp2d[:3], atol=0.01)
    assert (people.kp2d_score == 1).all()


def test_a_3dpw_file_with_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"poses": Evil()}))
    with pytest.raises(ValueError, match=r"bad.pkl: it names builtins.print") as caught:
        read_3dpw_pickles(tmp_path, BODY)
    assert isinstance(caught.value.__cause__, UnsafePickleError)


def test_3dpw_files_of_another_layout_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"expected 3DPW's \*.pkl files, found none"):
        read_3dpw_pickles(tmp_path, BODY)
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"poses": []}))
    with pytest.raises(ValueError, match=r"other.pkl: not in the expected layout: it lacks 'cam_poses'"):
        read_3dpw_pickles(tmp_path, BODY)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("coco_smplify_train.json", "{", "not a JSON file"),
        ("coco_smplify_train.json", '{"100": {"smpl_param": {}}}', "it lacks 'shape'"),
        ("coco_smplify_train.json", '{"100": {"smpl_param": {"shape": [1]}}}', "entry 0: shape: expected 10 numbers"),
        ("coco_smplify_train.json", "[" * 100_000, "recursion"),
        ("coco_smplify_train.json", "[3]", "a JSON list, no object"),
        ("person_keypoints_train2017.json", '{"images": []}', "it lacks 'annotations'"),
        ("person_keypoints_train2017.json", "[]", "not in the expected layout"),
    ],
)
def test_broken_json_files_are_named(tmp_path, name, content, message):
    path = made.write_smplify(tmp_path, PEOPLE)
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name}: .*({message})"):
        read_coco_fits(path, BODY)


def broken(path, *keys, value):
    """Put ``value`` in the place of what ``keys`` lead to in a JSON file."""
    content = inner = json.loads(path.read_text())
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("kind", "keys", "value", "message"),
    [
        ("camera", ("4", "R"), None, r"entry 0: R: expected 3 x 3 numbers"),
        ("camera", ("4", "f"), ["x", 1], r"entry 0: f: expected 2 numbers"),
        ("joint_3d", ("2",), {}, r"it lacks '1'"),
        ("joint_3d", ("2", "1", "50"), 10**400, r"entry 1: joints: expected 17 x 3 numbers"),
        ("smpl_param", ("2",), 3, r"'int' object has no attribute 'items'"),
        ("smpl_param", ("2", "1", "50", "pose"), [0.0] * 71, r"entry 1: pose: expected 24 x 3 numbers"),
        ("data", ("images", 0, "file_name"), [], r"file_name: expected text, got \[\]"),
        ("data", ("images", 0, "cam_idx"), float("inf"), r"images: entry 0: cam_idx: expected a whole number, got inf"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_file_of_a_broken_subject_is_named(tmp_path, kind, keys, value, message):
    for subject in (9, 11):
        write_subject(tmp_path, subject, BODY)
    broken(tmp_path / f"Human36M_subject11_{kind}.json", *keys, value=value)
    with pytest.raises(ValueError, match=rf"Human36M_subject11_{kind}\.json: .*{message}"):
        read_human36m(tmp_path, BODY)


def test_byte_order_marks_are_no_content_and_other_encodings_are_named(tmp_path):
    path = made.write_eft(tmp_path / "COCO2014-All-ver01.json", PEOPLE)
    content = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + content)
    assert len(read_eft(path, BODY)) == 3
    path.write_bytes(content.replace(b"a.jpg", b"\xe4.jpg"))
    with pytest.raises(ValueError, match=r"COCO2014-All-ver01.json: not text in UTF-8"):
        read_eft(path, BODY)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"gender": np.array(["m", "x", "f"])}, r"gender: expected m, f or n, got 'x'"),
        ({"gender": np.zeros(3)}, r"gender: expected text, got float64"),
        ({"imgname": np.array(3.0)}, r"imgname: expected text, got float64"),
        ({"center": np.full((3, 2), "x")}, r"center: expected numbers, got <U1"),
        ({"pose": np.zeros((3, 72), [("a", int)])}, r"pose: expected numbers, got "),
        ({"scale": np.array([None] * 3)}, r"Object arrays cannot be loaded"),
    ],
)
def test_arrays_of_another_kind_are_named(tmp_path, arrays, message):
    path = made.write_spin(tmp_path / "mpii_train.npz", PEOPLE, **arrays)
    with pytest.raises(ValueError, match=rf"mpii_train\.npz: .*{message}"):
        read_spin(path, BODY)


def test_a_truncated_archive_is_named(tmp_path):
    path = made.write_spin(tmp_path / "mpii_train.npz", PEOPLE)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"mpii_train\.npz: it is not a readable archive"):
        read_spin(path, BODY)


def test_fits_without_coco_are_explained(tmp_path):
    path = made.write_smplify(tmp_path, PEOPLE)
    (tmp_path / "person_keypoints_train2017.json").unlink()
    with pytest.raises(ValueError, match=r"beside it must lie COCO's person_keypoints_train2017\.json"):
        read_coco_fits(path, BODY)


def test_subjects_frames_and_cameras_of_human36m(tmp_path):
    for subject in (1, 5, 6, 7, 8, 9, 11):
        write_subject(tmp_path, subject, BODY)
    training = read_training(tmp_path, BODY)
    assert set(training.person) == {f"s{s}/2/1" for s in (1, 5, 6, 7, 8)}
    assert sorted(set(training.frame.tolist())) == [0, 25, 50]
    assert read_protocol1(tmp_path, BODY).frame.tolist() == [0, 25, 50] * 2
    assert len(read_protocol2(tmp_path, BODY)) == 6, "the frontal camera is number 4"
    for subject in (9, 11):
        path = tmp_path / f"Human36M_subject{subject}_data.json"
        content = json.loads(path.read_text())
        content["images"][1]["cam_idx"] = 3
        path.write_text(json.dumps(content))
        camera = tmp_path / f"Human36M_subject{subject}_camera.json"
        camera.write_text(json.dumps(dict.fromkeys("34", json.loads(camera.read_text())["4"])))
    assert read_protocol2(tmp_path, BODY).frame.tolist() == [0, 50] * 2
    assert read_protocol1(tmp_path, BODY).track.tolist()[1] == "s9/2/1/3"


def test_detections_on_human36ms_test_set_are_read_by_the_images_name(tmp_path):
    for subject in (9, 11):
        write_subject(tmp_path, subject, BODY)
    names = read_human36m(tmp_path, BODY).image.tolist()
    found = {f"anywhere/{name}": np.full((17, 3), float(i)).tolist() for i, name in enumerate(names)}
    (tmp_path / DETECTIONS).write_text(json.dumps(found))
    people = read_human36m(tmp_path, BODY)
    assert people.kp2d_source == DETECTIONS
    np.testing.assert_allclose(people.kp2d[:, 0, 0], range(len(names)))
    del found[f"anywhere/{names[1]}"]
    (tmp_path / DETECTIONS).write_text(json.dumps(found))
    with pytest.raises(ValueError, match=rf"{DETECTIONS}: no detection for 1 images, the first is {names[1]}"):
        read_human36m(tmp_path, BODY)


def test_a_data_set_is_found_in_its_directory_or_in_annotations(tmp_path):
    path = made.write_cliff(tmp_path / "mpii" / "annotations" / "mpii_cliffGT.npz", PEOPLE)
    assert find_layout(tmp_path, "mpii", "train")[1] == path
    assert len(read_split(tmp_path, "mpii", "train", BODY)) == 3
    with pytest.raises(FileNotFoundError, match=r"coco: no annotations for 'train'; expected one of coco_smplify"):
        find_layout(tmp_path, "coco", "train")


def test_every_layout_has_a_split_of_its_own_name(tmp_path):
    assert set(DATASETS) == {"human36m", "coco", "mpi_inf_3dhp", "mpii", "3dpw", "surreal"}
    assert len({(x.dataset, x.split, x.file) for x in LAYOUTS}) == len(LAYOUTS)


def test_recordings_count_as_one_set_of_files(tmp_path):
    for name in ("b.pkl", "a.pkl", "x.npz"):
        (tmp_path / name).touch()
    assert [p.name for p in files_of(tmp_path / "b.pkl")] == ["a.pkl", "b.pkl"]
    assert [p.name for p in files_of(tmp_path / "x.npz")] == ["x.npz"]
