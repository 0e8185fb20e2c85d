# SPDX-License-Identifier: Apache-2.0
"""The lifecycle, walked again and again, and out of every error."""

import os
import re
from pathlib import Path

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.engines.runtime import EngineError
from hmr_ros.perception.assemble import assemble
from hmr_ros.ros.node import node as node_module
from hmr_ros.ros.node.node import HmrNode
from test.engines.test_switching import FakeEngine
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline

SUCCESS, FAILURE, ERROR = (getattr(TransitionCallbackReturn, name) for name in ("SUCCESS", "FAILURE", "ERROR"))
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def open_files():
    return len(os.listdir("/proc/self/fd"))


def state(node):
    return node._state_machine.current_state[1]


def stub(config=None):
    return stub_pipeline(StubDetector(1), StubEstimator())


@pytest.fixture
def made(executor):
    def make(build):
        node = HmrNode(build)
        executor.add_node(node)
        return node

    return make


def walk(node, executor, cycles):
    for _ in range(cycles):
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
        executor.spin_once(timeout_sec=0)


@pytest.mark.parametrize("cycles", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_cycles_leave_nothing_behind(made, executor, cycles):
    node = made(stub)
    peer = Node("peer")
    executor.add_node(peer)
    walk(node, executor, 5 if cycles < 100 else 50)  # caches fill
    files, memory = open_files(), resident_bytes()
    entities = len(list(node.publishers)), len(list(node.subscriptions)), len(node.get_parameters_by_prefix(""))
    topics = len(peer.get_topic_names_and_types())
    walk(node, executor, cycles)
    assert (
        len(list(node.publishers)),
        len(list(node.subscriptions)),
        len(node.get_parameters_by_prefix("")),
    ) == entities
    assert len(peer.get_topic_names_and_types()) <= topics
    assert open_files() <= files + 2
    assert resident_bytes() < 1.02 * memory + 4e6


@pytest.mark.parametrize("wrong", [ValueError("no such manifest"), OSError("no disk"), EngineError("no GPU")])
def test_what_cannot_be_configured_leaves_the_node_unconfigured_and_frees_what_it_opened(made, capfd, wrong):
    class FailingDetector(StubDetector):
        def detect(self, image, shed=Shed.NOTHING):
            raise problems[0]

    engine, problems = FakeEngine(1), [wrong]
    built = stub_pipeline(FailingDetector(), StubEstimator(), (engine,))
    node = made(lambda config: built if problems else stub())
    assert node.trigger_configure() == FAILURE
    assert engine.closed
    assert f"cannot configure: {wrong}" in capfd.readouterr().err
    assert state(node) == "unconfigured"
    problems.clear()
    assert node.start()


def test_a_bug_in_configure_can_be_recovered_from(made):
    bugs = [1]

    def build(config):
        if bugs.pop():
            raise ZeroDivisionError("a bug")
        return stub()

    node = made(build)
    assert node.trigger_configure() == ERROR
    assert state(node) == "unconfigured"
    bugs.append(0)
    assert node.start()


@pytest.mark.parametrize("where", ["Operation", "Operation.resume"])
def test_a_bug_in_activate_can_be_recovered_from(made, monkeypatch, where):
    def crash(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    node = made(stub)
    assert node.trigger_configure() == SUCCESS
    before = len(list(node.publishers)), len(list(node.subscriptions))
    with monkeypatch.context() as patch:
        name, _, method = where.partition(".")
        patch.setattr(*((getattr(node_module, name), method) if method else (node_module, name)), crash)
        assert node.trigger_activate() == ERROR
    assert state(node) == "unconfigured"
    assert (len(list(node.publishers)), len(list(node.subscriptions))) == before
    assert node.start()


@pytest.mark.parametrize("transition", ["deactivate", "cleanup"])
def test_a_bug_on_the_way_down_can_be_recovered_from(made, monkeypatch, transition):
    node = made(stub)
    assert node.start()
    if transition == "cleanup":
        assert node.trigger_deactivate() == SUCCESS
    bugs = [ZeroDivisionError("a bug")]
    target, method = (node_module.Operation, "close") if transition == "deactivate" else (type(node._pipeline), "close")
    right = getattr(target, method)

    def crash(self):
        right(self)
        if bugs:
            raise bugs.pop()

    with monkeypatch.context() as patch:
        patch.setattr(target, method, crash)
        assert getattr(node, f"trigger_{transition}")() == ERROR
        assert state(node) == "unconfigured"
    assert node.start()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model_path": "nowhere.json"}, r"nowhere\.json"),
        ({"smpl_path": "nowhere.npz"}, r"nowhere\.npz"),
        ({"backend": "tensorrt"}, "tensorrt|GPU|cuda"),
    ],
)
def test_files_and_machines_are_checked_in_configure(made, capfd, settings, words):
    node = made(lambda config: assemble(RobotConfig(num_threads=1, **settings)))
    assert node.trigger_configure() == FAILURE
    errors = [line for line in capfd.readouterr().err.splitlines() if "[ERROR]" in line]
    assert len(errors) == 1
    assert "cannot configure" in errors[0]
    assert re.search(words, errors[0])
