# SPDX-License-Identifier: Apache-2.0
"""People of several sources, each drawn with the weight that the settings give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.records import Record, join_rows
from hmr_ros.training.real.labels import LabelledImages, LabelledPeople, labelled, labelled_images
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.people import PeopleBatch

Drawn = TypeVar("Drawn", bound=Record)
Drawn_co = TypeVar("Drawn_co", bound=Record, covariant=True)


class Source(Protocol[Drawn_co]):
    """Draws people; the same generator draws the same."""

    def sample(self, rng: Generator, count: int) -> Drawn_co:
        """``count`` people."""


@dataclass(frozen=True)
class Mixture(Generic[Drawn]):
    """Draws from ``sources`` in proportion to ``weights``, in random order."""

    sources: tuple[Source[Drawn], ...]
    weights: tuple[float, ...]

    def sample(self, rng: Generator, count: int) -> Drawn:
        """``count`` people."""
        share = np.array(self.weights) / sum(self.weights)
        counts = rng.multinomial(count, share)
        parts = [source.sample(rng, int(n)) for source, n in zip(self.sources, counts, strict=True) if n]
        return join_rows(parts).take(rng.permutation(count))


@dataclass(frozen=True)
class PeopleMixture(Mixture[LabelledPeople]):
    """A mixture of people without images; ``regressor`` (J, S) reads keypoints from their vertices."""

    regressor: Float32s


@dataclass(frozen=True)
class LabelledSource:
    """A source of synthetic people, with labels."""

    source: Source[PeopleBatch]
    regressor: Float32s

    def sample(self, rng: Generator, count: int) -> LabelledPeople:
        """``count`` people."""
        return labelled(self.source.sample(rng, count), self.regressor)


@dataclass(frozen=True)
class LabelledImageSource:
    """A source of rendered images, with labels."""

    source: Source[ImageBatch]

    def sample(self, rng: Generator, count: int) -> LabelledImages:
        """``count`` people."""
        return labelled_images(self.source.sample(rng, count))


def weighted(sources: Sequence[Source[Drawn]], weights: Sequence[float]) -> Mixture[Drawn]:
    """A mixture of the sources that have a weight."""
    used = [(source, weight) for source, weight in zip(sources, weights, strict=True) if weight > 0]
    return Mixture(tuple(s for s, _ in used), tuple(w for _, w in used))
