# SPDX-License-Identifier: Apache-2.0
"""What the recorder keeps of a camera and of the node's answers."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from hmr_ros.msg import SmplBodyArray

from hmr_ros.ros.node.diagnostics import OVERHEAD
from hmr_ros.ros.player.recorder import Recorder
from hmr_ros.ros.wire.messages import header
from test.ros.graph import FakeCamera, spin_until


@pytest.fixture
def recorder(executor):
    node = Recorder()
    executor.add_node(node)
    return node


def test_before_the_first_message_nothing_is_known(recorder):
    assert recorder.moments == []
    assert recorder.image_count == 0
    assert recorder.last_bodies_s == float("-inf")
    assert np.isnan(recorder.overhead_ms)
    assert set(recorder.rates_hz().values()) == {0.0}
    assert len(recorder.latencies_s()) == 0


def test_bodies_are_kept_with_the_image_of_their_stamp_until_it_starts_over(executor, recorder):
    camera = FakeCamera(recorder)
    bodies = recorder.create_publisher(SmplBodyArray, "bodies", 10)
    camera.publish_info()
    stamps = [camera.publish_image() for _ in range(2)]
    spin_until(executor, lambda: recorder.image_count == 2)
    bodies.publish(SmplBodyArray(header=header(stamps[1], "eye"), joint_set="coco17"))
    spin_until(executor, lambda: recorder.moments)
    moment = recorder.moments[0]
    assert moment.message.header.stamp.nanosec == stamps[1].nanosec
    assert moment.image().shape == (480, 640, 3)
    assert np.abs(moment.image().astype(int) - 90).max() < 4
    assert moment.camera is not None
    assert 0 < moment.latency_s < 60
    assert np.isfinite(recorder.last_bodies_s)
    recorder.start_over()
    assert recorder.moments == []
    assert set(recorder.rates_hz().values()) == {0.0}


def test_bodies_without_an_image_are_no_moment(executor, recorder):
    bodies = recorder.create_publisher(SmplBodyArray, "bodies", 10)
    spin_until(executor, lambda: bodies.get_subscription_count() > 0)
    bodies.publish(SmplBodyArray(joint_set="coco17"))
    spin_until(executor, lambda: np.isfinite(recorder.last_bodies_s))
    assert recorder.moments == []


def test_only_the_nodes_own_report_tells_its_overhead(executor, recorder):
    reports = recorder.create_publisher(DiagnosticArray, "/diagnostics", 10)
    spin_until(executor, lambda: reports.get_subscription_count() > 0)

    def report(name: str, value: str) -> DiagnosticStatus:
        return DiagnosticStatus(name=name, values=[KeyValue(key=OVERHEAD, value=value)])

    reports.publish(DiagnosticArray(status=[report("hmr_node: bodies", "4.5"), report("hmr_node: engines", "9")]))
    spin_until(executor, lambda: not np.isnan(recorder.overhead_ms))
    assert recorder.overhead_ms == 4.5
