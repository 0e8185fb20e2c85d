# SPDX-License-Identifier: Apache-2.0
"""The topic ``bodies`` of a recording, image by image."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hmr_ros.results.snapshot import LEVEL, Radii, Snapshot
from hmr_ros.ros.bag.opening import open_recording
from hmr_ros.ros.bag.recording import RecordingError, Report, Topic
from hmr_ros.ros.wire.cdr import CdrError, Stamp
from hmr_ros.ros.wire.decoding import deserialise
from hmr_ros.ros.wire.messages import track_id
from hmr_ros.ros.wire.reading import parameters_from_message
from hmr_ros.ros.wire.types import SmplBodyArray

BODIES = "hmr_ros/msg/SmplBodyArray"


def read_bodies(path: Path, topic: str, report: Report) -> tuple[Snapshot, ...]:
    """The snapshots of a recording, without images; ``topic`` is that of the bodies, "" where there is only one.

    Raises RecordingError, which names the remedy. What is damaged is reported and left out.
    """
    with contextlib.closing(open_recording(path, report)) as recording:
        name = _chosen(path, recording.topics, topic)
        return tuple(_snapshots(((r.data, r.log_ns) for r in recording.records({name})), report))


def _chosen(path: Path, topics: Mapping[str, Topic], wanted: str) -> str:
    found = sorted(name for name, topic in topics.items() if topic.type == BODIES)
    if wanted:
        wanted = "/" + wanted.lstrip("/")
        if wanted not in found:
            raise RecordingError(f"{path}: --topic {wanted}: no such bodies; there are {', '.join(found) or 'none'}")
        return wanted
    if not found:
        raise RecordingError(f"{path}: no bodies in this recording; estimate them first: hmr run {path}")
    if len(found) > 1:
        raise RecordingError(f"{path}: bodies of several cameras: choose one with --topic ({', '.join(found)})")
    return found[0]


def _snapshots(messages: Iterator[tuple[bytes, int]], report: Report) -> Iterator[Snapshot]:
    began_ns = None
    for number, (data, log_ns) in enumerate(messages):
        began_ns = log_ns if began_ns is None else began_ns
        try:
            yield snapshot_of(deserialise(data, SmplBodyArray), number, (log_ns - began_ns) * 1e-9)
        except (CdrError, ValueError, KeyError) as err:
            report(f"bodies of image {number} cannot be read, and are left out: {err}")


def snapshot_of(message: SmplBodyArray, number: int, stamp_s: float) -> Snapshot:
    """The snapshot that ``message`` is about; ``stamp_s`` is its time in the recording."""
    bodies, names = parameters_from_message(message)
    stamp = Stamp(message.header.stamp.sec, message.header.stamp.nanosec)
    return Snapshot(
        number=number,
        stamp_s=stamp_s,
        bodies=dataclasses.replace(bodies, ids=np.array([track_id(name) for name in names], np.int64)),
        names=names,
        radii=_radii(message),
        header_ns=stamp.nanoseconds,
        body_model=message.body_model,
    )


def _radii(message: SmplBodyArray) -> Radii:
    """Those of the level nearest to LEVEL."""
    levels = np.asarray(message.coverage_levels, np.float64)
    if not levels.size:
        return Radii()
    row = int(np.abs(levels - LEVEL).argmin())
    return Radii(float(message.joint_radii[row]), float(message.root_radii[row]))
