# SPDX-License-Identifier: Apache-2.0
"""Many machines: jobs as tasks of Ray. Inputs and results are files that every machine sees under the same path."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Sequence
from typing import Protocol, cast

from hmr_ros.running.many.job import Job, KeptNetworks, do
from hmr_ros.running.many.outcome import Outcome, Status
from hmr_ros.running.many.workers import Event, with_threads
from hmr_ros.running.single import Assemble

LOCAL = "local"
"""In place of an address: a cluster of this machine alone."""

_REMEDY = "pip install 'hmr_ros[ray]'"
_TOO_FEW = "the cluster has no machine with {threads} CPUs; give fewer --cpus-per-task"


class _Reference(Protocol):
    """The result of a task, when there is one."""


class Cluster:
    """The Ray cluster at ``address``, whose tasks have ``threads`` CPUs each; ``count`` at a time, None: all that fit.

    Networks, opened by ``opened``, stay open in Ray's processes from task to task. Raises ImportError without Ray,
    ConnectionError without the cluster, ValueError where no task fits.
    """

    def __init__(self, address: str, threads: int, opened: Assemble, count: int | None = None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ImportError(f"--ray: needs the Python module ray: {_REMEDY}")
        import ray

        self._ray = ray
        self._threads = threads
        self._was_connected = ray.is_initialized()
        if not self._was_connected:
            _connect(address, count)
        self._assemble = ray.put(opened)
        self._task = ray.remote(num_cpus=threads, max_retries=0)(task)
        self._running: dict[_Reference, Job] = {}
        self.size = count or _slots(ray.nodes(), threads)
        """How many tasks run at once."""
        if not self.size:
            self.close()
            raise ValueError(_TOO_FEW.format(threads=threads))

    def submit(self, job: Job) -> None:
        """Begin ``job`` on whichever machine has the CPUs for it."""
        reference = cast(_Reference, self._task.remote(with_threads(job, self._threads), self._assemble))
        self._running[reference] = job

    def events(self, timeout_s: float) -> Sequence[Event]:
        """The jobs that have ended."""
        ready, _ = self._ray.wait(list(self._running), timeout=timeout_s)
        if ready:  # and all others that have ended meanwhile
            ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [event for reference in ready for event in self._ended(reference)]

    def close(self) -> None:
        """Stop what runs, and leave the cluster."""
        for reference in self._running:
            with contextlib.suppress(Exception):  # it ends by itself, or its machine is gone
                self._ray.cancel(reference, force=True)
        if not self._was_connected:
            self._ray.shutdown()

    def _ended(self, reference: _Reference) -> list[Event]:
        number = self._running.pop(reference).number
        try:
            outcome = cast(Outcome, self._ray.get(reference))
        except self._ray.exceptions.RayError as err:
            outcome = Outcome(Status.FAILED, reason=f"Ray: {str(err).strip().splitlines()[0]}")
        return [Event(number, outcome.summary.images), Event(number, outcome=outcome)]


_networks: dict[Assemble, KeptNetworks] = {}
"""Of this process of Ray, by who opens them."""


def task(job: Job, opened: Assemble) -> Outcome:
    """``job`` in a process of Ray, which has its CPUs for itself."""
    import cv2

    cv2.setNumThreads(int(os.environ.get("OMP_NUM_THREADS", "1")))  # Ray sets it to the CPUs of the task
    if opened not in _networks:
        _networks[opened] = KeptNetworks(opened)
    return do(job, _networks[opened], lambda _images: None)


def _connect(address: str, count: int | None) -> None:
    """Start a cluster of this machine, or join the one at ``address``. Raises ConnectionError."""
    import ray

    options = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        cpus = {"num_cpus": count} if count else {}
        ray.init("local", include_dashboard=False, **cpus, **options)
    else:
        ray.init(address, **options)


def _slots(nodes: Sequence[dict[str, object]], threads: int) -> int:
    """How many tasks of so many ``threads`` fit on the machines."""
    alive = [cast(dict[str, float], node["Resources"]) for node in nodes if node["Alive"]]
    return sum(int(resources.get("CPU", 0)) // threads for resources in alive)
