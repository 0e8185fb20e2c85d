# SPDX-License-Identifier: Apache-2.0
"""Rendered people with the keypoints that the backbone finds itself: the errors that it really makes.

Errors that are drawn by a model do not tell the network how far to trust its own keypoints and their scores. Images are
looked at once; what is kept of a person is a few hundred numbers, so a stage sees them as often as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy.random import Generator, default_rng
from torch import Tensor
from tqdm import tqdm

from hmr_ros.networks.global_to_pixel.features import Backbone, Features
from hmr_ros.training.precision import hidden_precision
from hmr_ros.training.recipes import PeopleSource
from hmr_ros.training.recipes.crop_batches import Batch
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.images.shards.shards import read_shard, shards_of
from hmr_ros.training.synthetic.people import PeopleBatch

AT_ONCE = 50
"""Crops that pass the backbone together."""


@dataclass(frozen=True)
class WithOwnKeypoints:
    """Draws people without images: of ``seen`` ones a ``fraction``, the others of ``people``."""

    seen: Batch
    people: PeopleSource
    fraction: float

    def sample(self, rng: Generator, count: int) -> tuple[Batch, PeopleBatch]:
        """``count`` people of both kinds together."""
        own = round(self.fraction * count)
        rows = torch.from_numpy(rng.integers(len(self.seen.camera), size=own))
        return self.seen.rows(rows), self.people.sample(rng, count - own)


Sayings = tuple[Tensor, ...]
"""Tensors of one row per person."""


def seen_people(
    backbone: Backbone,
    shards: Path,
    observe: Callable[[ImageBatch, Generator], Batch],
    say: Callable[[Features, Tensor], Sayings],
    bfloat16: bool,
) -> tuple[Batch, Sayings]:
    """All people in a directory of ``shards``, once, as the frozen ``backbone`` sees them; without their images.

    ``observe`` turns drawn images into samples. What ``say`` makes of the features of some of them, and of their given
    keypoints, comes second.
    """
    training = backbone.training
    backbone.eval()
    people, said = [], []
    for number, path in enumerate(tqdm(shards_of(shards), desc="looking at people", unit="shard")):
        batch = observe(read_shard(path), default_rng(number))
        said += _said(backbone, batch, say, bfloat16)
        people.append(batch._replace(image=batch.image[:0]))
    backbone.train(training)
    joined = Batch(*(torch.cat(columns) for columns in zip(*people, strict=True)))
    return joined, tuple(torch.cat(columns) for columns in zip(*said, strict=True))


@torch.no_grad()
def _said(
    backbone: Backbone, batch: Batch, say: Callable[[Features, Tensor], Sayings], bfloat16: bool
) -> list[Sayings]:
    """Parts of it, as many people as pass the backbone together."""
    device, home = next(backbone.parameters()).device, batch.keypoints.device
    said = []
    for images, given in zip(batch.image.split(AT_ONCE), batch.keypoints.split(AT_ONCE), strict=True):
        with hidden_precision(device, bfloat16):
            features = backbone(images.to(device))
        said.append(tuple(values.float().to(home) for values in say(features, given.to(device))))
    return said
