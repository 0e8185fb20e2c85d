# SPDX-License-Identifier: Apache-2.0
"""Everything around a worker, without ROS and with a clock set by hand."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.temporal.shedding import Admission, Shed
from hmr_ros.perception.pipeline import Result, Timings
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.node.worker import Worker
from hmr_ros.ros.output.outputs import Published
from hmr_ros.ros.wire.cdr import Stamp, stamp_of
from test.ros.stubs import some_bodies

STAMP = Stamp(1000, 0)
TIMINGS = Timings(detect_s=0.02, track_s=0.001, estimate_s=0.01, smooth_s=0.004)


def message(stamp=STAMP):
    return b"\0\1\0\0" + struct.pack("<iI", stamp.sec, stamp.nanosec)


class Stage:
    """Everything around a worker: node, input, outputs, pipeline and budget. Time is ``now_s``, a stamp of 1000 s is 0.

    ``steps_s``: how long decoding, the pipeline, publishing and the views take.
    """

    def __init__(self, config):
        self.now_s, self.steps_s = 0.1, (0.003, 0.04, 0.005, 0.008)
        self.log, self.calls, self.config = [], [], config
        self.bodies, self.shed, self.admits, self.wrong = some_bodies(2), Shed.NOTHING, True, None
        self.frame_id, self.problem, self.view_problem, self.ok = "eye", "", "", True
        self.monitor, self.slot = Monitor(), SimpleNamespace(take=self.take, lingered_s=0.0)
        self.given, self.jump, self.hands, self.timings = None, "", None, TIMINGS
        self.is_in_time, self.shed_late, self.lost = [], Shed.NOTHING, (9,)
        self.late_problem, self.in_turns, self.skipped = "", False, 0
        self.waiting, self.context = [], SimpleNamespace(ok=lambda: self.ok)

    def take(self):
        return self.waiting.pop(0) if self.waiting else None

    def get_logger(self):
        return SimpleNamespace(
            warning=lambda text, throttle_duration_sec=0.0: self.log.append(text), error=self.log.append
        )

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=10**12 + round(self.now_s * 1e9)))

    def step(self, number, *call):
        self.now_s += self.steps_s[number]
        self.calls.append(call)

    # Input

    def decode(self, data):
        self.step(0, "decode")
        if self.wrong is not None:
            raise self.wrong
        return Frame(stamp_of(data), self.frame_id, np.zeros((48, 64, 3), np.uint8))

    def camera(self, frame, timeout_s):
        return "camera", timeout_s

    def depth(self, frame, camera):
        return "depth of", camera

    def detections(self, frame):
        return self.given

    def ground(self, frame, camera, config):
        return None

    def world(self, frame, config):
        return "world of", frame.frame_id, config

    def rivals(self, separator):
        return f"{separator}two publishers"

    # Pipeline

    def forget(self):
        """Set ``lost`` for the image."""

    def __call__(self, image, camera, stamp_s, depth, shed, given, ground, world):
        self.step(1, "pipeline", camera, stamp_s, depth, shed, given)
        self.in_world = world
        self.forget()
        return Result(
            self.bodies,
            self.lost,
            self.timings,
            measured=1,
            pose="pose",
            jump=self.jump,
            hands=self.hands,
            skipped=self.skipped,
        )

    def reset(self):
        self.calls.append(("reset",))

    # Outputs

    def publish(self, frame, camera, bodies, lost, pose):
        self.pose = pose
        self.step(2, "publish", camera, lost)
        return Published(self.problem, 4)

    def publish_views(self, frame, camera, bodies, lost, hands):
        self.step(3, "views", camera, lost)
        self.seen_hands = hands
        return self.view_problem

    def end(self, stamp, frame_id, bodies):
        self.calls.append(("end", stamp, frame_id, len(bodies)))

    # Latency budget

    def admit(self, stamp_s, age_s, max_latency_ms):
        self.calls.append(("admit", stamp_s, pytest.approx(age_s), max_latency_ms))
        return Admission(self.admits, self.shed, 0.25)

    def publishable(self, stamp_s, age_s, shed, max_latency_ms):
        self.calls.append(("publishable", stamp_s, pytest.approx(age_s), shed, max_latency_ms))
        return Admission(self.is_in_time.pop(0) if self.is_in_time else True, max(shed, self.shed_late), 0.25)

    def overrun_problem(self, max_latency_ms):
        return self.late_problem

    def unpublished(self, *args):
        self.calls.append(("unpublished", *args))

    def done(self, *args):
        self.calls.append(("done", *args))

    def close(self):
        self.calls.append(("closed",))

    def called(self, *names):
        return [call for call in self.calls if call[0] in names]


def worked(stage, *stamps):
    """The worker, after its thread took the images and ended."""
    stage.waiting += [message(stamp) for stamp in stamps]
    worker = Worker(stage, stage, stage, stage, stage.monitor, stage.config)
    worker.join()
    return worker
