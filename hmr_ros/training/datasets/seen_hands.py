# SPDX-License-Identifier: Apache-2.0
"""Rendered hands with what MediaPipe's hand network says of them, in chunks on disk (``hmr render-hands``)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Bools, Float32s
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.records import Record, check_shape, join_rows
from hmr_ros.core.skeleton import MANO

_PRESENCE, _SMALLEST_PX = 0.5, 25.0
"""Hands below are absent at run time (perception/hands.py)."""


@dataclass(frozen=True, eq=False)
class SeenHands(Record):
    """N right hands, the ground truth beside what is seen.

    ``orient`` (N, 3), ``pose`` (N, 15, 3) rotvecs, ``betas`` (N, 10) and ``wrist`` (N, 3) m, optical frame; ``exact``
    (N, 21, 2) x/z and y/z of the points without error. Seen: ``seen`` (N, 21, 2) likewise; ``world`` (N, 21, 3) m about
    the middle of the hand, axes of the image; ``presence`` and ``right`` (N,) 0..1. ``size`` (N,) px of the hand.
    """

    orient: Float32s
    pose: Float32s
    betas: Float32s
    wrist: Float32s
    exact: Float32s
    seen: Float32s
    world: Float32s
    presence: Float32s
    right: Float32s
    size: Float32s

    def __post_init__(self) -> None:
        hands = len(self.orient)
        check_shape(self, "pose", (hands, 15, 3))
        check_shape(self, "seen", (hands, MANO.size, 2))
        check_shape(self, "world", (hands, MANO.size, 3))

    @property
    def usable(self) -> Bools:
        """(N,) hands that are seen at run time."""
        return np.asarray((self.presence >= _PRESENCE) & (self.size >= _SMALLEST_PX))


def chunk_path(directory: Path, number: int) -> Path:
    """Where chunk ``number`` of a ``directory`` lies."""
    return directory / f"{number:05d}.npz"


def write_chunk(hands: SeenHands, path: Path) -> None:
    """Write ``hands`` to ``path``, atomically."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(hands))


def read_seen_hands(directory: Path) -> SeenHands:
    """The hands of all chunks in ``directory`` that are seen at run time; ValueError for a directory without any."""
    paths = sorted(directory.glob("[0-9]*.npz"))
    if not paths:
        raise ValueError(f"{directory}: expected *.npz files, found none; `hmr render-hands` writes them")
    hands = join_rows([_read_chunk(path) for path in paths])
    return hands.take(np.flatnonzero(hands.usable))


def _read_chunk(path: Path) -> SeenHands:
    try:
        with open_archive(path) as archive:
            return SeenHands(**{field.name: archive[field.name] for field in dataclasses.fields(SeenHands)})
    except (ValueError, KeyError) as err:
        raise ValueError(f"{path}: not a chunk of `hmr render-hands` ({err})") from err
