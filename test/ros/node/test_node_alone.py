# SPDX-License-Identifier: Apache-2.0
"""The node's answers and what it frees, without images: services, parameters, diagnostics and the ways out."""

from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.clock_type import ClockType
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from hmr_ros.engines.runtime import EngineError
from hmr_ros.ros.node import node as module
from hmr_ros.ros.node.diagnostics import Health
from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.node.services import RefusedError
from hmr_ros.ros.wire.qos import ParameterError

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class Pipeline:
    """Keeps what it is asked to do in ``log``."""

    facts, engines = (("net", "on the CPU"), ("threads", "2")), ("engine",)

    def __init__(self, log):
        self.log = log

    def __call__(self, image, camera, stamp_s, detections):
        self.log.append((image.shape, image.dtype, camera, stamp_s))
        self.warmed_up_with = detections

    def reset(self):
        self.log.append("reset")

    def close(self):
        self.log.append("free")

    def configure(self, config):
        self.log.append(("configure", config.max_people))


class Operation:
    """In place of the active node's parts; ``made`` has the arguments of all."""

    made, wrong = (), None

    def __init__(self, *args):
        if Operation.wrong is not None:
            raise Operation.wrong
        self.args, self.is_running, self.log = args, False, args[1].log
        Operation.made = (*Operation.made, self)

    def resume(self):
        self.is_running = True
        self.log.append("resume")

    def pause(self):
        self.is_running = False
        return 2

    def end_tracks(self):
        if self.wrong is not None:
            raise self.wrong
        return 3

    def close(self):
        self.log.append("stop")

    def adapt(self):
        self.log.append("adapt")

    def apply(self, config):
        self.log.append(("apply", config.max_people))

    def health(self):
        return Health("not calibrated")


@pytest.fixture
def made(monkeypatch):
    """A node and the log of its parts, by its parameters."""
    monkeypatch.setattr(module, "Operation", Operation)
    monkeypatch.setattr(Operation, "made", ())
    monkeypatch.setattr(Operation, "wrong", None)
    nodes = []

    def make(**parameters):
        log = []
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        nodes.append(HmrNode(lambda config: Pipeline(log), overrides, shared="shared"))
        return nodes[-1], log

    yield make
    for node in nodes:
        node.destroy_node()


WARMED_UP = [((360, 640, 3), np.uint8, None, 0.0), "reset"]


def test_configuring_runs_the_networks_once_and_reports_them(made, capfd):
    node, log = made()
    assert node.trigger_configure() == SUCCESS
    assert log == WARMED_UP
    assert "net: on the CPU, threads: 2" in capfd.readouterr().err


@pytest.mark.parametrize("source", ["search", "boxes", "keypoints"])
def test_networks_that_look_into_given_boxes_are_run_on_one(made, source):
    node, _ = made(**{"detections.source": source})
    assert node.trigger_configure() == SUCCESS
    given = node._pipeline.warmed_up_with
    assert (None if given is None else given.boxes.tolist()) == ([[0, 0, 640, 360]] if source == "boxes" else None)


@pytest.mark.parametrize(
    ("way", "freed"),
    [
        (["deactivate", "cleanup"], ["stop", "free"]),
        (["deactivate", "shutdown"], ["stop", "free"]),
        (["shutdown"], ["stop", "free"]),
    ],
)
def test_every_way_out_stops_and_frees_once(made, way, freed):
    node, log = made()
    assert node.start()
    log.clear()
    for transition in way:
        assert getattr(node, f"trigger_{transition}")() == SUCCESS
    assert log == freed
    node.destroy_node()
    assert log == freed


@pytest.mark.parametrize("active", [False, True])
def test_destroying_the_node_stops_and_frees(made, active):
    node, log = made()
    assert node.start() if active else node.trigger_configure() == SUCCESS
    log.clear()
    node.destroy_node()
    assert log == (["stop", "free"] if active else ["free"])


@pytest.mark.parametrize(("autostart", "starts"), [(True, 1), (False, 0)])
def test_it_starts_by_itself_where_it_is_asked_to(made, autostart, starts):
    node, _ = made(autostart=autostart)
    assert node.autostart()
    assert len(Operation.made) == starts
    assert list(node.nodes) == [node]


def test_what_cannot_start_is_no_success(made):
    node, log = made()
    Operation.wrong = ParameterError("parameter 'a': expected b")
    assert not node.autostart()
    assert node.trigger_activate() == FAILURE
    assert "free" not in log, "it may be activated once the parameter is right"
    Operation.wrong = None
    assert node.trigger_activate() == SUCCESS


def test_the_operation_is_made_of_what_the_node_has(made):
    node, log = made(max_people=3)
    assert node.start()
    of, pipeline, monitor, presence, shared, config = Operation.made[0].args
    assert (of, pipeline.log, monitor, shared, config.max_people) == (node, log, node.monitor, "shared", 3)
    node.trigger_deactivate()
    node.trigger_activate()
    assert Operation.made[1].args[3] is presence, "people who left meanwhile are removed"
    assert Operation.made[1] is not Operation.made[0]


def test_disabling_is_kept_until_the_node_is_enabled(made):
    node, log = made()
    assert node.set_enabled(False) == "disabled; the node is not active"
    assert node.start()
    assert "resume" not in log
    with pytest.raises(RefusedError, match="not active, or disabled"):
        node.reset_tracks()
    assert node.set_enabled(True) == "enabled"
    assert log[-1] == "resume"
    assert node.reset_tracks() == "3 tracks ended"
    assert node.set_enabled(False) == "disabled; 2 tracks ended"
    node.trigger_deactivate()
    assert node.set_enabled(True) == "enabled; the node is not active"
    with pytest.raises(RefusedError, match="no images are processed"):
        node.reset_tracks()
    node.trigger_activate()
    assert log[-1] == "resume"


def test_a_worker_that_hangs_is_the_reason_of_the_refusal(made):
    node, _ = made()
    assert node.start()
    Operation.made[0].wrong = TimeoutError("the current image has taken 2 s")
    with pytest.raises(RefusedError, match=r"^the current image has taken 2 s$"):
        node.reset_tracks()


def test_engines_are_rebuilt_where_there_are_any(made, monkeypatch):
    node, _ = made()
    with pytest.raises(RefusedError, match="no networks are loaded: configure the node first"):
        node.rebuild_engine()
    assert node.trigger_configure() == SUCCESS
    monkeypatch.setattr(module, "rebuild", lambda engines: ["a", *engines])
    words = "building a, engine; networks run on the CPU meanwhile; /diagnostics reports the progress"
    assert node.rebuild_engine() == words

    def refuse(engines):
        raise EngineError("no GPU")

    monkeypatch.setattr(module, "rebuild", refuse)
    with pytest.raises(RefusedError, match=r"^no GPU$"):
        node.rebuild_engine()


def test_new_parameters_reach_what_exists(made):
    node, log = made()
    node.set_parameters([Parameter("max_people", value=2)])
    assert (node.config.max_people, log) == (2, [])
    assert node.trigger_configure() == SUCCESS
    node.set_parameters([Parameter("max_people", value=3)])
    assert log == [*WARMED_UP, ("configure", 3)]
    node.trigger_activate()
    node.set_parameters([Parameter("max_people", value=4)])
    assert log[-2:] == [("configure", 4), ("apply", 4)]
    assert not node.set_parameters([Parameter("max_people", value="many")])[0].successful
    assert log[-1] == ("apply", 4)


def test_the_state_of_the_node_is_reported_once_a_second_by_a_clock_that_never_stops(made, monkeypatch):
    node, log = made()
    (timer,) = list(node.timers)
    assert timer.timer_period_ns == 10**9
    assert timer.clock.clock_type == ClockType.STEADY_TIME
    reports = []
    monkeypatch.setattr(node, "_diagnostics", SimpleNamespace(report=lambda *args: reports.append(args)))
    node._supervise()
    assert reports[-1][0] == Health("not active")
    assert reports[-1][2] is None
    assert node.start()
    node.monitor.drop("too_old")
    node._supervise()
    health, recent, pipeline = reports[-1]
    assert (health, dict(recent.drops), pipeline.log) == (Health("not calibrated"), {"too_old": 1}, log)
    assert log[-1] == "adapt"


def test_several_in_a_process_have_their_own_names():
    nodes = [HmrNode(lambda config: None, namespace=namespace) for namespace in ("", "/robot/front")]
    names = [node.get_fully_qualified_name() for node in nodes]
    for node in nodes:
        node.destroy_node()
    assert names == ["/hmr", "/robot/front/hmr"]
