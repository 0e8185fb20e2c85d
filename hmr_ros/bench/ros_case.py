# SPDX-License-Identifier: Apache-2.0
"""Cases of `hmr bench ros`, which set image rate, people and subscribed outputs, and their measurements."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float64s

CLIP = -1
"""Number of people that stands for those of the clip."""

_NAN = float("nan")
_DROPPED = "dropped: "


@dataclass(frozen=True)
class Case:
    """``people`` in the image, CLIP: those of the clip; ``outputs`` subscribed besides the bodies.

    ``standing``: rendered people are followed in turns, where the node asks for it, as those who stand; otherwise all
    are looked at in every image, as those who move.
    """

    rate_hz: float
    people: int
    outputs: tuple[str, ...]
    standing: bool = False

    @property
    def still_people(self) -> str:
        """The node's parameter ``detector.still_people``."""
        return "every_image" if self.people > 1 and not self.standing else "auto"

    @property
    def crowd(self) -> str:
        """Who is in the image."""
        people = "the clip" if self.people == CLIP else f"{self.people} people"
        return f"{people} who stand" if self.standing else people

    @property
    def name(self) -> str:
        """The label in tables."""
        return f"{self.crowd}, {self.rate_hz:g} Hz, {' + '.join(self.outputs) or 'bodies alone'}"


@dataclass(frozen=True)
class Timing:
    """Latency, ms: stamp -> last message about an image published; jitter, ms: how its bodies' intervals deviate.

    Jitter is the standard deviation; NaN without messages.
    """

    latency_p50_ms: float = _NAN
    latency_p99_ms: float = _NAN
    latency_p999_ms: float = _NAN
    latency_max_ms: float = _NAN
    jitter_ms: float = _NAN


@dataclass(frozen=True)
class Measured:
    """The measurements of one window.

    ``images_hz`` come in and bodies go out at ``rate_hz``; ``overhead`` is the node's own time, all but the pipeline's;
    ``cpu`` in cores, also those of camera and subscriber; ``people`` are those it saw last.
    """

    timing: Timing
    images_hz: float
    rate_hz: float
    overhead_p50_ms: float
    overhead_p99_ms: float
    messages_per_image: float
    cpu: float
    memory_mib: float
    people: float
    drops: Mapping[str, int]
    camera_cpu: float = _NAN
    subscriber_cpu: float = _NAN


def timing(latencies_s: Float64s, bodies_at_s: Float64s) -> Timing:
    """Percentiles of the latencies (N,) s of images, and the jitter of the times (N,) s of their bodies."""
    if len(latencies_s) == 0:
        return Timing()
    p50, p99, p999, largest = np.percentile(latencies_s * 1e3, (50, 99, 99.9, 100)).tolist()
    jitter_ms = float(np.diff(bodies_at_s).std() * 1e3) if len(bodies_at_s) > 2 else _NAN
    return Timing(p50, p99, p999, largest, jitter_ms)


def drops_between(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, int]:
    """Images dropped between two diagnostics, by reason."""
    counts = {
        key.removeprefix(_DROPPED): int(value) - int(before.get(key, 0))
        for key, value in after.items()
        if key.startswith(_DROPPED)
    }
    return {reason: count for reason, count in counts.items() if count}


def median(windows: Sequence[Measured]) -> Measured:
    """The median of each figure over ``windows``, and all drops."""
    numbers = {
        field.name: float(np.median([getattr(window, field.name) for window in windows]))
        for field in dataclasses.fields(Measured)
        if field.type == "float"
    }
    timings = np.median([dataclasses.astuple(window.timing) for window in windows], axis=0)
    reasons = sorted({reason for window in windows for reason in window.drops})
    drops = {reason: sum(window.drops.get(reason, 0) for window in windows) for reason in reasons}
    return Measured(Timing(*timings.tolist()), drops=drops, **numbers)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, or of all files of a directory by name."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        digest.update(file.read_bytes())
    return digest.hexdigest()
