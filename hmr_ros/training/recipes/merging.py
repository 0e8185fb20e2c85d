# SPDX-License-Identifier: Apache-2.0
"""What Global-to-Pixel's stage "merge" trains on: given keypoints, what the backbone says of them, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from numpy.random import Generator
from torch import Tensor

from hmr_ros.networks.global_to_pixel.merging import Evidence, KeypointMerger, merging_loss
from hmr_ros.training.recipes.crop_batches import Batch


class ToMerge(NamedTuple):
    """A step of the stage "merge": B people as they are given, and what the backbone says of that.

    ``given`` (B, J, 3) crop units and score; ``own`` and ``heat`` as ``Evidence`` has them; ``places`` (B, J, 2) true
    ones; ``chosen`` (B, J): 1 for keypoints that are given and to be seen.
    """

    given: Tensor
    own: Tensor
    heat: Tensor
    places: Tensor
    chosen: Tensor

    @staticmethod
    def of(people: Batch, evidence: Evidence) -> ToMerge:
        """Of ``people`` with given keypoints."""
        chosen = (people.keypoints[..., 2] > 0) * people.visible
        return ToMerge(people.keypoints, *evidence, people.places, chosen)


@dataclass(frozen=True)
class MergeSource:
    """Draws from ``people``, all of whom have been seen."""

    people: ToMerge

    def sample(self, rng: Generator, count: int) -> ToMerge:
        """``count`` people."""
        rows = torch.from_numpy(rng.integers(len(self.people.given), size=count))
        return ToMerge(*(values[rows] for values in self.people))


def loss_of_merging(merger: KeypointMerger, batch: ToMerge) -> dict[str, Tensor]:
    """Its only term."""
    merged = merger(batch.given, Evidence(batch.own, batch.heat))
    return {"merged": merging_loss(merged, batch.places, batch.chosen)}
