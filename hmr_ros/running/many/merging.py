# SPDX-License-Identifier: Apache-2.0
"""Results of chunks that overlap -> one result, in which people keep their ids."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import numpy as np

from hmr_ros.core.arrays import Array
from hmr_ros.core.people import State
from hmr_ros.recording import directory
from hmr_ros.recording.arrays import COLUMNS, FORECASTS, OF_THE_RUN, write_arrays
from hmr_ros.recording.tally import Summary, Tally

_NEAR = 0.2
"""Keypoints of one person in both chunks differ by less, mean, as a fraction of the person's size in the image."""


class _Body(TypedDict):
    id: int
    state: str
    kp2d: list[list[float | None]]


class _Line(TypedDict):
    frame: int
    stamp_s: float
    lost: list[int]
    bodies: list[_Body]


def merge(chunks: Sequence[Path], out: Path) -> Summary:
    """Put the results in ``chunks``, in their order, together in ``out``. Returns what it comes to."""
    tally = Tally()
    lines = {path.relative_to(chunk) for chunk in chunks for path in chunk.rglob(directory.JSON_LINES)}
    for name in sorted(lines):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        parts = _merge_lines([chunk / name for chunk in chunks], out / name, tally)
        arrays = name.with_name(directory.ARRAYS)
        if any((chunk / arrays).is_file() for chunk in chunks):
            _merge_arrays([chunk / arrays for chunk in chunks], parts, out / arrays)
    return tally.summary(interrupted=False)


@dataclass(eq=False)
class _Part:
    """What was taken of a chunk: images after ``after``, with ``ids`` of its people -> those of the whole."""

    after: int
    ids: dict[int, int] = field(default_factory=dict)


def same_people(
    before: Mapping[int, Sequence[_Body]], now: Mapping[int, Sequence[_Body]], near: float = _NEAR
) -> dict[int, int]:
    """Ids in ``now`` -> ids in ``before``, both by frame: pairs that agree in most images, each id in one pair."""
    votes: Counter[tuple[int, int]] = Counter()
    for frame in before.keys() & now.keys():
        for (a, p), (b, q) in itertools.product(_points(now[frame]), _points(before[frame])):
            votes[a, b] += _distance(p, q) < near
    found: dict[int, int] = {}
    for (a, b), count in votes.most_common():
        if count and a not in found and b not in found.values():
            found[a] = b
    return found


def _merge_lines(chunks: Sequence[Path], out: Path, tally: Tally) -> list[_Part]:
    """Write the lines of all chunks, and count what is in them."""
    whole = _Whole()
    with out.open("w", encoding="utf-8") as stream:
        for chunk in chunks:
            whole.begin({line["frame"]: line["bodies"] for line in _lines(chunk) if line["frame"] <= whole.last})
            for line in filter(whole.is_new, _lines(chunk)):
                whole.take(line)
                stream.write(json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n")
                seen = [body["id"] for body in line["bodies"] if body["state"] != State.TENTATIVE.name]
                tally.add_ids(seen, line["stamp_s"], out)
    return whole.parts


class _Whole:
    """What was put together so far: ``last`` is its last image, ``parts`` are what was taken of each chunk."""

    def __init__(self) -> None:
        self.last = -1
        self.parts: list[_Part] = []
        self._recent: dict[int, list[_Body]] = {}
        self._present: set[int] = set()
        self._gone: set[int] = set()
        self._highest = 0

    def begin(self, overlapping: Mapping[int, Sequence[_Body]]) -> None:
        """Go on with the next chunk, of which these images are there already. Whom it has not is lost."""
        part = _Part(self.last, same_people(self._recent, overlapping))
        self._gone = self._present - set(part.ids.values())
        self._recent = {}
        self.parts.append(part)

    def is_new(self, line: _Line) -> bool:
        """Whether this image is not there yet."""
        return line["frame"] > self.parts[-1].after

    def take(self, line: _Line) -> None:
        """Add ``line`` of the current chunk; its people get their ids of the whole."""
        ids = self.parts[-1].ids
        for body in line["bodies"]:
            body["id"] = ids.setdefault(body["id"], self._new_id(body["id"]))
            self._highest = max(self._highest, body["id"])
        lost = {ids[lost] for lost in line["lost"] if lost in ids}  # others were lost before the cut
        line["lost"], self._gone = sorted(lost | self._gone), set()
        self.last, self._present = line["frame"], {body["id"] for body in line["bodies"]}
        self._recent[line["frame"]] = line["bodies"]

    def _new_id(self, of_chunk: int) -> int:
        """Of whoever is new: in the first chunk its own, then the next one."""
        return of_chunk if len(self.parts) == 1 else self._highest + 1


def _merge_arrays(chunks: Sequence[Path], parts: Sequence[_Part], out: Path) -> None:
    """Write the arrays of all chunks, as ``recording.arrays`` does."""
    columns: dict[str, list[Array]] = defaultdict(list)
    images, of_the_run = 0, dict[str, Array]()
    for chunk, part in zip(chunks, parts, strict=True):
        if not chunk.is_file():
            continue
        with np.load(chunk, allow_pickle=False) as arrays:
            kept = arrays["image_frame"] > part.after
            rows = kept[arrays["image_index"]]
            of_the_run |= {name: arrays[name] for name in OF_THE_RUN if name in arrays.files}
            places = np.cumsum(kept) - 1 + images
            for name in arrays.files:
                if name == "image_index":
                    columns[name].append(places[arrays[name][rows]])
                elif name == "ids":
                    new = [part.ids[body_id] for body_id in arrays[name][rows].tolist()]
                    columns[name].append(np.array(new, arrays[name].dtype))
                elif name not in OF_THE_RUN:
                    columns[name].append(arrays[name][rows if name in (*COLUMNS, *FORECASTS) else kept])
            images += int(kept.sum())
    if columns:
        tables = {name: np.concatenate(values) for name, values in columns.items()}
        write_arrays(out, {**tables, **of_the_run})


def _lines(path: Path) -> Iterator[_Line]:
    if path.is_file():
        with path.open(encoding="utf-8") as stream:
            for text in stream:
                line: _Line = json.loads(text)
                yield line


def _points(bodies: Sequence[_Body]) -> list[tuple[int, Array]]:
    """Id and keypoints (J, 2) px of each body."""
    return [(body["id"], np.array(body["kp2d"], np.float64)) for body in bodies]


def _distance(p: Array, q: Array) -> float:
    """Mean distance of keypoints (J, 2) by the size of their box; infinite where none is in both."""
    both = np.isfinite(p).all(-1) & np.isfinite(q).all(-1)
    if not both.any():
        return float("inf")
    size = float(np.linalg.norm(np.ptp(q[both], axis=0)))
    return float(np.linalg.norm(p[both] - q[both], axis=-1).mean()) / max(size, 1.0)
