# SPDX-License-Identifier: Apache-2.0
"""While engines are built the node serves and reports the progress, or waits; either way a signal ends it."""

import signal
import subprocess
import sys

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from test.engines.cache.test_child import child_of, is_running, wait_until
from test.engines.fake_builder import diary, request
from test.ros.graph import PATIENCE_S, qos, spin_until


def start(directory, mode):
    program = [sys.executable, "-m", "test.ros.node.building_node", str(directory), mode]
    command = [*program, "--ros-args", "-r", "__ns:=/building"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def stopped(process, directory, signal_number):
    """What the process wrote on stderr, once it and its child have ended well."""
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    wait_until(lambda: not is_running(child_of(request(directory))))
    return errors


SIGNALS = pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])


@SIGNALS
def test_a_node_that_waits_for_an_engine_ends_with_a_signal(tmp_path, signal_number):
    with start(tmp_path, "wait") as process:
        try:
            wait_until(lambda: diary(request(tmp_path)))
            stopped(process, tmp_path, signal_number)
        finally:
            process.kill()


@SIGNALS
def test_a_node_that_serves_reports_the_progress_and_ends_with_a_signal(tmp_path, executor, signal_number):
    peer = Node("peer", namespace="/building")
    executor.add_node(peer)
    found = []

    def look(report):
        for status in report.status:
            if status.hardware_id == "building/hmr":
                found.extend(pair.value for pair in status.values if pair.key == "doubler1")

    peer.create_subscription(DiagnosticArray, "/diagnostics", look, qos())
    with start(tmp_path, "serve") as process:
        try:
            wait_until(lambda: diary(request(tmp_path)))
            spin_until(executor, lambda: [text for text in found if "10 %" in text])
            errors = stopped(process, tmp_path, signal_number)
        finally:
            process.kill()
    assert "runs on engine 1, until a faster engine is built: 10 %, forever" in found
    assert "doubler1: building for this GPU, once: 10 %, forever" in errors
