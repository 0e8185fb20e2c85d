# SPDX-License-Identifier: Apache-2.0
"""A run that was interrupted: what its result holds is carried over, and the run goes on after it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.ros.bag.mcap_file import McapRecording
from hmr_ros.ros.bag.recording import RecordingError, Report
from hmr_ros.ros.bag.result import Result
from hmr_ros.ros.wire.decoding import deserialise
from hmr_ros.ros.wire.messages import track_id
from hmr_ros.ros.wire.types import SmplBodyArray, type_name

_JSON_TOLERANCE_S = 1e-4
"""Less than the time between two images, more than the rounding of stamps in JSON."""


@dataclass(frozen=True)
class Interrupted:
    """An earlier run: its images from ``resumes_ns`` on are to be processed; people get ids from ``first_id`` on."""

    resumes_ns: int
    first_id: int


NOTHING = Interrupted(0, 1)


def interrupted(path: Path, report: Report) -> Interrupted:
    """How far the result ``path`` goes: the last image may be incomplete, and is processed again.

    Raises RecordingError where it holds no bodies.
    """
    result = McapRecording(path, report)
    try:
        ours = {topic.name for topic in result.topics.values() if topic.type == type_name(SmplBodyArray)}
        last_ns, ids = 0, {0}
        for record in result.records(ours):
            last_ns = record.log_ns
            ids |= {track_id(body.id) for body in deserialise(record.data, SmplBodyArray).bodies}
    finally:
        result.close()
    if not last_ns:
        raise RecordingError(f"{path}: no bodies in it to go on from; give --overwrite instead of --resume")
    return Interrupted(last_ns, max(ids) + 1)


def latest(path: Path, earlier: Path, report: Report) -> Interrupted:
    """How far the run in ``path`` goes, whose result moves to ``earlier``, to be carried over from there.

    Where ``earlier`` is there, a run that went on from it was killed: the one of both that goes further is taken.
    Raises RecordingError where there is none.
    """
    found = [each for each in (path, earlier) if each.is_file()]
    if not found:
        raise RecordingError(f"{path}: there is no run to go on with")
    furthest = max(found, key=_end_ns)
    reached = interrupted(furthest, report)
    furthest.replace(earlier)
    return reached


def _end_ns(path: Path) -> int:
    """The time of the last image in the result ``path``, ns; 0 where there is none."""
    try:
        return interrupted(path, lambda _: None).resumes_ns
    except RecordingError:
        return 0


def carry_over(path: Path, result: Result, until_ns: int) -> None:
    """Copy the messages of ``path`` that were recorded before ``until_ns`` into ``result``."""
    earlier = McapRecording(path, lambda _: None)
    try:
        for record in earlier.records():
            if record.log_ns < until_ns:
                result.write(earlier.topics[record.topic], record)
    finally:
        earlier.close()


def shorten_json_lines(path: Path, until_s: float) -> None:
    """Keep the lines of ``path`` about images before ``until_s``, s from the beginning of the recording."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            stamp_s = json.loads(line)["stamp_s"]
        except (ValueError, KeyError):
            break  # the line that the process was killed in
        if stamp_s >= until_s - _JSON_TOLERANCE_S:
            break
        kept.append(line + "\n")
    path.write_text("".join(kept), encoding="utf-8")
