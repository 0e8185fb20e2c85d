# SPDX-License-Identifier: Apache-2.0
"""Features of a frozen backbone, computed once for all runs.

A run then trains its two stages only. Unless they are asked for, no keypoints are given: anchors come from the
projection of the first stage's body, as in the paper. Where the global stage starts from the mean body, a detector's
keypoints would reach the local stage alone, so that a comparison with and without it would measure the keypoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from hmr_ros.core.arrays import Ints
from hmr_ros.core.geometry.crop_view import CROP_SHAPE
from hmr_ros.core.manifest import atomic_path
from hmr_ros.networks.global_to_pixel import Features, GlobalToPixel
from hmr_ros.networks.global_to_pixel.features import STRIDES, Backbone
from hmr_ros.training.recipes.crop_batches import Batch
from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.images.shards.shards import read_shard, shards_of
from hmr_ros.training.synthetic.keypoints import KeypointMix

CHUNK = 50
"""Images that pass the backbone at once."""

_EXACT = KeypointMix(clean=1.0)


class StoredFeatures(Backbone):
    """Replaces a backbone whose features are stored: its "image" is a row of features, float16."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__((0, 0, 0), (1, 1, 1))  # nothing is normalised
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
        """Rows (B, size) -> Features."""
        *levels, pooled, keypoints = torch.split(rows.float(), self._sizes, 1)
        unflattened = (level.reshape(-1, *shape) for level, shape in zip(levels, self._shapes, strict=True))
        return Features(tuple(unflattened), pooled, keypoints.reshape(-1, self.keypoints, 3))


def flattened(features: Features) -> Tensor:
    """The inverse of ``StoredFeatures``: (B, size) float16."""
    return torch.cat(
        [level.flatten(1) for level in features.levels] + [features.pooled, features.keypoints.flatten(1)], 1
    ).half()


@dataclass(frozen=True, eq=False)
class StoredImages:
    """N images as training reads them: ``features`` (N, size) float16, on disk; ``batch``: everything but images."""

    features: NDArray[np.float16]
    batch: Batch

    def __len__(self) -> int:
        return len(self.features)

    def without_keypoints(self) -> StoredImages:
        """The same images, of people whose keypoints nobody gives."""
        blind = self.batch._replace(keypoints=torch.zeros_like(self.batch.keypoints))
        return StoredImages(self.features, blind)

    def take(self, rows: Ints) -> Batch:
        """A batch of the images ``rows`` whose image is their features."""
        chosen = torch.from_numpy(rows)
        return Batch(torch.from_numpy(self.features[rows]), *(column[chosen] for column in self.batch[1:]))


def network_of(recipe: GlobalToPixelRecipe) -> GlobalToPixel:
    """The network that ``recipe`` trains."""
    return cast(GlobalToPixel, recipe.modules["network"])


def stored_images(recipe: GlobalToPixelRecipe, images: Path, count: int, path: Path, augment: bool) -> StoredImages:
    """The first ``count`` of ``images``, a directory of shards; stored in ``path`` (.npy, labels beside it as .npz).

    ``augment``: boxes are shifted and images mirrored as in training, once per image.
    """
    labels = path.with_suffix(".npz")
    if not labels.exists():
        _compute(recipe, images, count, path, augment)
    with np.load(labels) as archive:
        batch = Batch(*(torch.from_numpy(archive[name]) for name in Batch._fields))
    stored = StoredImages(np.load(path, mmap_mode="c"), batch)
    expected = (count, StoredFeatures(network_of(recipe).backbone).size)
    if stored.features.shape != expected:
        raise ValueError(f"{path}: expected shape {expected}, got {stored.features.shape}; choose another --out")
    return stored


def chunks_of_shards(images: Path, count: int) -> Iterator[ImageBatch]:
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
def _compute(recipe: GlobalToPixelRecipe, images: Path, count: int, path: Path, augment: bool) -> None:
    backbone = network_of(recipe).backbone.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    size, first, batches = StoredFeatures(backbone).size, 0, []
    with atomic_path(path) as temporary, tqdm(total=count, desc=path.stem, unit="image") as progress:
        table = np.lib.format.open_memmap(temporary, "w+", np.float16, (count, size))
        for drawn in chunks_of_shards(images, count):
            mix = None if augment else _EXACT
            batch = recipe.samples(_Drawn(drawn), default_rng(first), len(drawn), mix)
            table[first : first + len(drawn)] = flattened(backbone(batch.image)).numpy()
            batches.append(batch._replace(image=batch.image[:, :0]))
            first += len(drawn)
            progress.update(len(drawn))
        table.flush()
    columns = {name: torch.cat([getattr(batch, name) for batch in batches]).numpy() for name in Batch._fields}
    with atomic_path(path.with_suffix(".npz")) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **columns)  # type: ignore[arg-type]  # its stubs take any keyword for allow_pickle


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A sampler that returns images that were drawn before."""

    images: ImageBatch

    def sample(self, rng: Generator, count: int) -> ImageBatch:
        """All of them."""
        return self.images
