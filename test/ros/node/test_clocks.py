# SPDX-License-Identifier: Apache-2.0
"""Stamps that are late, jump or start over, and a clock that does."""

import functools

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import SmplBody, SmplBodyArray
from rosgraph_msgs.msg import Clock

from hmr_ros.ros.wire import interfaces
from hmr_ros.ros.wire.cdr import Stamp
from test.ros.graph import qos, spin_until
from test.ros.world import World

PERIOD_MS = 100


class Bag(World):
    """Images with given stamps, the node with two stubbed people, and what it publishes."""

    def __init__(self, executor, **parameters):
        super().__init__(executor, people=2, **parameters)
        self.clock = self.peer.create_publisher(Clock, "/clock", qos(depth=1))
        self.subscribe(SmplBodyArray, "bodies")
        self.subscribe(DiagnosticArray, "/diagnostics")
        assert self.node.start()
        spin_until(
            executor, lambda: self.camera.images.get_subscription_count() and self.peer.count_publishers("bodies")
        )

    @property
    def bodies(self):
        return self.received["bodies"]

    def send(self, at_ms):
        self.camera.publish_info()
        self.camera.publish_image(Stamp(*divmod(at_ms * 1_000_000, 10**9)))

    def play(self, *times_ms):
        """The stamps, each published once the one before it is done with."""
        for at_ms in times_ms:
            done = len(self.bodies) + self.dropped()
            self.send(at_ms)
            spin_until(self.executor, lambda: len(self.bodies) + self.dropped() > done)  # noqa: B023  # used at once

    def dropped(self):
        return sum(self.node.monitor.drops().values())

    def set_clock(self, at_ms):
        now = Clock()
        now.clock.sec, now.clock.nanosec = divmod(at_ms * 1_000_000, 10**9)

        def arrived():
            self.clock.publish(now)
            return self.node.get_clock().now().nanoseconds == at_ms * 1_000_000

        spin_until(self.executor, arrived)

    def ids(self, which=-1, state=SmplBody.TRACKED):
        return [body.id for body in self.bodies[which].bodies if body.state == state]


@pytest.fixture
def bag(executor, closing):
    return functools.partial(closing, Bag, executor)


def test_an_image_that_was_overtaken_is_dropped_and_all_tracks_stay(bag):
    b = bag()
    b.play(10_000, 10_100, 10_200)
    followed = b.ids()
    b.play(10_170, 10_300, 10_250, 10_400)
    assert b.node.monitor.drops() == {"out_of_order": 2}
    assert len(b.bodies) == 5
    assert b.ids() == followed
    assert not b.ids(state=SmplBody.LOST)


def test_an_image_that_was_overtaken_does_not_set_time_back(bag):
    b = bag()
    b.play(10_000, 10_400, 10_100, 10_300)  # each before the newest, whatever came between
    assert b.node.monitor.drops() == {"out_of_order": 2}
    b.play(10_450)
    assert len(b.bodies) == 3


def test_a_rate_limit_takes_the_first_image_after_a_pause_and_after_a_jump_back(bag):
    b = bag(max_rate_hz=5.0)
    b.play(10_000, 10_100, 10_200)
    assert b.node.monitor.drops() == {"rate_limit": 1}
    b.play(70_000, 70_100, 70_200)
    assert b.node.monitor.drops() == {"rate_limit": 2, "stray_stamp": 1}
    b.play(20_000, 20_100, 20_200, 20_300)
    assert b.node.monitor.drops() == {"rate_limit": 3, "stray_stamp": 2}
    assert len(b.bodies) == 5


def test_a_bag_that_starts_over_shows_new_people_with_the_second_image(bag):
    b = bag()
    b.play(*range(10_000, 11_000, PERIOD_MS))
    before = b.ids()
    b.play(10_000, 10_100)
    assert sorted(b.ids(state=SmplBody.LOST)) == sorted(before)
    assert len(b.ids()) == 2
    assert not set(b.ids()) & set(before)
    b.play(*range(10_200, 11_000, PERIOD_MS))
    assert b.node.monitor.drops() == {"stray_stamp": 1}


def test_a_jump_ahead_drops_one_image(bag):
    b = bag()
    b.play(10_000, 10_100, 3_600_000, 3_600_100)
    assert b.node.monitor.drops() == {"stray_stamp": 1}
    assert len(b.ids()) == 2


@pytest.mark.parametrize(("stray_ms", "reason"), [(0, "no_stamp"), (4_000, "stray_stamp"), (14_000, "stray_stamp")])
def test_stray_stamps_are_dropped_by_name_and_everybody_keeps_the_id(bag, stray_ms, reason):
    b = bag()
    b.play(10_000, 10_100)
    followed = b.ids()
    b.play(stray_ms, 10_200, stray_ms, 10_300)
    assert b.node.monitor.drops() == {reason: 2}
    assert b.ids() == followed
    assert not any(b.ids(which, SmplBody.LOST) for which in range(len(b.bodies)))


def test_constant_stamps_are_dropped_and_named_as_the_cause(bag):
    b = bag(input_timeout_s=0.05)
    b.play(0, 0, 0)
    assert not b.bodies

    def told():
        b.send(0)
        return any("header.stamp is 0" in status.message for r in b.received["/diagnostics"] for status in r.status)

    spin_until(b.executor, told)


def test_stamps_of_the_future_are_dropped_and_warned_of(bag):
    b = bag()
    now_ms = b.camera.now().nanoseconds // 1_000_000
    b.play(now_ms, now_ms + 37_000)
    assert b.node.monitor.drops() == {"future_stamp": 1}
    spin_until(
        b.executor,
        lambda: any("TAI" in status.message for r in b.received["/diagnostics"] for status in r.status),
    )


def test_the_age_of_images_is_that_of_sim_time(bag):
    b = bag(use_sim_time=True, max_frame_age_s=0.5)
    b.set_clock(10_050)
    b.play(10_000)
    assert len(b.bodies) == 1
    b.set_clock(20_000)
    b.play(10_100)
    assert b.node.monitor.drops() == {"too_old": 1}
    b.play(19_900)
    assert len(b.bodies) == 2


def test_sim_time_that_starts_over_needs_no_restart(bag):
    b = bag(use_sim_time=True, max_frame_age_s=0.5)
    b.set_clock(20_000)
    b.play(19_900, 20_000)
    before = b.ids()
    b.play(10_000)  # the image comes before the clock that goes with it
    assert b.node.monitor.drops() == {"too_old": 1}
    b.set_clock(10_100)
    b.play(10_100)
    assert sorted(b.ids(state=SmplBody.LOST)) == sorted(before)
    assert len(b.ids()) == 2


def test_a_clock_that_stands_still_does_not_silence_diagnostics(bag):
    b = bag(use_sim_time=True)
    spin_until(b.executor, lambda: len(b.received["/diagnostics"]) >= 2)


@pytest.mark.skipif(not interfaces.COLLISION_OBJECTS.is_available, reason="needs moveit_msgs: make test")
def test_collision_objects_of_the_last_time_are_removed_when_it_starts_over(bag):
    from moveit_msgs.msg import CollisionObject

    b = bag(**{"planning.collision_objects": True})
    objects = []
    b.peer.create_subscription(CollisionObject, "collision_object", objects.append, qos(depth=100))

    def added():
        return {o.id for o in objects if o.operation == CollisionObject.ADD}

    at_ms = 10_000
    while len(added()) < 2:
        b.play(at_ms)
        at_ms += PERIOD_MS
        assert at_ms < 100_000, "no collision objects"
    before = added()
    b.play(9_000, 9_100, 9_200)

    def removed():
        return {o.id for o in objects if o.operation == CollisionObject.REMOVE}

    spin_until(b.executor, lambda: removed() == before and len(added()) == 4)
