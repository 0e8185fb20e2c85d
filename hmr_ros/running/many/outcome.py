# SPDX-License-Identifier: Apache-2.0
"""What became of an input."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from hmr_ros.recording.tally import Summary

NOTHING = Summary(0, 0, 0, 0, interrupted=False)


class Status(enum.Enum):
    """Of an input: its result is new; was there before; is missing, for a reason; or was not finished."""

    DONE = "done"
    FOUND = "found"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Outcome:
    """What a job came to.

    ``content`` is the digest of the input, "" where it could not be read; ``result`` the name of the directory with the
    files, "" where there is none; ``reason`` why it failed; ``problems`` the lines that were reported on the way;
    ``cpu_s`` and ``wall_s`` are what it took.
    """

    status: Status
    content: str = ""
    result: str = ""
    reason: str = ""
    summary: Summary = NOTHING
    problems: tuple[str, ...] = ()
    cpu_s: float = 0.0
    wall_s: float = 0.0


def from_json(raw: Mapping[str, object], result: str) -> Outcome:
    """The outcome that ``result`` holds in its run.json, found again. Raises KeyError, TypeError or ValueError."""
    summary = raw["summary"]
    problems = raw["problems"]
    if not isinstance(summary, dict) or not isinstance(problems, list):
        raise TypeError("expected an object and a list")
    return Outcome(
        Status.FOUND,
        str(raw["content"]),
        result,
        summary=Summary(**summary),
        problems=tuple(map(str, problems)),
        cpu_s=float(str(raw["cpu_s"])),
        wall_s=float(str(raw["wall_s"])),
    )


@dataclass(frozen=True)
class Row:
    """An input in the report: its ``path``, ``kind``, last ``outcome``, and how often it was tried in this call."""

    path: str
    kind: str
    outcome: Outcome
    attempts: int = field(default=0)
