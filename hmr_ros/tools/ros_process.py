# SPDX-License-Identifier: Apache-2.0
"""Our ROS programs as processes of their own, in a corner of the ROS graph that disturbs nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hmr_ros.ros.wire.transport import for_large_messages

_EXIT_S = 5.0


def prepare_environment() -> None:
    """Large images over Fast DDS, this machine only; what the user has set stays. Our children inherit it."""
    os.environ.update(for_large_messages(os.environ))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


class RosProcess:
    """A module run as a program; ``parameters`` are ROS parameters, NAME:=VALUE."""

    def __init__(
        self,
        module: str,
        namespace: str,
        arguments: Sequence[str] = (),
        parameters: Sequence[str] = (),
        log: IO[bytes] | None = None,
    ) -> None:
        """``log`` takes what it prints; None: this process's own output."""
        ros = ["--ros-args", "-r", f"__ns:=/{namespace}", *(part for p in parameters for part in ("-p", p))]
        self._process = subprocess.Popen([sys.executable, "-m", module, *arguments, *ros], stdout=log, stderr=log)
        self.peak_memory_mib = 0.0
        """Most resident memory as of the last ``watch``; 0 where the system does not tell."""

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """Processor time it has taken so far, s; NaN where the system does not tell."""
        with contextlib.suppress(OSError):
            # Behind the name, which may hold anything, the state is the first field; of all, 14 and 15 are the times.
            fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return float("nan")

    @property
    def memory_mib(self) -> float:
        """Resident memory, MiB; NaN where the system does not tell."""
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="utf-8").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return float("nan")

    @property
    def descriptors(self) -> int:
        """Number of its open file descriptors; 0 where the system does not tell."""
        return self._entries("fd")

    @property
    def threads(self) -> int:
        """Number of its threads; 0 where the system does not tell."""
        return self._entries("task")

    @property
    def exit_status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def watch(self) -> None:
        """Look at its memory."""
        with contextlib.suppress(OSError):  # it has just ended, or this system has no /proc
            lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8").splitlines()
            sizes = [float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")]
            self.peak_memory_mib = max([self.peak_memory_mib, *sizes])

    def kill(self) -> None:
        """End it without a warning."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end as Ctrl-C would, and insist after a while."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _entries(self, directory: str) -> int:
        with contextlib.suppress(OSError):
            return len(os.listdir(f"/proc/{self._process.pid}/{directory}"))
        return 0
