# SPDX-License-Identifier: Apache-2.0
"""A minute at 30 Hz with people who come and go: no resource may grow."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import SmplBody, SmplBodyArray
from rclpy.node import Node
from visualization_msgs.msg import Marker

from test.ros.graph import FakeCamera, qos, spin_until

RATE_HZ, MINUTE_S, WARM_UP_S, SAMPLE_S = 30, 60, 15, 2.0
MOST_MIB_PER_MINUTE = 3.0


def memory_mib(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Soak:
    """The node in a process of its own, a camera, and subscribers to what is large and to what may leak."""

    def __init__(self, executor):
        self.executor = executor
        self.peer = Node("peer", namespace="/soak")
        executor.add_node(self.peer)
        self.camera = FakeCamera(self.peer)
        self.stamps, self.ids, self.lost, self.diagnostics = [], set(), set(), {}
        self.peer.create_subscription(SmplBodyArray, "bodies", self._on_bodies, qos(depth=50))
        self.peer.create_subscription(Marker, "mesh", lambda data: None, qos(depth=50), raw=True)
        self.peer.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos())

    def _on_bodies(self, message):
        self.stamps.append((message.header.stamp.sec, message.header.stamp.nanosec))
        self.ids |= {body.id for body in message.bodies}
        self.lost |= {body.id for body in message.bodies if body.state == SmplBody.LOST}

    def _on_diagnostics(self, report):
        for status in report.status:
            if status.hardware_id == "soak/hmr":
                self.diagnostics = {pair.key: pair.value for pair in status.values}

    def play(self, seconds):
        """Images at RATE_HZ; the stamp of the last."""
        stamp, due_s = None, time.monotonic()
        for _ in range(round(seconds * RATE_HZ)):
            self.camera.publish_info()
            stamp = self.camera.publish_image(width=320, height=240)
            due_s += 1 / RATE_HZ
            while time.monotonic() < due_s:
                self.executor.spin_once(timeout_sec=max(0.0, due_s - time.monotonic()))
        return stamp

    def topics(self):
        """How many the node publishes."""
        return len(self.peer.get_publisher_names_and_types_by_node("hmr", "/soak"))


@pytest.fixture
def soak(executor):
    soak = Soak(executor)
    parameters = [part for p in ("max_frame_age_s:=0.0", "track_timeout_s:=0.2") for part in ("-p", p)]
    command = [sys.executable, "-m", "test.ros.node.passing_node", "--ros-args", "-r", "__ns:=/soak", *parameters]
    with subprocess.Popen(command) as process:
        soak.pid = process.pid
        try:
            spin_until(executor, lambda: soak.camera.images.get_subscription_count())
            yield soak
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs /proc")
def test_a_minute_with_fifty_people_leaves_nothing_behind(soak):
    soak.play(WARM_UP_S)
    samples = []
    for _ in range(round(MINUTE_S / SAMPLE_S)):
        soak.play(SAMPLE_S)
        samples.append((memory_mib(soak.pid), open_files(soak.pid), soak.topics()))
    memory, files, topics = np.array(samples).T
    last = soak.play(4.0)
    spin_until(soak.executor, lambda: soak.stamps[-1] == (last.sec, last.nanosec))

    slope = np.polyfit(np.arange(len(memory)) * SAMPLE_S / 60, memory, 1)[0]
    assert slope <= MOST_MIB_PER_MINUTE, f"grows by {slope:.1f} MiB a minute: {memory.round(1).tolist()}"
    assert files.max() - files.min() <= 2, files
    half = len(topics) // 2
    assert topics[half:].max() <= topics[:half].max(), "topics of people who left"
    assert len(soak.ids) >= 20, "people came"
    assert len(soak.ids - soak.lost) <= 2, "and went"
