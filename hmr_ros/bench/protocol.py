"""What a bench is: a module here with ``run(options) -> Row``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict

BENCHES = {
    "mesh": "Pose2Mesh's mesh network: deployed form and our default against plain sparse PyTorch",
    "messages": "messages: mesh written straight into CDR against Point objects",
    "training": "Global-to-Pixel's training: samples made, samples learnt from, memory",
    "gpu": "the networks on this machine's GPU: ms per person against its limits",
    "ros": "the node over DDS: rates, people, outputs, own overhead (docs/latency.md)",
    "capsules": "collision capsules: how much of the body they contain, and how much more",
    "render": "training images: how many per second of a core, and where the time goes",
}
"""Module in this package -> what it measures."""


class BenchSkipped(RuntimeError):  # noqa: N818  # nothing went wrong
    """A bench has nothing to measure on this machine; the message says why."""


@dataclass(frozen=True)
class Options:
    """``repeats``: times that each thing is measured; ``quick``: only the most telling cases; ``source``: a clip."""

    repeats: int
    quick: bool = False
    source: Path | None = None


class Row(TypedDict):
    """What a bench returns: what was measured, medians in ms, figures made of them, and whether each goal is met.

    For the JSON alone: ``cases`` has everything that was measured in each situation, ``sha256`` the files that went in.
    """

    settings: dict[str, str | int | float | list[int]]
    medians_ms: dict[str, float]
    figures: dict[str, float]
    goals: dict[str, bool]
    cases: NotRequired[list[dict[str, object]]]
    sha256: NotRequired[dict[str, str]]


class Bench(Protocol):
    """The module of a bench."""

    def run(self, options: Options) -> Row:
        """Measure."""
