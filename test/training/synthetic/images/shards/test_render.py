# SPDX-License-Identifier: Apache-2.0
"""Who writes which shard, where several processes write into one directory."""

from pathlib import Path

import pytest
from filelock import FileLock

from hmr_ros.training.synthetic.images import ImageMix
from hmr_ros.training.synthetic.images.shards import render
from hmr_ros.training.synthetic.images.shards.render import Plan, write_shards
from hmr_ros.training.synthetic.images.shards.shards import shard_path

PLAN = Plan("motion.npz", "train", "coco", 0, 10, ImageMix())


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """The shards that this process writes."""
    names: list[str] = []

    def write(batch: str, path: Path) -> None:
        names.append(batch)
        path.write_text(batch)

    monkeypatch.setattr(Plan, "samples", lambda plan, shard, count: f"shard {shard} of {count}")
    monkeypatch.setattr(render, "write_shard", write)
    return names


def test_what_is_there_stays_and_what_another_process_has_begun_is_left_to_it(tmp_path, written, capsys):
    shard_path(tmp_path, 1).write_text("before")
    with FileLock(tmp_path / ".shard-000002.lock"):
        write_shards(PLAN, tmp_path, 35, workers=1)
    assert written == ["shard 0 of 10", "shard 3 of 10"]
    assert shard_path(tmp_path, 1).read_text() == "before"
    assert "4 shards of 10 images, 1 of which other processes are still writing" in capsys.readouterr().out
    write_shards(PLAN, tmp_path, 35, workers=1)
    assert written[2:] == ["shard 2 of 10"], "the lock of a process that ended is free"
    assert capsys.readouterr().out.strip().endswith("4 shards of 10 images")
    assert not list(tmp_path.glob(".*.lock"))


def test_a_shard_that_comes_while_others_are_written_is_not_written_again(tmp_path, written, monkeypatch):
    first = render._render

    def meanwhile(job: render.Job) -> None:
        shard_path(tmp_path, 1).write_text("elsewhere")
        first(job)

    monkeypatch.setattr(render, "_render", meanwhile)
    write_shards(PLAN, tmp_path, 20, workers=1)
    assert written == ["shard 0 of 10"]
