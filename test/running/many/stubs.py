# SPDX-License-Identifier: Apache-2.0
"""Networks that are none, for workers in other processes too, and executors that are none."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from hmr_ros.running.many.job import do
from hmr_ros.running.many.workers import Event
from test.media.files import write_clip
from test.ros.bag.recordings import scene, write_mcap
from test.ros.bag.runs import build

opened_in = []
"""The settings of each pipeline that was opened in this process."""


def assemble(settings, parts):
    """Two people in every image."""
    opened_in.append(settings)
    return build(2)(settings, parts)


def killing(settings, parts):
    """Networks that take too much memory for the kernel's taste."""
    os.kill(os.getpid(), signal.SIGKILL)


def hanging(settings, parts):
    """Networks that never open."""
    threading.Event().wait()


def broken(settings, parts):
    """Networks with a bug."""
    raise KeyError("joint")


class Here:
    """Does jobs one after the other in this process, ``size`` at a time."""

    def __init__(self, opened=assemble, size=1):
        self.size, self.jobs, self.closed = size, [], False
        self._opened = opened
        self._unfinished = []

    def submit(self, job):
        assert len(self._unfinished) < self.size
        self.jobs.append(job)
        self._unfinished.append(job)

    def events(self, timeout_s):
        job, self._unfinished = self._unfinished[0], self._unfinished[1:]
        images = []
        outcome = do(job, self._opened, images.append)
        return [*(Event(job.number, count) for count in images), Event(job.number, outcome=outcome)]

    def close(self):
        self.closed = True


def write_inputs(directory: Path) -> Path:
    """A video, a recording, a directory of photos and a text, below ``directory``."""
    (directory / "photos").mkdir(parents=True)
    write_clip(directory / "clip.avi", frames=5, rate_hz=10.0)
    write_mcap(directory / "bag.mcap", scene(3))
    for k in range(2):
        cv2.imwrite(str(directory / f"photos/{k}.png"), np.full((48, 64, 3), 40 * k, np.uint8))
    (directory / "notes.txt").write_text("nothing to see")
    return directory


def slow(settings, parts):
    """As ``assemble``, a twentieth of a second for each image."""
    pipeline = assemble(settings, parts)
    detect = pipeline.detector.detect

    def detecting(image, *shed):
        time.sleep(0.05)
        return detect(image, *shed)

    pipeline.detector.detect = detecting
    return pipeline


def main():
    """`hmr run` with slow networks, as a program."""
    from hmr_ros.cli import main
    from hmr_ros.commands import run

    run.assemble = slow
    sys.exit(main(["run", *sys.argv[1:]]))


if __name__ == "__main__":
    from test.running.many import stubs

    stubs.main()
