# SPDX-License-Identifier: Apache-2.0
import dataclasses
import io
import tarfile

import numpy as np
import pytest

from hmr_ros.training.synthetic.images import CROP_HEIGHT, CROP_WIDTH, ImageBatch
from hmr_ros.training.synthetic.images.shards.shards import ShardReader, read_shard, shard_path, write_shard


def small_batch(count: int, first: int = 0) -> ImageBatch:
    """Flat grey crops; ``clip`` counts the samples."""
    rng = np.random.default_rng(first)
    flat = rng.integers(0, 255, (count, 1, 1, 1), np.uint8)
    return ImageBatch(
        crops=np.broadcast_to(flat, (count, CROP_HEIGHT, CROP_WIDTH, 3)).copy(),
        boxes=rng.random((count, 4), np.float32),
        K=rng.random((count, 3, 3), np.float32),
        image_size=np.full((count, 2), 640),
        rotations=rng.random((count, 24, 3, 3), np.float32),
        betas=rng.random((count, 10), np.float32),
        joints=rng.random((count, 24, 3), np.float32),
        pixels=rng.random((count, 21, 2), np.float32),
        in_image=rng.random((count, 21)) < 0.5,
        visible=rng.random((count, 21)) < 0.5,
        self_hidden=rng.random((count, 21)) < 0.5,
        joint_pixels=rng.random((count, 24, 2), np.float32),
        joint_visible=rng.random((count, 24)) < 0.5,
        occlusion=rng.random(count, np.float32),
        truncation=rng.random(count, np.float32),
        kind=rng.integers(0, 4, count),
        clip=np.arange(first, first + count),
    )


def test_round_trip(tmp_path):
    batch = small_batch(5)
    write_shard(batch, path := shard_path(tmp_path, 3))
    read = read_shard(path)
    for field in dataclasses.fields(ImageBatch):
        ours, theirs = getattr(batch, field.name), getattr(read, field.name)
        assert theirs.dtype == ours.dtype, field.name
        if field.name == "crops":
            assert np.abs(theirs.astype(int) - ours).max() <= 2, "JPEG of flat images"
        else:
            np.testing.assert_array_equal(theirs, ours, field.name)


def test_the_same_batch_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_shard(small_batch(3), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_reader_gives_every_sample_once_per_round(tmp_path):
    for index in range(3):
        write_shard(small_batch(4, first=4 * index), shard_path(tmp_path, index))
    reader, rng = ShardReader(tmp_path), np.random.default_rng(0)
    rounds = [np.concatenate([reader.sample(rng, count).clip for count in (5, 7)]) for _ in range(2)]
    assert [sorted(r.tolist()) for r in rounds] == [list(range(12))] * 2
    assert rounds[0].tolist() != rounds[1].tolist()
    within = np.concatenate(rounds).reshape(-1, 4)
    assert (np.diff(within, axis=1) != 1).any(), "samples of a shard are shuffled, too"


def test_what_is_not_a_shard_is_named(tmp_path):
    with pytest.raises(ValueError, match="hmr render"):
        ShardReader(tmp_path)
    path = shard_path(tmp_path, 0)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"shard-000000\.tar: not a shard"):
        read_shard(path)
    with tarfile.open(path, "w"):
        pass
    with pytest.raises(ValueError, match="at least one sample"):
        read_shard(path)
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("000000.jpg")
        archive.addfile(member, io.BytesIO())
    with pytest.raises(ValueError, match=r"comes without 000000\.npy"):
        read_shard(path)
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("000000.npy"), io.BytesIO())
    with pytest.raises(ValueError, match="no JPEG"):
        read_shard(path)


def test_batches_reach_over_shards_and_shards_come_back_when_all_were_read(tmp_path):
    for index in range(2):
        write_shard(small_batch(3, first=3 * index), shard_path(tmp_path, index))
    reader = ShardReader(tmp_path)
    clips = reader.sample(np.random.default_rng(0), 13).clip
    assert len(clips) == 13
    assert sorted(clips[:6].tolist()) == sorted(clips[6:12].tolist()) == list(range(6))
    assert len({clip // 3 for clip in clips[:3].tolist()}) == 1, "shard by shard"


def test_colours_and_order_survive(tmp_path):
    batch = small_batch(11)
    batch.crops[:] = np.array([200, 100, 20])
    write_shard(batch, tmp_path / "x.tar")
    read = read_shard(tmp_path / "x.tar")
    np.testing.assert_allclose(read.crops[10, 50, 50], (200, 100, 20), atol=3)
    np.testing.assert_array_equal(read.clip, batch.clip)
    with tarfile.open(tmp_path / "x.tar") as archive:
        assert archive.getnames()[:2] == ["000000.jpg", "000000.npy"]
    assert shard_path(tmp_path, 7).name == "shard-000007.tar"


def test_records_of_another_kind_are_refused(tmp_path):
    write_shard(small_batch(1), path := tmp_path / "x.tar")
    with tarfile.open(path) as archive:
        jpeg = archive.extractfile("000000.jpg").read()
    record = io.BytesIO()
    np.save(record, np.zeros((), [("other", float)]))
    with tarfile.open(path, "w") as archive:
        for name, content in (("000000.jpg", jpeg), ("000000.npy", record.getvalue())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(ValueError, match=r"expected records of .* found \('other',\); render it again"):
        read_shard(path)


@pytest.mark.parametrize(
    ("field", "message"), [("crops", r"crops: expected \(B, 320, 240, 3\)"), ("clip", "one length")]
)
def test_a_batch_of_other_shapes_is_refused(field, message):
    batch = small_batch(2)
    wrong = batch.crops[:, :100] if field == "crops" else batch.clip[:1]
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(batch, **{field: wrong})
