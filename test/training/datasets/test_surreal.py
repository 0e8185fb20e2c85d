# SPDX-License-Identifier: Apache-2.0
"""SURREAL in its official layout: what is read stands where the file's own joints are, and projects onto them."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets import surreal
from hmr_ros.training.datasets.cameras import completed
from hmr_ros.training.datasets.filters import filtered
from hmr_ros.training.datasets.layouts import files_of, find_layout
from hmr_ros.training.datasets.surreal import read_surreal
from hmr_ros.training.real.images import ImageDirectory

BODY = load_body_model(models_dir() / "open_body.npz", np.float64)
CAMERA = np.array([6.7, -1.0, 0.2])
UPRIGHT = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # of Blender's world here: y points down
K = np.array([[600.0, 0, 160], [0, 600, 120], [0, 0, 1]])


def write_clip(root: Path, name: str, frames: int = 21, split: str = "train", **replaced: object) -> Path:
    """A clip of one person who turns, the left arm raised; returns its file."""
    rng = np.random.default_rng(frames)
    pose = rng.normal(0, 0.1, (frames, 24, 3))
    pose[:, SMPL.index("left_shoulder")] = [0, 0, 1.2]
    betas = np.tile(rng.normal(0, 0.5, 10), (frames, 1))
    turn = np.stack([np.zeros(frames), np.linspace(0, 2, frames), np.zeros(frames)], 1)
    world = UPRIGHT @ rotvec_to_rotmat(turn)
    joints = BODY.posed_joints(np.zeros((frames, 3)), pose[:, 1:], betas) @ world.transpose(0, 2, 1) + [0, -1, 0.3]
    camera = np.array([[0, 0, -1], [0, 1, 0], [-1, 0, 0]])
    points = (joints - CAMERA) @ camera.T @ K.T
    content = {
        "pose": pose.reshape(frames, 72).T,
        "shape": betas.T,
        "joints2D": np.round(points[..., :2] / points[..., 2:]).transpose(2, 1, 0),
        "joints3D": joints.transpose(2, 1, 0),
        "camLoc": CAMERA[:, None],
        "zrot": np.full((frames, 1), 0.7),
        "gender": np.ones((frames, 1), np.uint8),
    }
    path = root / "surreal" / "cmu" / split / "run0" / name.rpartition("_")[0] / f"{name}_info.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {key: value for key, value in (content | replaced).items() if value is not None})
    return path


def test_people_stand_where_the_mirrored_joints_are(tmp_path):
    people = read_surreal(write_clip(tmp_path, "01_01_c0001"), BODY)
    assert people.frame.tolist() == [0, 10, 20]
    assert people.image[1] == "cmu/train/run0/01_01/01_01_c0001.mp4#10"
    assert set(people.gender) == {"male"}
    assert set(people.person) == {"01_01"}
    assert people.fitted.all()
    joints = BODY.posed_joints(people.pose[:, 0], people.pose[:, 1:], people.betas) + people.cam_t[:, None]
    assert 6 < joints[..., 2].mean() < 8
    points = joints @ people.K.swapaxes(1, 2)
    projected = points[..., :2] / points[..., 2:]
    assert np.linalg.norm(projected - people.kp2d, axis=-1).max() < 2, "px, rounded in the file"
    head, feet = (people.kp2d[:, SMPL.index(joint), 1] for joint in ("head", "left_foot"))
    assert (head < feet - 40).all(), "upright in the image"
    left, right = (joints[:, SMPL.index(f"{side}_wrist"), 1] for side in ("left", "right"))
    assert (right < left - 0.1).all(), "the arm that is up is the other one in the mirror"


def test_fits_pass_the_papers_filters(tmp_path):
    """Which compare them with the file's own 2D joints, so a misread camera or pose would leave none."""
    bodies = {"male": BODY, "neutral": BODY}
    people = completed(read_surreal(write_clip(tmp_path, "01_01_c0001"), BODY), bodies)
    assert np.isfinite(people.box).all()
    assert filtered(people, bodies).fitted.all()
    misread = dataclasses.replace(people, kp2d=people.kp2d[:, SMPL.mirror])
    assert not filtered(misread, bodies).fitted.any()


def test_all_clips_of_a_split_are_read_and_hashed(tmp_path):
    files = [write_clip(tmp_path, name) for name in ("01_01_c0001", "01_01_c0002", "02_03_c0001")]
    write_clip(tmp_path, "05_01_c0001", split="val")
    layout, path = find_layout(tmp_path, "surreal", "train")
    people = layout.read(path, BODY)
    assert len(people) == 3 * 3
    assert set(people.person) == {"01_01", "02_03"}
    assert files_of(path) == tuple(files)
    assert len(find_layout(tmp_path, "surreal", "validation")[0].read(path, BODY)) == 9


def test_a_clip_of_one_frame_lacks_an_axis(tmp_path):
    path = write_clip(tmp_path, "01_01_c0001", 1)
    flat = {"pose": np.zeros(72), "shape": np.zeros(10), "joints3D": np.zeros((3, 24)), "joints2D": np.zeros((2, 24))}
    assert len(read_surreal(write_clip(tmp_path, path.parent.name + "_c0001", 1, **flat), BODY)) == 1


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"pose": np.zeros((71, 21))}, r"pose: expected 72 x 21 numbers, got shape \(71, 21\)"),
        ({"joints3D": None}, r"it lacks 'joints3D'"),
        ({"gender": np.full((21, 1), 2)}, r"gender: expected 0 or 1, got 2"),
        ({"camLoc": np.zeros((2, 1))}, r"01_01_c0001_info\.mat"),
        ({"shape": "none"}, r"01_01_c0001_info\.mat"),
    ],
)
def test_a_broken_clip_is_named(tmp_path, replaced, message):
    path = write_clip(tmp_path, "01_01_c0001", **replaced)
    with pytest.raises(ValueError, match=rf"01_01_c0001_info\.mat: .*{message}|{message}: "):
        read_surreal(path, BODY)
    path.write_bytes(b"MATLAB 7.3 MAT-file, and something else")
    with pytest.raises(ValueError, match=r"01_01_c0001_info\.mat: "):
        read_surreal(path, BODY)


def test_images_are_frames_of_the_video_beside(tmp_path):
    path = write_clip(tmp_path, "01_01_c0001")
    video = cv2.VideoWriter(str(path).replace("_info.mat", ".mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30, (320, 240))
    for number in range(21):
        video.write(np.full((240, 320, 3), 10 * number, np.uint8))
    video.release()
    images = ImageDirectory(tmp_path / "surreal")
    people = read_surreal(path, BODY)
    images.check(people.image.tolist())
    found = [images.read(str(name)).mean() for name in people.image]
    np.testing.assert_allclose(found, [0, 100, 200], atol=6)
    with pytest.raises(ValueError, match=r"01_01_c0001\.mp4: not an image"):
        images.read(f"{people.image[0].rpartition('#')[0]}#500")
    assert surreal.STEP == 10
