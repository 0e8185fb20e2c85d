# SPDX-License-Identifier: Apache-2.0
"""The worker's way from a message to what is published, counted and timed, with stubs around it."""

import dataclasses
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core import tracepoints
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import State
from hmr_ros.core.temporal.shedding import Costs, Shed
from hmr_ros.engines.runtime import EngineError
from hmr_ros.perception.hands import Hands
from hmr_ros.ros.input.images import BadImageError, BadImageReason
from hmr_ros.ros.monitor import Drop
from hmr_ros.ros.node import turn_taking, work
from hmr_ros.ros.node import worker as module
from hmr_ros.ros.node.worker import Worker
from hmr_ros.ros.wire.cdr import CdrError, Stamp
from test.ros.node.stage import STAMP, TIMINGS, Stage, message, worked
from test.ros.stubs import some_bodies


@pytest.fixture
def stage(monkeypatch):
    def make(**settings):
        stage = Stage(RobotConfig(**{"max_frame_age_s": 0.0, "max_latency_ms": 200.0} | settings))
        monkeypatch.setattr(module, "LatencyBudget", lambda node: stage)
        clock = SimpleNamespace(perf_counter=lambda: stage.now_s, monotonic=lambda: 50 + stage.now_s)
        for clocked in (module, work, turn_taking):
            monkeypatch.setattr(clocked, "time", clock)
        return stage

    return make


def test_an_image_goes_its_way_in_order(stage):
    s = stage(input_timeout_s=0.7)
    worked(s, STAMP)
    assert [call[0] for call in s.calls] == [
        "admit",
        "decode",
        "pipeline",
        "publishable",
        "publish",
        "views",
        "done",
        "closed",
    ]
    camera = ("camera", 0.7)
    assert s.calls[0][1:] == (1000.0, 0.1, 200.0)
    assert s.calls[2][1:] == (camera, 1000.0, ("depth of", camera), Shed.NOTHING, None)
    assert s.calls[3][1:] == (1000.0, 0.143, Shed.NOTHING, 200.0)
    assert s.calls[4][1:] == s.calls[5][1:] == (camera, (9,))
    assert s.log == []


def test_detections_of_another_detector_reach_the_pipeline(stage):
    s = stage()
    s.given = "what it found"
    worked(s, STAMP)
    assert s.called("pipeline")[0][-1] == "what it found"


def test_costs_are_told_to_the_budget_step_by_step(stage):
    s = stage()
    worked(s, STAMP)
    ((_, stamp_s, shed, costs, latency_s),) = s.called("done")
    assert (stamp_s, shed) == (1000.0, Shed.NOTHING)
    assert latency_s == pytest.approx(0.156)
    rest_s = 0.003 + (0.04 - 0.02 - 0.01) + 0.005
    assert dataclasses.astuple(costs) == pytest.approx(dataclasses.astuple(Costs(0.02, 0.01, 0.008, rest_s, 0.005)))


def test_the_world_reaches_the_pipeline_and_the_pose_the_outputs(stage):
    s = stage()
    worked(s, STAMP)
    assert (s.in_world, s.pose) == (("world of", "eye", s.config), "pose")
    assert not any("jumped" in text for text in s.log)
    s.jump = "by 2.00 m and 0 degrees within 0.100 s"
    worked(s, Stamp(1000, 100_000_000))
    assert any("jumped by 2.00 m" in text for text in s.log)


def test_the_rest_of_the_costs_is_never_negative(stage):
    s = stage()
    s.steps_s = (0.0, 0.001, 0.0, 0.0)  # the node's clock stands still, as /clock may
    worked(s, STAMP)
    assert s.called("done")[0][3].rest_s == 0.0


def test_diagnostics_get_what_happened_to_the_image(stage):
    s = stage()
    s.bodies = some_bodies(6)
    states = [State.TENTATIVE, *[State.COASTING] * 2, *[State.TRACKED] * 3]
    disagreement = np.full((6, 24), 0.03)
    s.bodies = dataclasses.replace(s.bodies, states=np.array(states), valid=np.arange(6) < 4, disagreement=disagreement)
    s.late_problem = "all are late"
    worked(s, STAMP)
    p = s.monitor.last_processed()
    assert (p.people, p.metric, p.measured, p.tentative, p.coasting) == (6, 4, 1, 1, 2)
    assert (p.shed, p.limit_violations, p.output_problem) == (str(Shed.NOTHING), 4, "")
    assert p.latency_problem == "all are late"
    assert p.disagreement.mean_m == pytest.approx(0.03)
    assert (p.at_s, p.latency_s) == pytest.approx((50.156, 0.156))
    assert p.overhead_s == pytest.approx(0.056 - TIMINGS.total_s)
    assert p.timings == TIMINGS
    assert s.monitor.drops() == {}


def test_people_take_turns_while_images_wait_for_the_worker(stage):
    s = stage()
    s.skipped = 1
    worked(s, STAMP)
    assert not s.in_turns
    worked(s, *(Stamp(1000, 40_000_000 * k) for k in range(3)))
    assert s.in_turns
    assert s.monitor.last_processed().skipped == 1


@pytest.mark.parametrize("late", ["before the work", "after it"])
def test_people_take_turns_while_images_are_too_late(stage, late):
    s = stage()
    s.admits, s.is_in_time = late == "after it", [False] * 40
    worker = worked(s)
    worker._turns._backlog.observe(1.0, 0.1, 0.0)
    s.waiting += [message(Stamp(1000, 10_000_000 * k)) for k in range(40)]
    worker._run()
    assert worker._turns._backlog.is_behind


def test_hands_are_views_and_so_is_their_time(stage):
    s = stage()
    s.hands, s.timings = Hands.unseen(np.arange(6)), dataclasses.replace(TIMINGS, hands_s=0.004)
    worked(s, STAMP)
    assert s.seen_hands is s.hands
    costs = s.called("done")[0][3]
    assert costs.views_s == pytest.approx(0.012)
    assert costs.rest_s == pytest.approx(0.156 - 0.1 - TIMINGS.detect_s - TIMINGS.estimate_s - 0.012)


@pytest.mark.parametrize(
    ("shed", "views"), [(Shed.NOTHING, 1), (Shed(Shed.VIEWS - 1), 1), (Shed.VIEWS, 0), (max(Shed), 0)]
)
def test_views_are_left_out_where_they_are_shed_or_more_is(stage, shed, views):
    s = stage()
    s.shed = shed
    worked(s, STAMP)
    assert len(s.called("views")) == views
    assert s.called("done")[0][2:4] == (shed, s.called("done")[0][3])
    assert s.called("done")[0][3].views_s == pytest.approx(0.008 * views)
    assert s.called("pipeline")[0][4] == shed
    assert s.monitor.last_processed().shed == str(shed)


def test_bodies_that_come_too_late_are_not_published_but_their_cost_is_known(stage):
    s = stage()
    s.is_in_time = [False]
    worked(s, STAMP)
    assert s.called("publish", "views", "done") == []
    assert s.called("unpublished") == [("unpublished", 1000.0, Shed.NOTHING, TIMINGS.detect_s, TIMINGS.estimate_s)]
    assert s.monitor.drops() == {Drop.WOULD_BE_LATE: 1}
    assert s.monitor.last_processed() is None
    assert "250 ms old when published, max_latency_ms is 200" in s.monitor.last_explained().explanation


def test_tracks_that_ended_with_an_unpublished_image_are_reported_lost_by_the_next(stage):
    s = stage()
    s.is_in_time, s.bodies = [False, False, True, True], some_bodies(2)
    s.lost = (9, 10)
    worked(s, STAMP, Stamp(1000, 100_000_000), Stamp(1000, 200_000_000), Stamp(1000, 300_000_000))
    first, second = (call[2] for call in s.called("publish"))
    assert first == second == (9, 10)
    s = stage()
    s.is_in_time = [False, True, True]
    rounds = iter([(9,), (), ()])
    s.forget = lambda: setattr(s, "lost", next(rounds))
    worked(s, STAMP, Stamp(1000, 100_000_000), Stamp(1000, 200_000_000))
    assert [call[2] for call in s.called("publish")] == [(9,), ()]


def test_a_lost_id_that_is_seen_again_is_not_reported(stage):
    s = stage()
    s.is_in_time, s.lost = [False, True], (int(s.bodies.ids[0]), 99)
    rounds = iter([s.lost, ()])
    s.forget = lambda: setattr(s, "lost", next(rounds))
    worked(s, STAMP, Stamp(1000, 100_000_000))
    assert [call[2] for call in s.called("publish")] == [(99,)]


def test_views_are_left_out_of_an_image_that_took_longer_than_expected(stage):
    s = stage()
    s.shed_late = Shed.VIEWS
    worked(s, STAMP)
    assert s.called("pipeline")[0][4] == Shed.NOTHING
    assert s.called("views") == []
    assert s.called("done")[0][2] == Shed.VIEWS


@pytest.mark.parametrize(
    ("problem", "view_problem", "expected"), [("a", "", "a"), ("", "b", "b"), ("a", "b", "a"), ("", "", "")]
)
def test_the_problem_of_an_output_is_counted_and_that_of_robots_is_named_first(stage, problem, view_problem, expected):
    s = stage()
    s.problem, s.view_problem = problem, view_problem
    worked(s, STAMP)
    assert s.monitor.last_processed().output_problem == expected
    assert s.monitor.last_processed().limit_violations == 4
    assert s.monitor.drops() == ({"no_transform": 1} if expected else {})


def test_an_image_that_would_be_late_is_dropped_before_it_is_decoded(stage):
    s = stage()
    s.admits = False
    worked(s, STAMP)
    assert [call[0] for call in s.calls] == ["admit", "closed"]
    assert s.monitor.drops() == {"would_be_late": 1}
    text = "it would be 250 ms old when published, max_latency_ms is 200"
    assert s.log == [f"dropped an image (would_be_late): {text}"]
    assert s.monitor.last_explained().explanation == text


def test_only_images_that_were_processed_set_the_time(stage):
    s = stage(max_rate_hz=10.0)
    worked(s, STAMP, Stamp(1000, 50_000_000), Stamp(1000, 110_000_000), Stamp(1000, 190_000_000))
    assert [call[2] for call in s.called("pipeline")] == pytest.approx([1000.0, 1000.11])
    assert s.monitor.drops() == {"rate_limit": 2}
    assert s.log == [], "as the user asked for it"


def test_a_jump_of_time_is_logged(stage):
    s = stage()
    s.now_s = 1e6
    worked(s, STAMP, Stamp(900, 0), Stamp(900, 10_000_000))
    assert s.log[-1] == "time jumped back by 100.0 s: all tracks end"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (BadImageError(BadImageReason.BAD_STEP, "too short"), "bad_step"),
        (CdrError("too short"), "broken_message"),
        (EngineError("too short"), "engine_failed"),
    ],
)
def test_what_is_wrong_with_one_image_is_counted_and_ends_no_track(stage, wrong, reason):
    s = stage()
    s.wrong = wrong
    worked(s, STAMP)
    assert s.monitor.drops() == {reason: 1}
    assert s.log == [f"dropped an image ({reason}): too short"]
    assert s.called("reset", "end", "done") == []


def test_a_message_without_a_stamp_is_broken(stage):
    s = stage()
    s.waiting.append(b"\0\1\0\0")
    worked(s, STAMP)
    assert s.monitor.drops() == {"broken_message": 1}
    assert len(s.called("done")) == 1


def test_after_a_bug_all_tracks_end_with_the_last_image_published(stage):
    s = stage()
    publish, bugs = s.publish, [False, True, False]
    s.publish = lambda *args: 1 / 0 if bugs.pop(0) else publish(*args)
    later = [Stamp(1000, k * 10_000_000) for k in range(3)]
    worked(s, *later)
    assert [call[0] for call in s.calls if call[0] in ("done", "reset", "end")] == ["done", "reset", "end", "done"]
    assert s.called("end") == [("end", later[1], "eye", 2)]
    assert s.monitor.drops() == {"internal_error": 1}
    assert "ZeroDivisionError" in s.log[0]


def test_a_bug_while_tracks_end_is_logged_too(stage):
    s = stage()
    s.reset = lambda: 1 / 0
    s.wrong = KeyError("a bug")
    worked(s, STAMP, Stamp(1000, 10_000_000))
    assert s.monitor.drops() == {"internal_error": 2}
    assert sum("cannot end tracks" in line for line in s.log) == 2


def test_when_ros_is_gone_the_thread_ends_without_a_word(stage):
    s = stage()
    s.ok, s.wrong = False, RuntimeError("the context is invalid")
    worked(s, STAMP, STAMP)
    assert s.waiting == [message()]
    assert (s.log, s.monitor.drops()) == ([], {})


def test_images_of_another_frame_end_all_tracks_with_the_reason(stage):
    s = stage()
    decode, names = s.decode, iter(["eye", "eye", "left", "left"])
    s.decode = lambda data: dataclasses.replace(decode(data), frame_id=next(names))
    worked(s, *(Stamp(1000, k * 10_000_000) for k in range(4)))
    assert s.called("end") == [("end", Stamp(1000, 10_000_000), "eye", 2)]
    assert len(s.called("reset")) == 1
    assert s.log == ["images changed from frame 'eye' to 'left': 2 tracks ended; two publishers"]
    order = [call[0] for call in s.calls]
    assert order.index("end") < len(order) - 1 - order[::-1].index("pipeline")


def test_tracks_are_ended_once(stage):
    s = stage()
    worker = worked(s, STAMP)
    assert [worker.end_tracks(), worker.end_tracks()] == [2, 0]
    assert s.called("end") == [("end", STAMP, "eye", 2)]
    assert len(s.called("reset")) == 2


def test_an_image_that_does_not_end_is_no_reason_to_wait_for_ever(stage, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    s = stage()
    worker = worked(s)
    with worker._processing, pytest.raises(TimeoutError, match=r"has taken 0\.01 s and is not done"):
        worker.end_tracks()
    assert worker.end_tracks() == 0


def test_an_image_in_work_keeps_the_tracks_until_it_is_done(stage):
    s = stage()
    inside, go_on = threading.Event(), threading.Event()
    publish = s.publish
    s.publish = lambda *args: (inside.set(), go_on.wait(120), publish(*args))[2]
    s.waiting.append(message())
    worker = Worker(s, s, s, s, s.monitor, s.config)
    assert inside.wait(120)
    assert worker._processing.locked()
    go_on.set()
    worker.join()
    assert not worker._processing.locked()


def test_new_parameters_count_from_the_next_image_on(stage):
    s = stage()
    decode = s.decode

    def changed(data):
        workers[0].config = RobotConfig(max_frame_age_s=0.0, max_latency_ms=70.0)
        return decode(data)

    s.decode, workers = changed, []
    first, second = message(), message(Stamp(1000, 10_000_000))
    ready = threading.Event()
    take = iter([first, second])
    s.slot.take = lambda: ready.wait(120) and next(take, None)
    workers.append(Worker(s, s, s, s, s.monitor, s.config))
    ready.set()
    workers[0].join()
    assert [call[3] for call in s.called("admit")] == [200.0, 70.0]


def test_the_steps_of_an_image_are_tracepoints(stage):
    s = stage()
    marks = []
    recorder = SimpleNamespace(
        began=lambda stamp_ns: marks.append(stamp_ns), mark=marks.append, ended=lambda: marks.append("ended")
    )
    tracepoints.install(recorder)
    try:
        worked(s, STAMP)
    finally:
        tracepoints.install(None)
    assert marks == [STAMP.nanoseconds, "admission", "decoding", "other inputs", "bookkeeping", "ended"]
