# SPDX-License-Identifier: Apache-2.0
"""The active node's health and its parts, without ROS: what is reported first, from when on, and what is closed."""

from types import SimpleNamespace

import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.perception.pipeline import Timings
from hmr_ros.ros.monitor import Disagreement, Drop, Monitor, Processed
from hmr_ros.ros.node import operation as module
from hmr_ros.ros.node.diagnostics import Health
from hmr_ros.ros.node.operation import Operation

NOW_S = 100.0


class Part:
    """In place of inputs, worker, outputs and pipeline: keeps its arguments, and the calls of all in ``log``."""

    def __init__(self, name, log, *args):
        self.name, self.log, self.args = name, log, args
        self.silence, self.calibration, self.config, self.ended = "", "", None, 3
        self.frames = f"frames of {name}"

    def __getattr__(self, method):
        if method in ("close", "join", "reset", "adapt"):
            return lambda: self.log.append(f"{self.name} {method}")
        raise AttributeError(method)

    def apply(self, config):
        self.config = config

    def end_tracks(self):
        self.log.append(f"{self.name} ends tracks")
        return self.ended

    def problem(self, timeout_s):
        self.timeout_s = timeout_s
        return self.silence

    def calibration_problem(self):
        return self.calibration


class Robot:
    """An operation, its parts by name as they are made, and the clock."""

    def __init__(self, monkeypatch, **settings):
        self.log, self.parts, self.now_s, self.ok = [], {}, NOW_S, True
        for name in ("CameraInput", "Worker", "Outputs"):
            monkeypatch.setattr(module, name, lambda *args, name=name: self.made(name, *args))
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now_s)
        self.pipeline = Part("pipeline", self.log)
        self.pipeline.method, self.pipeline.body_model_name = "stub", "open_body"
        self.pipeline.calibration, self.pipeline.body_model = "calibrated", "a body model"
        self.pipeline.hand_model = "a hand"
        self.publishers = ["hmr"]
        self.node = SimpleNamespace(
            context=SimpleNamespace(ok=lambda: self.ok),
            resolve_topic_name=lambda name: f"/front/{name}",
            get_publishers_info_by_topic=self.endpoints,
        )
        self.monitor, self.config = Monitor(), RobotConfig(**settings)
        self.shared = SimpleNamespace(looks="looks")
        self.operation = Operation(self.node, self.pipeline, self.monitor, "presence", self.shared, self.config)

    def made(self, name, *args):
        self.log.append(f"{name} made")
        self.parts[name] = Part(name, self.log, *args)
        return self.parts[name]

    def endpoints(self, topic):
        assert topic == "/front/bodies"
        return [SimpleNamespace(node_name=name, node_namespace="/front") for name in self.publishers]

    def see(self, at_s, **fields):
        fields = {"people": 1, "metric": 1} | fields
        self.monitor.process(Processed(at_s, 0.05, Timings(), 0.002, **fields))

    @property
    def health(self):
        return self.operation.health()


@pytest.fixture
def robot(monkeypatch):
    def make(running=True, **settings):
        robot = Robot(monkeypatch, **settings)
        if running:
            robot.operation.resume()
        return robot

    return make


def test_parts_are_made_of_what_the_operation_has(robot):
    r = robot()
    publishers, body_model, origin, config, presence, shared, hand = r.parts["Outputs"].args
    assert hand == "a hand"
    assert (publishers.node, body_model, config, presence, shared) == (
        r.node,
        "a body model",
        r.config,
        "presence",
        r.shared,
    )
    assert (origin.method, origin.body_model, origin.calibration) == ("stub", "open_body", "calibrated")
    assert r.parts["CameraInput"].args == (r.node, r.config, r.monitor, "frames of Outputs")
    parts = (r.parts["CameraInput"], r.parts["Outputs"], r.pipeline)
    assert r.parts["Worker"].args == (r.node, *parts, r.monitor, r.config, "looks")


def test_resuming_and_pausing_twice_does_it_once(robot):
    r = robot(running=False)
    assert not r.operation.is_running
    assert (r.operation.pause(), r.operation.end_tracks()) == (0, 0)
    r.operation.adapt()
    for _ in range(2):
        r.operation.resume()
    assert r.operation.is_running
    assert r.log == ["Outputs made", "CameraInput made", "Worker made"]
    r.operation.adapt()
    assert r.operation.end_tracks() == 3
    assert r.log[3:] == ["CameraInput adapt", "Worker ends tracks"]
    assert [r.operation.pause() for _ in range(2)] == [3, 0]
    assert r.log[5:] == ["CameraInput close", "Worker join", "Worker ends tracks"]
    assert not r.operation.is_running
    r.operation.resume()
    assert r.operation.is_running


@pytest.mark.parametrize(("running", "ok"), [(True, True), (True, False), (False, True)])
def test_closing_ends_tracks_while_ros_lasts_and_frees_everything(robot, running, ok):
    r = robot(running=running)
    r.ok = ok
    r.log.clear()
    r.operation.close()
    halted = ["CameraInput close", "Worker join", *["Worker ends tracks"] * ok] if running else []
    assert r.log == [*halted, "Outputs close", "pipeline reset"]


def test_outputs_are_closed_even_if_tracks_cannot_be_ended(robot, monkeypatch):
    r = robot()
    monkeypatch.setattr(r.parts["Worker"], "end_tracks", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        r.operation.close()
    assert r.log[-2:] == ["Outputs close", "pipeline reset"]


@pytest.mark.parametrize("running", [False, True])
def test_new_parameters_reach_all_parts_that_exist_and_those_made_later(robot, running):
    r, config = robot(running=running), RobotConfig(max_people=3)
    r.operation.apply(config)
    assert r.parts["Outputs"].config is config
    if running:
        assert r.parts["Worker"].config is config
        r.operation.pause()
    r.operation.resume()
    assert r.parts["CameraInput"].args[1] is r.parts["Worker"].args[5] is config


def test_a_disabled_node_says_so_and_is_not_broken(robot):
    r = robot(running=False)
    assert r.health == Health("disabled")
    r.operation.resume()
    assert r.health == Health("")
    r.operation.pause()
    assert r.health == Health("disabled")


def test_what_makes_results_missing_comes_before_what_makes_them_worse(robot):
    r = robot(input_timeout_s=0.7, max_disagreement_m=0.1)
    r.now_s += 3.0
    camera = r.parts["CameraInput"]
    r.monitor._last_explained = None
    camera.silence, camera.calibration = "no image", "no CameraInfo"
    assert r.health == Health("no image", fatal=True)
    assert camera.timeout_s == 0.7
    camera.silence = ""
    assert r.health == Health("no image was processed for 3 s: what was published is stale", fatal=True)
    r.see(r.now_s, output_problem="no people in RViz")
    assert r.health == Health("no people in RViz", fatal=True)
    r.see(r.now_s, latency_problem="bodies are late")
    assert r.health == Health("bodies are late", fatal=True)
    r.see(r.now_s)
    assert r.health == Health("no CameraInfo")
    camera.calibration = ""
    assert r.health == Health("")


def test_only_images_since_the_node_was_resumed_count(robot):
    r = robot()
    r.see(NOW_S - 0.1, output_problem="no people in RViz")
    assert r.health == Health("")
    r.see(NOW_S, output_problem="no people in RViz")
    assert r.health == Health("no people in RViz", fatal=True)


@pytest.mark.parametrize(("silence_s", "is_stale"), [(2.0, False), (2.01, True)])
@pytest.mark.parametrize("processed", [False, True])
def test_silence_is_counted_from_the_last_image_or_from_the_start(robot, silence_s, is_stale, processed):
    r = robot()
    if processed:
        r.now_s = NOW_S + 50.0
        r.see(r.now_s)
    r.now_s += silence_s
    assert r.health.fatal == is_stale


def test_stale_results_are_explained_by_the_last_drop(robot):
    r = robot()
    r.now_s += 3.0
    r.monitor.drop(Drop.TOO_OLD, "image is 9 s old")
    assert r.health.problem.endswith("is stale; images are dropped (too_old): image is 9 s old")


@pytest.mark.parametrize(
    ("reason", "is_reported"), [(Drop.NO_STAMP, True), (Drop.REPEATED_STAMP, True), (Drop.RATE_LIMIT, False)]
)
def test_drops_for_their_stamps_are_a_warning_while_others_are_processed(robot, reason, is_reported):
    r = robot()
    r.see(r.now_s)
    r.monitor.drop(reason, "because")
    assert r.health == Health(f"images are dropped ({reason}): because" if is_reported else "")


UNMEASURED = "depth measured no person in 1 s with people in view: check its unit (32FC1 in m, depth_scale "


@pytest.mark.parametrize(
    ("times_s", "changes", "is_reported"),
    [
        ((0.0, 0.25, 0.5, 0.75, 1.0), {}, True),
        ((0.0, 0.25, 0.5, 0.75, 0.99), {}, False),
        ((0.0, 0.25, 0.5, 1.0), {}, False),
        ((-0.1, 0.0, 0.25, 0.5, 1.0), {}, False),  # of before it was resumed
        ((0.0, 0.25, 0.5, 0.75, 1.0), {"metric": 0}, False),
        ((0.0, 0.25, 0.5, 0.75, 1.0), {"measured": 1}, False),
    ],
)
def test_depth_that_measures_no_one_is_reported_after_some_images_and_time(robot, times_s, changes, is_reported):
    r = robot(use_depth=True)
    for number, at_s in enumerate(times_s):
        r.now_s = NOW_S + at_s
        r.see(r.now_s, **(changes if number == 2 or "metric" in changes else {}))
    assert r.health.problem.startswith(UNMEASURED) == is_reported
    assert not r.health.fatal


def test_without_depth_none_need_measure(robot):
    r = robot(use_depth=False)
    for at_s in range(6):
        r.now_s = NOW_S + at_s / 2
        r.see(r.now_s)
    assert r.health == Health("")


@pytest.mark.parametrize(("mean_m", "is_reported"), [(0.1, False), (0.11, True), (float("nan"), False)])
def test_methods_may_disagree_up_to_the_limit(robot, mean_m, is_reported):
    r = robot(max_disagreement_m=0.1)
    r.see(r.now_s, disagreement=Disagreement(mean_m, 2 * mean_m))
    words = "the two methods disagree by 0.11 m per joint, max_disagreement_m is 0.1"
    assert r.health == Health(words if is_reported else "")


def test_a_node_that_was_started_twice_is_the_last_thing_to_report(robot):
    """Both have one name, so that nothing else tells."""
    r = robot()
    assert r.health == Health("")
    r.publishers = ["hmr", "hmr"]
    words = "/front/bodies has 2 publishers (/front/hmr, /front/hmr): subscribers get people of both"
    assert words in r.health.problem
    assert not r.health.fatal
    r.publishers = ["hmr", "_NODE_NAME_UNKNOWN_"]
    assert "(/front/hmr, unknown)" in r.health.problem
    r.parts["CameraInput"].calibration = "no calibration"
    assert r.health == Health("no calibration")
