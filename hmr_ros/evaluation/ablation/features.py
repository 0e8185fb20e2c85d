# SPDX-License-Identifier: Apache-2.0
"""What a frozen backbone sees in images, computed once for all runs.

A run then costs its two stages only. Keypoints are never given: anchors come from the first stage's projection, as in
the paper. A detector's keypoints would reach the local stage alone, so that a comparison with and without it would
measure them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from hmr_ros.core.arrays import Ints
from hmr_ros.core.geometry.crop_view import CROP_SHAPE
from hmr_ros.core.manifest import atomic_path
from hmr_ros.networks.global_to_pixel import Features
from hmr_ros.networks.global_to_pixel.backbones import STRIDES, Backbone
from hmr_ros.training.recipes.global_to_pixel import Batch, GlobalToPixelRecipe
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.images.shards.shards import read_shard, shards_of
from hmr_ros.training.synthetic.keypoints import KeypointMix

CHUNK = 50
"""Images that pass the backbone at once."""

_EXACT = KeypointMix(clean=1.0)


class StoredFeatures(nn.Module):
    """Stands in for a backbone whose features were computed before: its "image" is a row of them, float16."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.channels, self.pooled_channels = backbone.channels, backbone.pooled_channels
        self.keypoints = backbone.keypoints
        height, width = CROP_SHAPE
        self._shapes = [(c, height // s, width // s) for c, s in zip(self.channels, STRIDES, strict=True)]

    @property
    def _sizes(self) -> list[int]:
        return [*(c * h * w for c, h, w in self._shapes), self.pooled_channels, 3 * self.keypoints]

    @property
    def size(self) -> int:
        """Numbers in a row."""
        return sum(self._sizes)

    def forward(self, rows: Tensor) -> Features:
        """(B, size) -> Features."""
        *levels, pooled, keypoints = rows.float().split(self._sizes, 1)
        unflattened = (x.unflatten(1, s) for x, s in zip(levels, self._shapes, strict=True))
        return Features(tuple(unflattened), pooled, keypoints.unflatten(1, (-1, 3)))


def flattened(features: Features) -> Tensor:
    """The inverse of ``StoredFeatures``: (B, size) float16."""
    return torch.cat(
        [level.flatten(1) for level in features.levels] + [features.pooled, features.keypoints.flatten(1)], 1
    ).half()


@dataclass(frozen=True, eq=False)
class Seen:
    """N images as training reads them: ``features`` (N, size) float16, on disk; ``batch``: all but images."""

    features: NDArray[np.float16]
    batch: Batch

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: Ints) -> Batch:
        """A batch of the images ``rows`` whose image is their features."""
        chosen = torch.from_numpy(rows)
        return Batch(torch.from_numpy(self.features[rows]), *(column[chosen] for column in self.batch[1:]))


def see(recipe: GlobalToPixelRecipe, images: Path, count: int, path: Path, augment: bool) -> Seen:
    """The first ``count`` of ``images``, a directory of shards; kept in ``path`` (.npy, and labels beside it).

    ``augment``: boxes are moved and images mirrored as in training, once per image.
    """
    labels = path.with_suffix(".npz")
    if not labels.exists():
        _look(recipe, images, count, path, augment)
    with np.load(labels) as archive:
        batch = Batch(*(torch.from_numpy(archive[name]) for name in Batch._fields))
    seen = Seen(np.load(path, mmap_mode="c"), batch)
    expected = (count, StoredFeatures(recipe.modules["network"].backbone).size)
    if seen.features.shape != expected:
        raise ValueError(f"{path}: expected shape {expected}, got {seen.features.shape}; choose another --out")
    return seen


def shown(images: Path, count: int) -> Iterator[ImageBatch]:
    """The first ``count`` images of a directory of shards, CHUNK at a time; ValueError if there are fewer."""
    missing = count
    for path in shards_of(images):
        shard = read_shard(path).take(slice(missing))
        yield from (shard.take(slice(first, first + CHUNK)) for first in range(0, len(shard), CHUNK))
        missing -= len(shard)
        if not missing:
            return
    raise ValueError(f"{images}: expected {count} images, found {count - missing}; `hmr render` makes more")


@torch.no_grad()
def _look(recipe: GlobalToPixelRecipe, images: Path, count: int, path: Path, augment: bool) -> None:
    backbone = recipe.modules["network"].backbone.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    size, first, batches = StoredFeatures(backbone).size, 0, []
    with atomic_path(path) as temporary, tqdm(total=count, desc=path.stem, unit="image") as progress:
        table = np.lib.format.open_memmap(temporary, "w+", np.float16, (count, size))
        for drawn in shown(images, count):
            mix = None if augment else _EXACT
            batch = recipe.batch(_Drawn(drawn), default_rng(first), len(drawn), mix)
            table[first : first + len(drawn)] = flattened(backbone(batch.image)).numpy()
            batches.append(batch._replace(image=batch.image[:, :0], keypoints=torch.zeros_like(batch.keypoints)))
            first += len(drawn)
            progress.update(len(drawn))
        table.flush()
    columns = (torch.cat(same).numpy() for same in zip(*batches, strict=True))
    with atomic_path(path.with_suffix(".npz")) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **dict(zip(Batch._fields, columns, strict=True)))


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A sampler of images that were drawn already."""

    images: ImageBatch

    def sample(self, rng: Generator, count: int) -> ImageBatch:
        """All of them."""
        return self.images
