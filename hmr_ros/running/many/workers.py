# SPDX-License-Identifier: Apache-2.0
"""Processes of this machine that do jobs, each on cores of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from hmr_ros.running.many.job import Job, KeptNetworks, do
from hmr_ros.running.many.outcome import Outcome, Status
from hmr_ros.running.single import Assemble

_SPAWN = multiprocessing.get_context("spawn")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Libraries read these when they are loaded, so that a worker starts with them."""


@dataclass(frozen=True)
class Event:
    """News of the job ``number``: ``images`` more are done; with its ``outcome``, it is finished."""

    number: int
    images: int = 0
    outcome: Outcome | None = None


class Executor(Protocol):
    """Does jobs elsewhere, ``size`` of them at a time."""

    @property
    def size(self) -> int:
        """How many jobs it takes at once."""

    def submit(self, job: Job) -> None:
        """Begin ``job``; at most ``size`` are unfinished."""

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What has happened since the last call, waiting at most ``timeout_s`` for it."""

    def close(self) -> None:
        """Stop at once what is not finished."""


class Workers:
    """``count`` processes that open networks by ``opened``; each takes one job at a time.

    Cores are divided among them: libraries start as many threads as a worker has cores. A worker that dies fails its
    job alone; another takes its place.
    """

    def __init__(self, count: int, opened: Assemble) -> None:
        self._cores = divided(sorted(os.sched_getaffinity(0)), count)
        self._assemble = opened
        self._workers: list[_Worker | None] = [None] * count  # each starts with its first job

    @property
    def size(self) -> int:
        """The number of processes."""
        return len(self._workers)

    def submit(self, job: Job) -> None:
        """Give ``job`` to a free worker, the one that has worked before if there is one."""
        free = [k for k, worker in enumerate(self._workers) if worker is None or worker.job is None]
        place = min(free, key=lambda k: (self._workers[k] is None, k))
        worker = self._workers[place] or _Worker(self._cores[place], self._assemble)
        self._workers[place] = worker
        worker.begin(with_threads(job, len(self._cores[place])))

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What the workers send, and the end of those that have died."""
        busy = {worker.connection: worker for worker in self._workers if worker is not None and worker.job is not None}
        ready = wait(list(busy), timeout_s)
        events = [busy[connection].event() for connection in ready if isinstance(connection, Connection)]
        self._workers = [None if worker is None or worker.is_dead else worker for worker in self._workers]
        return events

    def close(self) -> None:
        """Kill the workers: what is not whole counts for nothing."""
        for worker in filter(None, self._workers):
            worker.kill()


class _Worker:
    """A process, our end of the pipe to it, and the job it works on."""

    def __init__(self, cores: Sequence[int], opened: Assemble) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self.job: Job | None = None
        self.is_dead = False
        with _environment(dict.fromkeys(_THREADS, str(len(cores)))):
            self._process: BaseProcess = _SPAWN.Process(target=serve, args=(theirs, cores, opened), daemon=True)
            self._process.start()
        theirs.close()  # so that the pipe ends with the process

    def begin(self, job: Job) -> None:
        """Send ``job``."""
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # died meanwhile: the next event says so
            self.connection.send(job)

    def event(self) -> Event:
        """What it has sent, or that it has died."""
        assert self.job is not None, "only busy workers are asked"
        number = self.job.number
        try:
            said: int | Outcome = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.kill()
            return Event(number, outcome=Outcome(Status.FAILED, reason=self._end()))
        if isinstance(said, int):
            return Event(number, said)
        self.job = None
        return Event(number, outcome=said)

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self.is_dead = True
        self._process.kill()
        self._process.join()
        self.connection.close()

    def _end(self) -> str:
        code = self._process.exitcode or 0
        how = f"was killed by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with status {code}"
        return f"the worker {how}; too little memory? Fewer --workers need less"


def serve(connection: Connection, cores: Sequence[int], opened: Assemble) -> None:
    """The process of a worker: do jobs on ``cores`` until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the first one decides
    _die_with_parent()
    pin(cores)
    networks = KeptNetworks(opened)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            job: Job = connection.recv()
            connection.send(do(job, networks, connection.send))


def pin(cores: Sequence[int]) -> None:
    """Keep this process on ``cores``, with as many threads of OpenCV."""
    import cv2

    with contextlib.suppress(OSError):  # cores that a container has lost meanwhile
        os.sched_setaffinity(0, cores)
    cv2.setNumThreads(len(cores))


def divided(cores: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """``cores`` for each of ``count`` workers: equally many, and different ones as far as they go.

    >>> divided([0, 1, 2, 3, 4], 2)
    [(0, 1), (2, 3)]
    >>> divided([0, 1], 3)
    [(0,), (1,), (0,)]
    """
    each = max(len(cores) // count, 1)
    return [tuple(cores[(k * each + i) % len(cores)] for i in range(each)) for k in range(count)]


def with_threads(job: Job, threads: int) -> Job:
    """``job`` whose networks run on so many ``threads``, unless a number was asked for."""
    settings = job.request.settings
    if settings.get("num_threads"):
        return job
    request = dataclasses.replace(job.request, settings={**settings, "num_threads": threads})
    return dataclasses.replace(job, request=request)


def _die_with_parent() -> None:
    """End this process when the one that started it does, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
