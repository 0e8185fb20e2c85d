# SPDX-License-Identifier: Apache-2.0
"""test/mutants_allowed.toml: constants of pure tuning, and mutants that change no behaviour, each with its reason."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.tools.mutation.sites import Mutant

FILE = Path("test", "mutants_allowed.toml")
_KEYS = {"tuning": {"path", "name", "reason"}, "equivalent": {"path", "before", "after", "reason"}}


@dataclass(frozen=True)
class Allowed:
    """What need not be noticed: names of constants by file, and (path, before, after) -> reason, lines stripped."""

    tuning: frozenset[tuple[str, str]]
    equivalent: dict[tuple[str, str, str], str]

    def is_tuning(self, mutant: Mutant) -> bool:
        """Whether the mutant lies in a constant that only tunes."""
        return (mutant.path, mutant.name) in self.tuning

    def reason(self, path: str, before: str, after: str) -> str:
        """Why a mutant changes no behaviour, or empty."""
        return self.equivalent.get((path, _flat(before), _flat(after)), "")


def load_allowed(root: Path) -> Allowed:
    """The allow file of a tree. Raises ValueError for an entry without a reason or with an unknown key."""
    tables = tomllib.loads((root / FILE).read_text()) if (root / FILE).exists() else {}
    for kind, entries in tables.items():
        for entry in entries:
            if set(entry) != _KEYS.get(kind) or not entry["reason"]:
                raise ValueError(f"{FILE}: an entry [[{kind}]] needs {_KEYS.get(kind, 'to be removed')}, has {entry}")
    return Allowed(
        frozenset((e["path"], e["name"]) for e in tables.get("tuning", [])),
        {(e["path"], _flat(e["before"]), _flat(e["after"])): e["reason"] for e in tables.get("equivalent", [])},
    )


def _flat(lines: str) -> str:
    return " ".join(lines.split())
