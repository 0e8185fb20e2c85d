# SPDX-License-Identifier: Apache-2.0
"""Which mutants are tried: at random over the packages, or all on lines that changed since a revision."""

from __future__ import annotations

import random
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from hmr_ros.tools.mutation.allowed import Allowed
from hmr_ros.tools.mutation.sites import Mutant, mutants_of

_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def all_mutants(root: Path, files: Iterable[Path], allowed: Allowed) -> list[Mutant]:
    """The mutants of files of the tree, without those of constants that only tune."""
    found = []
    for file in sorted(files):
        path = file.relative_to(root).as_posix()
        found += [m for m in mutants_of(path, file.read_text()) if not allowed.is_tuning(m)]
    return found


def random_mutants(root: Path, packages: Sequence[str], count: int, seed: int, allowed: Allowed) -> list[Mutant]:
    """``count`` mutants of sub-packages of hmr_ros, each by its lines of code; in an order of no meaning.

    A line is drawn first, then a mutant of it, so that lines with many are not drawn more often.
    """
    generator = random.Random(seed)
    files = {package: sorted((root / "hmr_ros" / package).rglob("*.py")) for package in packages}
    lines = {package: sum(len(f.read_text().splitlines()) for f in files[package]) for package in packages}
    chosen: list[Mutant] = []
    for package, quota in zip(packages, _quotas([lines[p] for p in packages], count), strict=True):
        chosen += _one_a_line(all_mutants(root, files[package], allowed), quota, generator)
    generator.shuffle(chosen)
    return chosen


def _quotas(weights: Sequence[int], count: int) -> list[int]:
    """``count`` parted by weights; the largest remainders round up."""
    exact = [count * weight / sum(weights) for weight in weights]
    quotas = [int(part) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: quotas[i] - exact[i])
    for index in by_remainder[: count - sum(quotas)]:
        quotas[index] += 1
    return quotas


def _one_a_line(mutants: Iterable[Mutant], count: int, generator: random.Random) -> list[Mutant]:
    lines: dict[tuple[str, int], list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        lines[mutant.path, mutant.line].append(mutant)
    drawn = generator.sample(sorted(lines), min(count, len(lines)))
    return [generator.choice(lines[place]) for place in drawn]


def changed_mutants(root: Path, base: str, allowed: Allowed) -> list[Mutant]:
    """The mutants on lines of hmr_ros that differ from the revision ``base``. Raises ValueError for an unknown one."""
    git = ["git", "-C", str(root), "diff", "--unified=0", "--no-color", "--diff-filter=d", base, "--", "hmr_ros"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"git knows no revision {base!r} to compare with: {done.stderr.strip()}")
    lines = _changed_lines(done.stdout)
    files = [root / path for path in lines if path.endswith(".py")]
    return [m for m in all_mutants(root, files, allowed) if m.line in lines[m.path]]


def _changed_lines(diff: str) -> dict[str, set[int]]:
    lines: dict[str, set[int]] = defaultdict(set)
    path = ""
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
        elif match := _HUNK.match(line):
            first, count = int(match[1]), int(match[2] or 1)
            lines[path].update(range(first, first + count))
    return lines
