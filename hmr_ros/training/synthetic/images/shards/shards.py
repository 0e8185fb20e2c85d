# SPDX-License-Identifier: Apache-2.0
"""Rendered images on disk: tar files that WebDataset readers understand, too.

A sample is two members: ``000123.jpg``, the crop, and ``000123.npy``, a record of every other field of ``ImageBatch``.
A shard is written under a temporary name first, so one that is there is whole.
"""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.records import join_rows
from hmr_ros.training.synthetic.images.batch import ImageBatch

JPEG_QUALITY = 92

_LABELS = tuple(f.name for f in dataclasses.fields(ImageBatch) if f.name != "crops")


def shard_path(directory: Path, index: int) -> Path:
    """Where shard ``index`` of a ``directory`` lies."""
    return directory / f"shard-{index:06d}.tar"


def shards_of(directory: Path) -> list[Path]:
    """The shards of a directory, in order; ValueError for a directory without any."""
    paths = sorted(directory.glob("shard-*.tar"))
    if not paths:
        raise ValueError(f"{directory}: expected shard-*.tar files, found none; `hmr render` writes them")
    return paths


def write_shard(batch: ImageBatch, path: Path) -> None:
    """Write ``batch`` to ``path``, atomically. The same batch gives the same bytes."""
    records = _records(batch)
    with atomic_path(path) as temporary, tarfile.open(temporary, "w") as archive:
        for row, crop in enumerate(batch.crops):
            _add(archive, f"{row:06d}.jpg", _encoded(crop))
            stream = io.BytesIO()
            np.save(stream, records[row], allow_pickle=False)
            _add(archive, f"{row:06d}.npy", stream.getvalue())


def read_shard(path: Path) -> ImageBatch:
    """Every sample of a shard; ValueError names a file that is none."""
    samples = list(_samples(path))
    return _batch(samples, path)


class ShardReader:
    """Draws samples from the shards of a directory, as ``ImageSampler`` draws new ones.

    Shards come in random order and so do the samples of each; after the last shard all are due again. Not more than
    one shard is held in memory, as JPEG. Readers with different generators (DataLoader workers) are independent.
    """

    def __init__(self, directory: Path) -> None:
        """ValueError for a directory without shards."""
        self._paths = shards_of(directory)
        self._due: list[Path] = []
        self._loaded: list[tuple[bytes, bytes]] = []

    def sample(self, rng: Generator, count: int) -> ImageBatch:
        """The next ``count`` samples."""
        batches: list[ImageBatch] = []
        while count:
            if not self._loaded:
                self._load_next(rng)
            taken, self._loaded = self._loaded[:count], self._loaded[count:]
            batches.append(_batch(taken, self._paths[0].parent))
            count -= len(taken)
        return join_rows(batches)

    def _load_next(self, rng: Generator) -> None:
        if not self._due:
            self._due = [self._paths[index] for index in rng.permutation(len(self._paths))]
        samples = list(_samples(self._due.pop()))
        self._loaded = [samples[index] for index in rng.permutation(len(samples))]


def _records(batch: ImageBatch) -> NDArray[np.void]:
    """(B,) structured array of everything but the crops."""
    columns = {name: getattr(batch, name) for name in _LABELS}
    records = np.zeros(len(batch), [(name, column.dtype, column.shape[1:]) for name, column in columns.items()])
    for name, column in columns.items():
        records[name] = column
    return records


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _encoded(crop: NDArray[np.uint8]) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode(".jpg", np.ascontiguousarray(crop[..., ::-1]), quality)[1].tobytes()


def _decoded(jpeg: bytes, where: Path) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if image is None:
        raise ValueError(f"{where}: an image in it is no JPEG; render it again")
    return np.asarray(image[..., ::-1], np.uint8)


def _samples(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """JPEG and record of each sample, in order."""
    try:
        with tarfile.open(path) as archive:
            contents = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    except (tarfile.TarError, OSError) as err:
        raise ValueError(f"{path}: not a shard of `hmr render`: {err}") from err
    for name in sorted(contents):
        stem, _, suffix = name.rpartition(".")
        if suffix == "jpg":
            if f"{stem}.npy" not in contents:
                raise ValueError(f"{path}: {name} comes without {stem}.npy")
            yield contents[name], contents[f"{stem}.npy"]


def _batch(samples: list[tuple[bytes, bytes]], where: Path) -> ImageBatch:
    if not samples:
        raise ValueError(f"{where}: expected at least one sample, found none")
    crops = [_decoded(jpeg, where) for jpeg, _ in samples]
    records = np.stack([np.load(io.BytesIO(record), allow_pickle=False) for _, record in samples])
    if records.dtype.names != _LABELS:
        raise ValueError(f"{where}: expected records of {_LABELS}, found {records.dtype.names}; render it again")
    columns = {name: np.ascontiguousarray(records[name]) for name in _LABELS}
    return ImageBatch(crops=np.stack(crops), **columns)
