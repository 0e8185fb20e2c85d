# SPDX-License-Identifier: Apache-2.0
import argparse
import json

import cv2
import numpy as np
import pytest

from hmr_ros.commands import render
from hmr_ros.training.synthetic.images import CROP_HEIGHT, CROP_WIDTH
from hmr_ros.training.synthetic.images.shards.render import PLAN_FILE, SHEET_SAMPLES
from hmr_ros.training.synthetic.images.shards.shards import ShardReader, read_shard, shard_path
from hmr_ros.training.synthetic.images.shards.sheet import COLUMNS
from test.training.datasets.test_motion import save_motion, small_motion


@pytest.fixture
def command(tmp_path):
    """`hmr render --motion ...` with more arguments."""
    save_motion(small_motion(), tmp_path / "motion.npz")
    parser = argparse.ArgumentParser()
    render.add_arguments(parser)

    def call(*arguments: object) -> int:
        return render.run(parser.parse_args(["--motion", str(tmp_path / "motion.npz"), *map(str, arguments)]))

    return call


def test_shards_that_are_there_are_kept(command, tmp_path):
    arguments = ("--out", tmp_path / "out", "--count", 7, "--shard-size", 4)
    command(*arguments)
    first, second = (shard_path(tmp_path / "out", index) for index in range(2))
    whole, when = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    command(*arguments)
    assert second.read_bytes() == whole, "a shard depends on nothing but the plan and its number"
    assert first.stat().st_mtime_ns == when
    assert len(read_shard(first)) == 4
    assert len(ShardReader(tmp_path / "out").sample(np.random.default_rng(0), 8)) == 8


def test_a_few_images_are_a_shard_of_their_own(command, tmp_path):
    command("--out", tmp_path, "--count", 2)
    assert len(read_shard(shard_path(tmp_path, 0))) == 2
    assert not shard_path(tmp_path, 1).exists()
    with pytest.raises(ValueError, match=r"other settings \(shard_size\)"):
        command("--out", tmp_path, "--count", 3)


def test_other_settings_do_not_mix_with_old_shards(command, tmp_path):
    command("--out", tmp_path, "--count", 2, "--shard-size", 2)
    assert json.loads((tmp_path / PLAN_FILE).read_text())["seed"] == 0
    with pytest.raises(ValueError, match=r"other settings \(seed\); choose another --out"):
        command("--out", tmp_path, "--count", 2, "--shard-size", 2, "--seed", 1)


def test_a_mix_file_sets_what_is_random(command, tmp_path):
    (tmp_path / "mix.toml").write_text("occluded = 1.0\n[people]\nairborne = 0.0\n")
    command("--out", tmp_path / "out", "--count", 2, "--shard-size", 2, "--mix", tmp_path / "mix.toml")
    mix = json.loads((tmp_path / "out" / PLAN_FILE).read_text())["mix"]
    assert (mix["occluded"], mix["people"]["airborne"]) == (1.0, 0.0)


def test_a_sheet(command, tmp_path):
    command("--sheet", tmp_path / "sheet.png")
    rows = -(-SHEET_SAMPLES // COLUMNS)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (rows * CROP_HEIGHT, COLUMNS * CROP_WIDTH, 3)


@pytest.mark.slow
def test_several_processes_render_the_same(command, tmp_path):
    for directory, workers in (("one", 1), ("two", 2)):
        command("--out", tmp_path / directory, "--count", 4, "--shard-size", 2, "--workers", workers)
    for index in range(2):
        assert shard_path(tmp_path / "one", index).read_bytes() == shard_path(tmp_path / "two", index).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "either --out DIRECTORY"),
        (("--sheet", "sheet.jpg"), r"ends in \.png"),
        (("--out", "x", "--count", 0), "--count: expected at least 1"),
        (("--sheet", "sheet.png", "--backgrounds", "nowhere"), "nowhere"),
    ],
)
def test_wrong_usage(command, arguments, message):
    with pytest.raises(ValueError, match=message):
        command(*arguments)
