# SPDX-License-Identifier: Apache-2.0
"""AMASS files, read back by the reader of training."""

import numpy as np

from hmr_ros.motion.amass_file import write_amass
from hmr_ros.training.motion.amass import PELVIS_FROM_TRANS, read_amass
from test.motion.motion import BETAS, FPS, track, waving
from test.ros.stubs import BODY_MODEL


def test_it_has_the_arrays_of_amass(tmp_path):
    write_amass(tmp_path / "7_poses.npz", track(), BODY_MODEL, is_open_body=True)
    with np.load(tmp_path / "7_poses.npz", allow_pickle=False) as read:
        arrays = dict(read)
    shapes = {name: values.shape for name, values in arrays.items()}
    assert shapes == {
        "poses": (20, 156),
        "trans": (20, 3),
        "betas": (16,),
        "dmpls": (20, 8),
        "gender": (),
        "mocap_framerate": (),
        "open_body_betas": (10,),
    }
    assert str(arrays["gender"]) == "neutral"
    assert float(arrays["mocap_framerate"]) == FPS
    assert not arrays["betas"].any()
    np.testing.assert_allclose(arrays["open_body_betas"], BETAS)
    np.testing.assert_allclose(arrays["poses"][:, :66].reshape(20, 22, 3), track().pose[:, :22], atol=1e-6)
    np.testing.assert_allclose(arrays["trans"] + PELVIS_FROM_TRANS, track().pelvis, atol=1e-6)


def test_the_reader_of_training_gets_the_same_motion(tmp_path):
    (tmp_path / "set/subject").mkdir(parents=True)
    write_amass(tmp_path / "set/subject/7_poses.npz", track(), BODY_MODEL, is_open_body=True)
    clip, moving = read_amass(tmp_path / "set/subject/7_poses.npz"), track()
    y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    pose, pelvis = moving.rotated(y_up)
    np.testing.assert_allclose(clip.pose, pose, atol=1e-6)
    np.testing.assert_allclose(clip.trans, pelvis, atol=1e-6)
    assert clip.fps == FPS


def test_a_body_of_smpl_keeps_its_shape(tmp_path):
    write_amass(tmp_path / "7_poses.npz", track(), BODY_MODEL, is_open_body=False)
    with np.load(tmp_path / "7_poses.npz") as arrays:
        np.testing.assert_allclose(arrays["betas"][:10], BETAS)
        assert "open_body_betas" not in arrays
        rest = BODY_MODEL.rest_joints(BETAS[None])[0, 0]
        np.testing.assert_allclose(arrays["trans"] + rest, track().pelvis, atol=1e-6)


def test_fingers_are_those_of_smpl_h(tmp_path):
    """52 joints: SMPL's without its hands, then 15 of the left hand and 15 of the right."""
    write_amass(tmp_path / "7_poses.npz", waving(), BODY_MODEL, is_open_body=True)
    with np.load(tmp_path / "7_poses.npz") as arrays:
        poses = arrays["poses"].reshape(20, 52, 3)
    np.testing.assert_allclose(poses[:, 22:37], waving().fingers[:, 0])
    np.testing.assert_allclose(poses[:, 37:], waving().fingers[:, 1])
    np.testing.assert_allclose(poses[:, :22], waving().pose[:, :22], atol=1e-6)
