# SPDX-License-Identifier: Apache-2.0
"""One case of `hmr bench ros`: a camera process, the node, and this process's subscriber, over several windows.

Camera and subscriber stay on a core of their own where there is one; else they share those of the node. They are
counted apart in any case.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.bench.ros_case import Case, Measured, drops_between, median, timing
from hmr_ros.bench.split import Split, read_sent, read_traced, splits
from hmr_ros.bench.split_table import Summary, summary
from hmr_ros.bench.thread_times import by_part, thread_times
from hmr_ros.ros.node.diagnostics import OVERHEAD, OVERHEAD_P99
from hmr_ros.ros.player.heard import Heard
from hmr_ros.ros.player.session import Session
from hmr_ros.ros.player.stopwatch import Stopwatch
from hmr_ros.tools.ros_process import RosProcess

CORES = 2
"""Cores of the node."""

_STARTUP_S, _SETTLE_S = 60.0, 2.5
_POLL_S = 0.25
_PARAMETERS = ("max_frame_age_s:=0.0",)
_CAMERA_MODULE = "hmr_ros.bench.camera"


@dataclass(frozen=True)
class Scene:
    """The input of a camera: an image or a clip, and its calibration as bench.camera takes it."""

    path: Path
    calibration: str = ""


@dataclass(frozen=True)
class Plan:
    """How long to measure each case: ``windows`` of ``window_s`` seconds."""

    windows: int
    window_s: float


@dataclass(frozen=True)
class Outcome:
    """A case: ``measured`` is the median over its windows, ``split`` is of all their images, None without any."""

    measured: Measured
    split: Summary | None


@dataclass(frozen=True)
class _Window:
    """What was measured and heard in one window, and the processor time of it, s, by thread or process."""

    measured: Measured
    heard: Sequence[Heard]
    processor_s: Counter[str]


@dataclass(frozen=True)
class Bench:
    """A node that records its images into ``trace``, a subscriber, and the file for what cameras have ``sent``."""

    namespace: str
    session: Session[Stopwatch]
    node: RosProcess
    trace: Path
    sent: Path

    def measure(self, case: Case, scene: Scene, plan: Plan) -> Outcome:
        """Start a camera, wait for the first bodies, and measure all windows."""
        self.session.node.subscribe(case.outputs)
        arguments = [str(scene.path), str(case.rate_hz), scene.calibration, str(self.sent)]
        camera = RosProcess(_CAMERA_MODULE, self.namespace, arguments)
        try:
            self._wait_for_bodies(case)
            self._receive(_SETTLE_S)
            windows = [self._window(camera, plan.window_s) for _ in range(plan.windows)]
        finally:
            camera.stop()
        return self._outcome(windows)

    def _wait_for_bodies(self, case: Case) -> None:
        """Raise RuntimeError where none come."""
        self.session.node.start_over()
        deadline_s = time.monotonic() + _STARTUP_S
        while not len(self.session.node.bodies_at_s()):
            if time.monotonic() > deadline_s or not self.node.running:
                raise RuntimeError(f"{case.name}: no bodies within {_STARTUP_S:.0f} s; the messages above say why")
            self.session.spin(_POLL_S)

    def _receive(self, seconds: float) -> None:
        """Receive for ``seconds``, and subscribe the topics of people who appear."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self.session.node.follow_people()
            self.session.spin(min(_POLL_S, left_s))

    def _window(self, camera: RosProcess, seconds: float) -> _Window:
        watch, node = self.session.node, self.node
        before, cpu_s, threads = watch.diagnostics, node.cpu_s, thread_times(node.pid)
        camera_s, own_s, started_s = camera.cpu_s, time.process_time(), time.monotonic()
        watch.start_over()
        self.session.spin(seconds)
        elapsed_s, own_s, camera_s = time.monotonic() - started_s, time.process_time() - own_s, camera.cpu_s - camera_s
        after, bodies_at_s = watch.diagnostics, watch.bodies_at_s()
        measured = Measured(
            timing=timing(watch.latencies_s(), bodies_at_s),
            images_hz=_figure(after, "images received [Hz]"),
            rate_hz=len(bodies_at_s) / elapsed_s,
            overhead_p50_ms=_figure(after, OVERHEAD),
            overhead_p99_ms=_figure(after, OVERHEAD_P99),
            messages_per_image=watch.message_count / max(len(bodies_at_s), 1),
            cpu=(node.cpu_s - cpu_s) / elapsed_s,
            memory_mib=node.memory_mib,
            people=_figure(after, "people"),
            drops=drops_between(before, after),
            camera_cpu=camera_s / elapsed_s,
            subscriber_cpu=own_s / elapsed_s,
        )
        processor_s = Counter(by_part(node.pid, threads, thread_times(node.pid)))
        processor_s.update({"camera process": camera_s, "subscriber process": own_s})
        return _Window(measured, tuple(watch.heard), processor_s)

    def _outcome(self, windows: Sequence[_Window]) -> Outcome:
        heard = [message for window in windows for message in window.heard]
        images: list[Split] = splits(read_traced(self.trace), read_sent(self.sent), heard)
        total_s: Counter[str] = Counter()
        for window in windows:
            total_s.update(window.processor_s)
        per_image = {name: seconds * 1e3 / max(len(images), 1) for name, seconds in total_s.items()}
        measured = median([window.measured for window in windows])
        return Outcome(measured, summary(images, per_image) if images else None)


@dataclass(frozen=True)
class Cores:
    """The cores of the ``node``, and of the ``others``, camera and subscriber; none: the system does not tell."""

    node: tuple[int, ...] = ()
    others: tuple[int, ...] = ()

    @staticmethod
    def here() -> Cores:
        """The first two that this process may use, and the third, or the same where there are no more."""
        if not hasattr(os, "sched_setaffinity"):
            return Cores()
        every = sorted(os.sched_getaffinity(0))
        node = tuple(every[:CORES])
        return Cores(node, tuple(every[CORES : CORES + 1]) or node)

    def __str__(self) -> str:
        return f"{len(self.node)}, {'shared with' if self.node == self.others else 'and one of'} camera and subscriber"


@contextmanager
def restricted(cores: Sequence[int]) -> Iterator[None]:
    """Keep the calling thread, and what it starts, on ``cores``; on all where there are none."""
    if not cores:
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


@contextmanager
def opened(
    module: str, namespace: str, directory: Path, cores: Cores, preset: str, still_people: str = "auto"
) -> Iterator[Bench]:
    """A bench of the node that the program ``module`` is, which records into ``directory``."""
    detector = [f"detector.preset:={preset}", f"detector.still_people:={still_people}"]
    trace = directory / f"{module}.jsonl"
    with restricted(cores.node):
        node = RosProcess(module, namespace, [str(trace)], [*_PARAMETERS, *detector])
    with restricted(cores.others):  # whatever starts in it stays there
        session = Session(namespace, Stopwatch)
        try:
            yield Bench(namespace, session, node, trace, directory / f"{module}.sent")
        finally:
            node.stop()
            session.close()


def _figure(diagnostics: dict[str, str], key: str) -> float:
    return float(diagnostics.get(key, "nan"))
