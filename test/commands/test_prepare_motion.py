# SPDX-License-Identifier: Apache-2.0
import argparse
import dataclasses

import numpy as np
import pytest

from hmr_ros.commands.prepare_motion import add_arguments, default_splits, find_recordings, read_splits, run
from hmr_ros.training.datasets.motion import load_motion, save_motion
from test.training.motion.bvh_files import PARENT, smooth_angles, write_bvh
from test.training.motion.test_amass import write_amass
from test.training.motion.test_straighten import knees, motion_of, walking


def parse(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(w) for w in words])


@pytest.fixture
def recordings(tmp_path):
    write_amass(tmp_path / "amass" / "KIT" / "3", frames=160)
    np.savez(tmp_path / "amass" / "KIT" / "3" / "shape.npz", betas=np.zeros(16))
    (tmp_path / "walking").mkdir()
    write_bvh(tmp_path / "walking" / "07_01.bvh", smooth_angles(121, len(PARENT)))
    return tmp_path


def test_amass_and_bvh_become_one_file(recordings, capsys):
    (recordings / "split.txt").write_text("# held out\n07 val\n")
    out = recordings / "built" / "motion.npz"
    inputs = (recordings / "amass", recordings / "walking")
    assert run(parse("--out", out, "--split-file", recordings / "split.txt", *inputs)) == 0
    motion = load_motion(out)
    assert motion.fps == 30
    assert dict(zip(motion.clip_subject, motion.clip_split, strict=True)) == {"KIT/3": "train", "07": "val"}
    assert set(motion.category) == {"KIT", "walking"}
    assert (motion.subject == "KIT/3").sum() == 40
    assert (motion.subject == "07").sum() == 30
    assert np.isnan(motion.clip_leg[0])
    assert 0.7 < motion.clip_leg[1] < 1
    assert "licences" in motion.notice
    assert "30 frames of 1 subjects" in capsys.readouterr().out


def test_a_failed_run_leaves_the_old_file(recordings):
    out = recordings / "motion.npz"
    out.write_bytes(b"old")
    (recordings / "walking" / "08_01.bvh").write_text("not a BVH file")
    with pytest.raises(ValueError, match=r"08_01.bvh: not a BVH file"):
        run(parse("--out", out, recordings / "walking"))
    assert out.read_bytes() == b"old"


def test_errors_name_the_file(recordings, tmp_path):
    with pytest.raises(FileNotFoundError, match="neither a file nor a directory"):
        find_recordings([tmp_path / "absent"])
    with pytest.raises(ValueError, match=r"07_01.bvh: legs are .*--bvh-unit"):
        run(parse("--bvh-unit", "1", recordings / "walking"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a val\nb dev", r"line 2: expected 'subject train\|val\|test', got 'b dev'"),
        ("c val", "line 1: no recording of subject 'c'"),
    ],
)
def test_split_file_errors_name_the_line(tmp_path, text, message):
    (tmp_path / "split.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_splits(tmp_path / "split.txt", ["a", "b"])


def test_default_splits_are_stable_and_about_one_in_eight():
    splits = default_splits(map(str, range(800)))
    assert splits == default_splits(map(str, range(800)))
    assert 70 < sum(s == "val" for s in splits.values()) < 130


def test_a_motion_file_is_straightened_and_keeps_its_splits(tmp_path, capsys):
    bent = motion_of(walking(np.random.default_rng(0), 17), walking(np.random.default_rng(1), 5))
    bent = dataclasses.replace(bent, clip_split=np.array(["val", "train"]), notice="free")
    save_motion(bent, tmp_path / "bent.npz")
    assert run(parse("--out", tmp_path / "straight.npz", "--straighten", tmp_path / "bent.npz")) == 0
    straight = load_motion(tmp_path / "straight.npz")
    assert (straight.clip_split.tolist(), straight.notice) == (["val", "train"], "free")
    assert knees(straight, "s0").min() == pytest.approx(7, abs=0.2)
    assert "left knee" in capsys.readouterr().out


def test_a_motion_file_stands_alone(recordings, tmp_path):
    save_motion(motion_of(walking(np.random.default_rng(0), 5)), tmp_path / "a.npz")
    with pytest.raises(ValueError, match="expected one motion file and nothing else, got 2 inputs"):
        run(parse("--out", tmp_path / "b.npz", tmp_path / "a.npz", recordings / "walking"))
