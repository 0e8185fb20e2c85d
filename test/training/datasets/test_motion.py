# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS
from hmr_ros.training.datasets.motion import REQUIRED_KEYS, Motion, is_motion_file, load_motion, mirror, save_motion


def small_motion(frames=12, seed=0):
    rng = np.random.default_rng(seed)
    return Motion(
        pose=rng.normal(0, 0.3, (frames, 24, 3)).astype(np.float32),
        trans=rng.normal(0, 1, (frames, 3)).astype(np.float32),
        clip=np.repeat([0, 1, 2], [frames - 5, 3, 2]),
        clip_id=np.array(["a_01", "b_01", "c_01"]),
        clip_subject=np.array(["a", "b", "c"]),
        clip_category=np.array(["dance", "walk", "dance"]),
        clip_split=np.array(["train", "train", "val"]),
        clip_leg=np.array([0.8, 0.85, np.nan], np.float32),
        fps=30.0,
        notice="made here",
    )


def forward_kinematics(pose, trans, offsets):
    """The slow, obvious reference: joints (24, 3) of one pose on a skeleton of bone offsets."""
    rotation, joints = [None] * 24, np.zeros((24, 3))
    for j, parent in enumerate(SMPL_PARENTS):
        local = Rotation.from_rotvec(pose[j])
        rotation[j] = local if parent < 0 else rotation[parent] * local
        joints[j] = trans if parent < 0 else joints[parent] + rotation[parent].apply(offsets[j])
    return joints


def test_mirrored_pose_gives_the_mirrored_joints():
    rng = np.random.default_rng(1)
    offsets = rng.normal(0, 0.3, (24, 3))
    flip = np.array([-1, 1, 1])
    offsets = (offsets + offsets[SMPL.mirror] * flip) / 2  # a left-right symmetric skeleton
    pose, trans = rng.normal(0, 1, (24, 3)), rng.normal(0, 1, 3)
    expected = forward_kinematics(pose, trans, offsets)[SMPL.mirror] * flip
    np.testing.assert_allclose(forward_kinematics(*mirror(pose, trans), offsets), expected, atol=1e-12)


def test_mirror_twice_is_identity():
    motion = small_motion()
    pose, trans = mirror(*mirror(motion.pose, motion.trans))
    np.testing.assert_array_equal(pose, motion.pose)
    np.testing.assert_array_equal(trans, motion.trans)


def test_file_round_trip(tmp_path):
    motion = small_motion()
    save_motion(motion, tmp_path / "motion.npz")
    again = load_motion(tmp_path / "motion.npz")
    for field in dataclasses.fields(Motion):
        expected, actual = getattr(motion, field.name), getattr(again, field.name)
        if field.name == "pose":
            np.testing.assert_allclose(actual, expected, atol=1e-3)  # stored as float16
        else:
            np.testing.assert_array_equal(actual, expected)
    assert [p.name for p in tmp_path.iterdir()] == ["motion.npz"]


def test_select_gives_the_frames_of_the_split_subjects():
    val = small_motion().select("val")
    assert len(val) == 2
    assert set(val.subject) == {"c"}
    with pytest.raises(ValueError, match="no frame of split 'test'"):
        small_motion().select("test")


def test_weights_even_out_categories():
    motion = small_motion(frames=12)  # 9 frames of dance, 3 of walk
    by_category = {c: motion.weights[motion.category == c].sum() for c in ("dance", "walk")}
    assert by_category["dance"] / by_category["walk"] == pytest.approx(np.sqrt(9 / 3))
    assert motion.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("pose", np.zeros((12, 72), np.float32), r"Motion.pose: expected shape \(12, 24, 3\)"),
        ("clip", np.full(12, 3), r"Motion.clip: expected 0..2, got 3..3"),
        ("clip_split", np.array(["train", "dev", "val"]), "Motion.clip_split"),
        ("fps", 0.0, "Motion.fps"),
    ],
)
def test_wrong_fields_are_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(small_motion(), **{field: value})


def test_missing_key_and_missing_file_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="hmr prepare-motion"):
        load_motion(tmp_path / "absent.npz")
    np.savez(tmp_path / "half.npz", pose=np.zeros((1, 72)))
    with pytest.raises(ValueError, match=r"half.npz: the motion archive lacks .*motion_format.md"):
        load_motion(tmp_path / "half.npz")


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", pose=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="without pickled objects"):
        load_motion(tmp_path / "evil.npz")


def test_a_frame_is_drawn_by_the_root_of_its_categorys_frames():
    """9 frames of dance, 3 of walk: 1/3 and 1/sqrt(3) each, which sum to 3 + sqrt(3)."""
    motion = small_motion(frames=12)
    expected = np.where(motion.category == "dance", 1 / 3, 1 / np.sqrt(3)) / (3 + np.sqrt(3))
    np.testing.assert_allclose(motion.weights, expected)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("trans", np.zeros((11, 3), np.float32), r"Motion.trans: expected shape \(12, 3\), got \(11, 3\)"),
        ("clip_leg", np.zeros(2, np.float32), r"Motion.clip_leg: expected shape \(3,\)"),
        ("clip", np.full(12, -1), r"Motion.clip: expected 0..2, got -1..-1"),
        ("fps", -30.0, "Motion.fps: expected a positive rate"),
    ],
)
def test_more_wrong_fields_are_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(small_motion(), **{field: value})


def test_a_motion_of_no_frames_is_one():
    assert len(small_motion().take(slice(0))) == 0


def test_only_an_archive_with_all_keys_is_a_motion_file(tmp_path):
    path = tmp_path / "motion.npz"
    assert not is_motion_file(path)
    save_motion(small_motion(), path)
    assert is_motion_file(path)
    assert not is_motion_file(path.rename(tmp_path / "motion.zip"))
    np.savez(path, **dict.fromkeys(REQUIRED_KEYS[1:], np.zeros(1)))
    assert not is_motion_file(path)
    path.write_bytes(b"nothing")
    assert not is_motion_file(path)
    assert not is_motion_file(tmp_path)


def test_older_files_know_no_legs_and_no_notice(tmp_path):
    save_motion(small_motion(), tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as archive:
        arrays = {name: archive[name] for name in REQUIRED_KEYS}
        assert archive["pose"].dtype == np.float16, "half the size, and exact to a tenth of a degree"
    np.savez(tmp_path / "old.npz", **arrays)
    read = load_motion(tmp_path / "old.npz")
    assert np.isnan(read.clip_leg).all()
    assert read.clip_leg.dtype == np.float32
    assert read.notice == ""
    arrays["fps"] = np.float32(0)
    np.savez(tmp_path / "old.npz", **arrays)
    with pytest.raises(ValueError, match=r"old.npz: Motion.fps"):
        load_motion(tmp_path / "old.npz")
