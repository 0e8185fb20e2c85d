# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_ros.training.motion.amass import PELVIS_FROM_TRANS, SMPLX_PELVIS_FROM_TRANS, read_amass


def write_amass(directory, frames=40, seed=0, **replaced):
    """A recording as AMASS stores it: SMPL-H, z up."""
    rng = np.random.default_rng(seed)
    start = rng.normal(0, 0.3, (1, 156))
    poses = start + np.linspace(0, 0.5, frames)[:, None] * rng.normal(0, 0.3, (1, 156))
    fields = {
        "poses": poses,
        "trans": np.linspace(0, 1, frames)[:, None] * rng.normal(0, 0.3, (1, 3)),
        "betas": rng.normal(size=16),
        "dmpls": np.zeros((frames, 8)),
        "gender": np.array("female"),
        "mocap_framerate": np.array(120.0),
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "walk_01_poses.npz"
    np.savez(path, **{k: v for k, v in (fields | replaced).items() if v is not None})
    return path


def test_body_joints_hands_and_names(tmp_path):
    path = write_amass(tmp_path / "KIT" / "3")
    poses = np.load(path)["poses"].reshape(-1, 52, 3)
    clip = read_amass(path)
    np.testing.assert_allclose(clip.pose[:, 1:22], poses[:, 1:22], atol=1e-6)
    np.testing.assert_allclose(clip.pose[:, 22], poses[:, 22], atol=1e-6)
    np.testing.assert_allclose(clip.pose[:, 23], poses[:, 37], atol=1e-6)
    assert (clip.subject, clip.category, clip.id, clip.fps) == ("KIT/3", "KIT", "KIT/3/walk_01", 120)


def test_smplx_has_jaw_and_eyes_before_the_hands(tmp_path):
    poses = np.random.default_rng(0).normal(0, 0.3, (40, 165))
    path = write_amass(tmp_path / "KIT" / "3", poses=poses, mocap_framerate=None, mocap_frame_rate=np.array(100.0))
    path = path.rename(path.with_name("walk_01_stageii.npz"))
    clip = read_amass(path)
    joints = poses.reshape(-1, 55, 3)
    np.testing.assert_allclose(clip.pose[:, 1:22], joints[:, 1:22], atol=1e-6)
    np.testing.assert_allclose(clip.pose[:, 22:], joints[:, [25, 40]], atol=1e-6)
    assert (clip.id, clip.fps) == ("KIT/3/walk_01", 100)
    pelvis = np.load(path)["trans"] + SMPLX_PELVIS_FROM_TRANS
    np.testing.assert_allclose(clip.trans, pelvis[:, [0, 2, 1]] * [1, 1, -1], atol=1e-5)


def test_the_world_is_turned_upright(tmp_path):
    path = write_amass(tmp_path / "KIT" / "3")
    archive = np.load(path)
    clip = read_amass(path)
    y_up = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # z, the old up, becomes y
    for t in (0, 20):
        before = Rotation.from_rotvec(archive["poses"][t, :3]).as_matrix()
        after = Rotation.from_rotvec(clip.pose[t, 0].astype(float)).as_matrix()
        np.testing.assert_allclose(after, y_up @ before, atol=1e-5)
        np.testing.assert_allclose(clip.trans[t], y_up @ (archive["trans"][t] + PELVIS_FROM_TRANS), atol=1e-5)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"poses": np.zeros((4, 72))}, r"walk_01_poses.npz: .*expected poses \(T, 156\).*\(T, 165\).*got \(4, 72\)"),
        ({"trans": np.zeros((3, 2))}, r"expected trans \(.*3\), got \(3, 2\)"),
        ({"poses": np.full((4, 156), np.nan), "trans": np.zeros((4, 3))}, r"expected poses of real numbers"),
        ({"poses": np.full((4, 156), 1e300), "trans": np.zeros((4, 3))}, r"expected poses of real numbers"),
        ({"poses": np.zeros((4, 156), complex), "trans": np.zeros((4, 3))}, r"expected poses of real numbers"),
        ({"trans": None}, r"it lacks \['trans'\]"),
        ({"mocap_framerate": None}, r"it lacks \['mocap_framerate'\]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, replaced, message):
    with pytest.raises(ValueError, match=message):
        read_amass(write_amass(tmp_path, **replaced))


def test_both_names_of_the_frame_rate_are_known(tmp_path):
    path = write_amass(tmp_path, mocap_framerate=None, mocap_frame_rate=np.array(60.0))
    assert read_amass(path).fps == 60


def test_a_recording_of_no_set_is_of_amass(monkeypatch, tmp_path):
    write_amass(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read_amass(Path("walk_01_poses.npz")).category == "amass"


def test_what_is_no_archive_is_named(tmp_path):
    path = tmp_path / "x_poses.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"x_poses.npz: not an AMASS recording"):
        read_amass(path)
    with pytest.raises(ValueError, match=r"expected poses \(T, 156\)"):
        read_amass(write_amass(tmp_path, poses=np.zeros((2, 3, 156))))
