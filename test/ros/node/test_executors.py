# SPDX-License-Identifier: Apache-2.0
"""Which executor spins the nodes, and that the EventsExecutor does all that they need of it."""

import faulthandler
import sys

import pytest
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from hmr_ros.ros.node.executors import EVENTS, SINGLE_THREADED, VARIABLE, make_executor
from hmr_ros.ros.wire.qos import ParameterError
from test.ros.graph import spin_until
from test.ros.world import World

MODULE = "rclpy.experimental.events_executor"


@pytest.fixture(autouse=True)
def _faulthandler_as_before():
    """The EventsExecutor switches it on."""
    was_on = faulthandler.is_enabled()
    yield
    if not was_on:
        faulthandler.disable()


@pytest.fixture
def events():
    pytest.importorskip(MODULE)
    executor = make_executor({VARIABLE: EVENTS})
    yield executor
    for node in executor.get_nodes():
        executor.remove_node(node)
        node.destroy_node()
    executor.shutdown()


def test_events_are_taken_where_rclpy_has_them(events):
    assert type(make_executor({})) is type(events)
    assert not isinstance(events, SingleThreadedExecutor)


def test_the_single_threaded_one_is_taken_elsewhere_and_by_name(monkeypatch):
    assert isinstance(make_executor({VARIABLE: SINGLE_THREADED}), SingleThreadedExecutor)
    monkeypatch.setitem(sys.modules, MODULE, None)
    assert isinstance(make_executor({}), SingleThreadedExecutor)
    with pytest.raises(ParameterError, match=f"{VARIABLE}: rclpy has no EventsExecutor here .*: unset it"):
        make_executor({VARIABLE: EVENTS})


def test_a_name_of_no_executor_is_refused():
    with pytest.raises(ParameterError, match="expected events or single_threaded, got 'fast'"):
        make_executor({VARIABLE: "fast"})


def test_timers_services_and_serialised_messages(events):
    node, ticks, received, calls = Node("events"), [], [], []
    events.add_node(node)
    node.create_timer(0.01, lambda: ticks.append(1), clock=Clock(clock_type=ClockType.STEADY_TIME))
    node.create_subscription(String, "events", received.append, 1, raw=True)
    node.create_service(Trigger, "events_service", lambda request, response: calls.append(1) or response)
    publisher, client = node.create_publisher(String, "events", 1), node.create_client(Trigger, "events_service")
    spin_until(events, client.service_is_ready)
    client.call_async(Trigger.Request())

    def is_done():
        publisher.publish(String(data="x"))
        return len(ticks) > 2 and received and calls

    spin_until(events, is_done)
    assert isinstance(received[0], bytes)


def test_the_node_goes_through_its_transitions_and_publishes(events):
    world = World(events)
    from hmr_ros.msg import SmplBodyArray

    world.subscribe(SmplBodyArray, "bodies")
    assert world.node.start()
    assert len(world.show().bodies) == 1
    world.node.trigger_deactivate()
    world.node.trigger_activate()
    world.received["bodies"].clear()
    world.show()
    world.close()
