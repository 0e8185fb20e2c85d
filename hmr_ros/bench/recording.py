# SPDX-License-Identifier: Apache-2.0
"""The tracepoints of the node (core/tracepoints.py), written to a file, a line of JSON for each image."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from hmr_ros.core import tracepoints
from hmr_ros.core.bounded import Bounded

_ARRIVED = 64
"""Images whose arrival is remembered until they are worked on: most are replaced by newer ones."""


@dataclass
class _Work:
    """The image that a thread works on, and the steps so far: name, time and processor time of the thread, ns."""

    stamp_ns: int
    began: tuple[int, int]
    steps: list[tuple[str, int, int]] = field(default_factory=list)


class FileRecorder:
    """Writes what it records of each image to ``path`` when the image is done. Times are of the system's clock, ns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._arrived = Bounded[int, int](_ARRIVED)
        self._local = threading.local()

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def arrived(self, stamp_ns: int) -> None:
        """The image is in the process."""
        self._arrived[stamp_ns] = time.time_ns()

    def began(self, stamp_ns: int) -> None:
        """The calling thread begins to work on the image."""
        self._local.work = _Work(stamp_ns, (time.time_ns(), time.thread_time_ns()))

    def mark(self, step: str) -> None:
        """``step`` has ended; unless the thread works on no image, as the one that searches."""
        work: _Work | None = getattr(self._local, "work", None)
        if work is not None:
            work.steps.append((step, time.time_ns(), time.thread_time_ns()))

    def ended(self) -> None:
        """Write the line of the image."""
        work: _Work = self._local.work
        self._local.work = None
        row = {"stamp": work.stamp_ns, "arrived": self._arrived.get(work.stamp_ns), "began": work.began}
        self._file.write(json.dumps(row | {"steps": work.steps}) + "\n")


def record_into_first_argument() -> None:
    """Record into the file that the first argument of this program names; nothing where that is an option."""
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        tracepoints.install(FileRecorder(Path(sys.argv[1])))
