# SPDX-License-Identifier: Apache-2.0
"""Long inputs in chunks: several workers share one input, and people keep their ids from chunk to chunk.

A chunk begins some seconds before the one before it ends. In the images that both have, people of one chunk are the
same as those of the other where their keypoints agree.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace

from hmr_ros.media.sources import Excerpt, VideoSource, open_source
from hmr_ros.ros.bag.opening import open_recording
from hmr_ros.running.many.inputs import Input, Kind
from hmr_ros.running.request import Request

SAVED = frozenset(("json", "npz"))
"""What can be put together again."""

OVERLAP_S = 5.0
"""People who were hidden for less are found again; all smoothing has settled."""


@dataclass(frozen=True)
class Chunking:
    """Chunks of ``chunk_s``, each of which begins ``overlap_s`` earlier."""

    chunk_s: float
    overlap_s: float = OVERLAP_S

    def __post_init__(self) -> None:
        if not self.overlap_s < self.chunk_s < math.inf:
            raise ValueError(f"--chunk: expected more than {self.overlap_s:g} s, got {self.chunk_s:g}")


def check(request: Request) -> None:
    """Raise ValueError for what chunks do not go with."""
    if "json" not in request.saved or frozenset(request.saved) - SAVED or request.mesh != "none":
        raise ValueError("--chunk: only --save json and json,npz can be put together again; give one, without --mesh")
    if request.excerpt.every != 1:
        raise ValueError("--chunk: takes every image, as each chunk would count them by itself; leave out --every")


def excerpts(footage_s: float, asked: Excerpt, chunking: Chunking) -> tuple[Excerpt, ...]:
    """The chunks of ``asked`` in an input of ``footage_s``; one where it is short, or its length is unknown.

    >>> [(e.start_s, e.seconds) for e in excerpts(25.0, Excerpt(), Chunking(10.0, 2.0))]
    [(0.0, 10.0), (8.0, 12.0), (18.0, inf)]
    """
    end_s = min(footage_s, asked.start_s + asked.seconds)
    count = max(math.ceil((end_s - asked.start_s) / chunking.chunk_s), 1)
    found = []
    for k in range(count):
        start_s = asked.start_s + max(k * chunking.chunk_s - chunking.overlap_s, 0.0)
        stop_s = asked.start_s + (asked.seconds if k == count - 1 else (k + 1) * chunking.chunk_s)
        found.append(replace(asked, start_s=start_s, seconds=stop_s - start_s))
    return tuple(found)


def footage_s(given: Input) -> float:
    """The length of ``given``; 0 where it is not known without reading it, or cannot be read: its job says why."""
    if given.kind is Kind.PHOTOS:
        return 0.0
    try:
        return _recorded_s(given) if given.kind is Kind.RECORDING else _video_s(given)
    except (ValueError, OSError):
        return 0.0


def _recorded_s(given: Input) -> float:
    with contextlib.closing(open_recording(given.path, lambda _text: None)) as recording:
        first_ns, last_ns = recording.span_ns
    return (last_ns - first_ns) * 1e-9


def _video_s(given: Input) -> float:
    source = open_source(str(given.path))
    return source.frame_count / source.rate_hz if isinstance(source, VideoSource) else 0.0
