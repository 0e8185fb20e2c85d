# SPDX-License-Identifier: Apache-2.0
"""The exit status of a process of nodes, and what it does on every way out. With real signals: test_node.py."""

import signal
from types import SimpleNamespace

import pytest
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

from hmr_ros.ros.node import process
from hmr_ros.ros.wire.qos import ParameterError

AT_START = [(signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.default_int_handler)]
AT_END = [(signal.SIGINT, signal.SIG_IGN), (signal.SIGTERM, signal.SIG_DFL)]


class Ros:
    """In place of rclpy, signal and executor: keeps what they are asked to do; ends with ``error``."""

    def __init__(self, error=None):
        self.calls, self.handlers, self.error, self.rounds = [], [], error, 2

    def init(self, args, signal_handler_options):
        assert signal_handler_options is SignalHandlerOptions.NO
        self.calls.append(("init", args))

    def ok(self):
        return len([call for call in self.calls if call == "spin"]) < self.rounds

    def try_shutdown(self):
        self.calls.append("shut down")

    def add_node(self, node):
        self.calls.append(f"add {node}")

    def spin_once(self, timeout_sec):
        assert 0 < timeout_sec < 1  # a signal is answered after it
        self.calls.append("spin")
        if self.error is not None:
            raise self.error


class Application:
    def __init__(self, ros, starts=True):
        self.nodes, self._ros, self._starts = ("front", "back"), ros, starts

    def autostart(self):
        self._ros.calls.append("start")
        return self._starts

    def destroy_node(self):
        self._ros.calls.append("destroy")


@pytest.fixture
def ros(monkeypatch):
    ros = Ros()
    monkeypatch.setattr(process, "rclpy", ros)
    monkeypatch.setattr(process, "make_executor", lambda: ros)
    replaced = SimpleNamespace(**{name: getattr(signal, name) for name in dir(signal)})
    replaced.signal = lambda *args: ros.handlers.append(args)
    monkeypatch.setattr(process, "signal", replaced)
    return ros


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), ExternalShutdownException()])
def test_the_usual_ends_are_a_success(ros, error):
    ros.error = error
    assert process.run("hmr_node", lambda: Application(ros), ["a"]) == 0
    spins = ["spin"] * (2 if error is None else 1)
    assert ros.calls == [("init", ["a"]), "start", "add front", "add back", *spins, "destroy", "shut down"]
    assert ros.handlers == AT_START + AT_END


def test_what_cannot_start_ends_with_status_1_and_is_never_spun(ros):
    assert process.run("hmr_node", lambda: Application(ros, starts=False)) == 1
    assert ros.calls == [("init", None), "start", "destroy", "shut down"]
    assert ros.handlers == AT_START + AT_END


def test_a_refused_parameter_is_named_by_the_process(ros, capsys):
    def make():
        raise ParameterError("parameter 'cameras': expected names")

    assert process.run("hmr_multi", make) == 1
    assert capsys.readouterr().err == "hmr_multi: parameter 'cameras': expected names\n"
    assert ros.calls == [("init", None), "shut down"]


def test_a_bug_is_not_hidden_but_everything_is_freed(ros):
    ros.error = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        process.run("hmr_node", lambda: Application(ros))
    assert ros.calls[-2:] == ["destroy", "shut down"]
    assert ros.handlers == AT_START + AT_END
