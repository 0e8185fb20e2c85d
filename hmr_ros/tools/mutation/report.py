# SPDX-License-Identifier: Apache-2.0
"""What became of the mutants: a record for each, kept in a JSON file, and the rate of survivors."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from hmr_ros.tools.mutation.sites import Mutant

Fate = Literal["noticed", "survived", "equivalent"]


@dataclass(frozen=True)
class Result:
    """A mutant's fate: the lines ``before`` and ``after``, and the test (or the reason) that decided it."""

    path: str
    line: int
    kind: str
    before: str
    after: str
    fate: Fate
    by: str

    @property
    def key(self) -> str:
        """What tells mutants apart, also after lines above have moved."""
        return "\n".join((self.path, self.kind, self.before, self.after))

    def decided(self, fate: Fate, by: str) -> Result:
        """The same mutant with another fate."""
        return replace(self, fate=fate, by=by)

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        lines = difflib.unified_diff(
            self.before.splitlines(), self.after.splitlines(), f"a/{self.path}", f"b/{self.path}:{self.line}", "", "", 0
        )
        return "\n".join(line for line in lines if not line.startswith("@@"))


def draft(mutant: Mutant, source: str) -> Result:
    """A record of a mutant of the file with this text, which survived so far."""
    whole, broken = source.splitlines(), mutant.applied(source).splitlines()
    longest = min(len(whole), len(broken)) - mutant.line + 1
    same = next((n for n in range(longest) if whole[-1 - n] != broken[-1 - n]), longest)
    before, after = ("\n".join(lines[mutant.line - 1 : len(lines) - same]) for lines in (whole, broken))
    return Result(mutant.path, mutant.line, mutant.kind, before, after, "survived", "")


def wilson_interval(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson 1927); (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    rate, weight = hits / of, z * z / of
    centre = (rate + weight / 2) / (1 + weight)
    half_width = z / (1 + weight) * math.sqrt(rate * (1 - rate) / of + weight / (4 * of))
    return max(0.0, centre - half_width), min(1.0, centre + half_width)


def summary(results: Iterable[Result]) -> str:
    """Survivors as diffs, then the counts and the rate, equivalent mutants apart."""
    results = list(results)
    survivors = [r for r in results if r.fate == "survived"]
    of = len(results) - sum(r.fate == "equivalent" for r in results)
    low, high = wilson_interval(len(survivors), of)
    return "\n".join(
        [
            *(f"{r.diff}\n" for r in survivors),
            *_by_package(results),
            f"{len(survivors)} of {of} mutants survived: {len(survivors) / max(of, 1):.0%} "
            f"(95 % interval {low:.0%} to {high:.0%}); {len(results) - of} equivalent ones apart",
        ]
    )


def _by_package(results: list[Result]) -> list[str]:
    packages = sorted({r.path.split("/")[1] for r in results})
    fates = {p: [r.fate for r in results if r.path.split("/")[1] == p] for p in packages}
    return [f"  {p}: {f.count('survived')} of {len(f) - f.count('equivalent')}" for p, f in fates.items()]


def load_results(file: Path) -> list[Result]:
    """The results of an earlier, perhaps interrupted run; none where there is no file."""
    return [Result(**entry) for entry in json.loads(file.read_text())["mutants"]] if file.exists() else []


def save_results(file: Path, results: Iterable[Result]) -> None:
    """Write results whole, by way of a second file, so that an interrupted write loses nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({"mutants": [asdict(r) for r in results]}, indent=1) + "\n")
    partial.replace(file)
