# SPDX-License-Identifier: Apache-2.0
"""Rendered people whose given keypoints are those that the backbone finds itself: the errors that it really makes.

Errors that are drawn by a model do not tell the network how far to trust its own keypoints and their scores. Images are
looked at once; what is kept of a person is a few hundred numbers, so the local stage sees them as often as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy.random import Generator, default_rng
from tqdm import tqdm

from hmr_ros.networks.global_to_pixel.features import Backbone
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


def seen_people(
    backbone: Backbone, shards: Path, observe: Callable[[ImageBatch, Generator], Batch], bfloat16: bool
) -> Batch:
    """All people in a directory of ``shards``, once, as the frozen ``backbone`` sees them; without their images.

    ``observe`` turns drawn images into samples; their keypoints are replaced by the backbone's own, with its scores.
    """
    training = backbone.training
    backbone.eval()
    parts = [
        _seen(backbone, observe(read_shard(path), default_rng(number)), bfloat16)
        for number, path in enumerate(tqdm(shards_of(shards), desc="own keypoints", unit="shard"))
    ]
    backbone.train(training)
    return Batch(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


@torch.no_grad()
def _seen(backbone: Backbone, batch: Batch, bfloat16: bool) -> Batch:
    device = next(backbone.parameters()).device
    with hidden_precision(device, bfloat16):
        own = [
            backbone(images.to(device)).keypoints.float().to(batch.keypoints.device)
            for images in batch.image.split(AT_ONCE)
        ]
    return batch._replace(image=batch.image[:0], keypoints=torch.cat(own))
