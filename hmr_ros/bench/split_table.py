# SPDX-License-Identifier: Apache-2.0
"""The splits of several cases as one table, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.bench.split import Part, Split, parts_of

_SMALL_MS = 0.05
_REST = f"the rest, each less than {_SMALL_MS:g}"


@dataclass(frozen=True)
class Summary:
    """A case: its number of images, p50 and p99 of the whole, its mean, and that of the residue; ms.

    ``parts``: where the time goes, in the order of an image's way. ``threads``: processor time per processed image, ms,
    of the node's threads and of the other processes.
    """

    images: int
    whole_p50: float
    whole_p99: float
    whole_mean: float
    residue: float
    parts: Sequence[Part]
    threads: Mapping[str, float]


def summary(images: Sequence[Split], threads: Mapping[str, float]) -> Summary:
    """Of at least one image; ``threads`` as in Summary."""
    whole = np.array([image.whole for image in images])
    p50, p99 = np.percentile(whole, (50, 99)).tolist()
    residue = float(np.mean([image.residue for image in images]))
    return Summary(len(images), p50, p99, float(whole.mean()), residue, parts_of(images), threads)


def table(cases: Mapping[str, Summary]) -> str:
    """One column for each of ``cases`` by name."""
    rows = [("ms, mean (p99)", *cases), ("---", *("---" for _ in cases))]
    names = _names(cases)
    rows += [_row(name, cases) for name in names]
    rows.append((_REST, *(f"{_rest(case, names):.1f}" for case in cases.values())))
    rows.append(("residue", *(f"{case.residue:.1f}" for case in cases.values())))
    rows.append(("**stamp to subscriber**", *(f"**{c.whole_mean:.1f} ({c.whole_p99:.0f})**" for c in cases.values())))
    rows.append(("p50", *(f"{case.whole_p50:.1f}" for case in cases.values())))
    for name in dict.fromkeys(name for case in cases.values() for name in case.threads):
        times = (f"{case.threads.get(name, 0.0):.1f}" for case in cases.values())
        rows.append((f"processor time per image: {name}", *times))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _names(cases: Mapping[str, Summary]) -> list[str]:
    """The parts that are not small in all of ``cases``."""
    every = [part for case in cases.values() for part in case.parts]
    large = {part.name for part in every if part.mean >= _SMALL_MS}
    return [name for name in dict.fromkeys(part.name for part in every) if name in large]


def _row(name: str, cases: Mapping[str, Summary]) -> tuple[str, ...]:
    parts = [next((part for part in case.parts if part.name == name), None) for case in cases.values()]
    return (name, *("" if part is None else f"{part.mean:.1f} ({part.p99:.0f})" for part in parts))


def _rest(case: Summary, names: Sequence[str]) -> float:
    """What is left of ``case`` without the parts ``names``, ms."""
    return sum(part.mean for part in case.parts if part.name not in names)
