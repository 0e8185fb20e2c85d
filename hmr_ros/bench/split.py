# SPDX-License-Identifier: Apache-2.0
"""Where the time of an image goes: from the camera's stamp to the subscriber that has the last message about it.

All times are of the system's clock, which all processes of a machine share. The parts of an image leave no gap but what
one process does not see of the other: the residue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.ros.player.heard import Heard

RESIDUE_MS = 0.5
"""Largest mean difference between the whole and the sum of its parts, ms."""

CAMERA, TRANSPORT_IN, SLOT = "camera: publishing", "transport in", "waiting for the worker"
TRANSPORT_OUT, SUBSCRIBER = "transport out", "subscriber"
_MS = 1e-6


@dataclass(frozen=True)
class Step:
    """A step of the worker's thread: when it ended, and the thread's processor time by then, ns."""

    name: str
    end_ns: int
    processor_ns: int


@dataclass(frozen=True)
class Traced:
    """What the node did with the image of ``stamp_ns``: when it was in the process, and taken by the worker, ns.

    ``processor_ns`` is that of the worker's thread when it took the image; ``steps`` follow in their order.
    """

    stamp_ns: int
    arrived_ns: int
    began_ns: int
    processor_ns: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Split:
    """One image: the ``whole``, its ``parts`` by name in their order, the worker's ``processor`` time of them; ms."""

    whole: float
    parts: Mapping[str, float]
    processor: Mapping[str, float]

    @property
    def residue(self) -> float:
        """What the parts leave of the whole, ms."""
        return self.whole - sum(self.parts.values())


@dataclass(frozen=True)
class Part:
    """A part over all images, ms: mean, of those without it too, 99th percentile, and mean processor time."""

    name: str
    mean: float
    p99: float
    processor: float


def read_traced(path: Path) -> list[Traced]:
    """The images in a file of recording.FileRecorder whose arrival is known; its last line may be cut off."""
    traced = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        row = json.loads(line) if line.endswith("\n") else {}
        if row.get("arrived"):
            steps = tuple(Step(*step) for step in row["steps"])
            traced.append(Traced(row["stamp"], row["arrived"], row["began"][0], row["began"][1], steps))
    return traced


def read_sent(path: Path) -> dict[int, int]:
    """When the camera had published its images, ns, by their stamps; the last line may be cut off."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return {int(stamp): int(sent) for stamp, sent in map(str.split, lines)}


def split(image: Traced, sent_ns: int, last: Heard) -> Split:
    """The way of ``image``, published by ``sent_ns``, until the subscriber had the ``last`` message.

    An image may be with the node before the call that publishes it returns.
    """
    sent_ns = min(sent_ns, image.arrived_ns)
    parts = {
        CAMERA: sent_ns - image.stamp_ns,
        TRANSPORT_IN: image.arrived_ns - sent_ns,
        SLOT: image.began_ns - image.arrived_ns,
    }
    processor: dict[str, int] = {}
    before = Step("", image.began_ns, image.processor_ns)
    for step in image.steps:
        if before.end_ns >= last.source_ns:
            break
        # The message is on its way before the call that sends it returns.
        parts[step.name] = parts.get(step.name, 0) + min(step.end_ns, last.source_ns) - before.end_ns
        processor[step.name] = processor.get(step.name, 0) + step.processor_ns - before.processor_ns
        before = step
    parts |= {TRANSPORT_OUT: last.received_ns - last.source_ns, SUBSCRIBER: last.taken_ns - last.received_ns}
    whole = last.taken_ns - image.stamp_ns
    return Split(whole * _MS, {n: ns * _MS for n, ns in parts.items()}, {n: ns * _MS for n, ns in processor.items()})


def splits(images: Iterable[Traced], sent_ns: Mapping[int, int], heard: Iterable[Heard]) -> list[Split]:
    """The split of each of ``images`` that was sent, and that something was heard about."""
    last: dict[int, Heard] = {}
    for message in heard:
        before = last.get(message.stamp_ns)
        if before is None or message.source_ns > before.source_ns:
            last[message.stamp_ns] = message
    known = last.keys() & sent_ns.keys()
    return [split(i, sent_ns[i.stamp_ns], last[i.stamp_ns]) for i in images if i.stamp_ns in known]


def parts_of(images: Sequence[Split]) -> list[Part]:
    """The parts over all ``images``, in the order of the image's way."""
    return [_part(name, images) for name in _names(images)]


def _part(name: str, images: Sequence[Split]) -> Part:
    took = np.array([image.parts.get(name, 0.0) for image in images])
    processor = float(np.mean([image.processor.get(name, 0.0) for image in images]))
    return Part(name, float(took.mean()), float(np.percentile(took, 99)), processor)


def _names(images: Sequence[Split]) -> list[str]:
    """All names, each before those that it comes before in the image where it is first seen."""
    names: list[str] = []
    for image in images:
        at = 0
        for name in image.parts:
            if name in names:
                at = names.index(name) + 1
            else:
                names.insert(at, name)
                at += 1
    return names
