# SPDX-License-Identifier: Apache-2.0
"""What a bench is: a module here with ``run(options) -> Row``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict

from hmr_ros.core.config import DetectorConfig

BENCHES = {
    "mesh": "Pose2Mesh's mesh network: deployed form and our default against plain sparse PyTorch",
    "messages": "messages: mesh written straight into CDR against Point objects",
    "training": "Global-to-Pixel's training: samples drawn per second, samples trained on, memory",
    "gpu": "the networks on this machine's GPU: ms per person against its limits",
    "pipeline": "images in, bodies out, without ROS; beside MediaPipe where it is installed",
    "ros": "the node over DDS: rates, people, outputs, own overhead (docs/latency.md)",
    "capsules": "collision capsules: the fraction of the body that they contain, and their volume",
    "many": "many inputs: two workers against one, and what it costs to hand out work (docs/many.md)",
    "render": "training images: rate on one core, and time of each step",
}
"""Module in this package -> description."""


class BenchSkipped(RuntimeError):  # noqa: N818  # it is no error
    """A bench has nothing to measure on this machine; the message says why."""


@dataclass(frozen=True)
class Options:
    """``repeats``: rounds of timing; ``quick``: only the main cases; ``source``: a clip or directory of images.

    ``preset`` of the detector that the node is measured with.
    """

    repeats: int
    quick: bool = False
    source: Path | None = None
    preset: str = DetectorConfig.preset


class Row(TypedDict):
    """The result of a bench: its settings, medians in ms, figures derived from them, and whether each goal is met.

    ``table``: what does not fit into these, in Markdown; ``submission``: cells of a row about this machine, for the
    documentation. In the JSON only: ``cases`` with all measurements of each
    situation, ``sha256`` of the input files.
    """

    settings: dict[str, str | int | float | list[int]]
    medians_ms: dict[str, float]
    figures: dict[str, float]
    goals: dict[str, bool]
    table: NotRequired[str]
    submission: NotRequired[list[str]]
    cases: NotRequired[list[dict[str, object]]]
    sha256: NotRequired[dict[str, str]]


class Bench(Protocol):
    """The module of a bench."""

    def run(self, options: Options) -> Row:
        """Measure."""
