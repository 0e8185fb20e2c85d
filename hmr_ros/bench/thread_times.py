# SPDX-License-Identifier: Apache-2.0
"""Processor time of a process, by thread."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_OF_DDS = "dds."
"""Fast DDS names its threads after what they do: dds.shm.7411, dds.ev.0, ..."""


@dataclass(frozen=True)
class ThreadTime:
    """The name of a thread, "" where it has that of its process, and its processor time so far, s."""

    name: str
    seconds: float


def thread_times(pid: int) -> dict[int, ThreadTime]:
    """The threads of a process by number; none where the system does not tell."""
    tasks = Path(f"/proc/{pid}/task")
    times: dict[int, ThreadTime] = {}
    for task in tasks.iterdir() if tasks.is_dir() else ():
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            running_ns = int((task / "schedstat").read_text(encoding="utf-8").split()[0])
            times[int(task.name)] = ThreadTime((task / "comm").read_text(encoding="utf-8").strip(), running_ns * 1e-9)
    return times


def by_part(pid: int, before: Mapping[int, ThreadTime], after: Mapping[int, ThreadTime]) -> dict[str, float]:
    """Processor time between two looks at the process ``pid``, s, by what its threads are for.

    The first thread of the node is the executor's. Threads with the name of their process are the networks'.
    """
    seconds: dict[str, float] = {}
    for number, thread in after.items():
        start = before.get(number, ThreadTime("", 0.0)).seconds
        part = _part(pid, number, thread.name, after)
        seconds[part] = seconds.get(part, 0.0) + thread.seconds - start
    return seconds


def _part(pid: int, number: int, name: str, threads: Mapping[int, ThreadTime]) -> str:
    if number == pid:
        return "executor"
    if name.startswith(_OF_DDS):
        return "middleware"
    return "networks" if name == threads[pid].name else name
