# SPDX-License-Identifier: Apache-2.0
from hmr_ros.core.temporal.presence import Presence


def test_a_lost_track_leaves_once():
    presence = Presence()
    assert presence.update([1, 2], [], 0.0, 0.5) == []
    assert presence.update([1], [2], 0.1, 0.5) == [2]
    assert presence.update([1], [2], 0.2, 0.5) == []


def test_a_track_missing_in_an_image_has_not_left():
    presence = Presence()
    presence.update([1], [], 0.0, 0.5)
    assert presence.update([], [], 0.5, 0.5) == []
    assert presence.update([], [], 1.4, 0.5) == []


def test_a_track_that_the_tracker_forgot_leaves_after_a_while():
    presence = Presence()
    presence.update([1], [], 0.0, 0.5)
    assert presence.update([2], [], 1.6, 0.5) == [1]


def test_an_unknown_track_does_not_leave():
    assert Presence().update([], [7], 0.0, 0.5) == []


def test_a_track_in_the_image_after_a_long_silence_stays():
    presence = Presence()
    presence.update([1], [], 0.0, 0.5)
    assert presence.update([1], [], 60.0, 0.5) == []


def test_time_may_start_anew():
    presence = Presence()
    presence.update([1], [], 100.0, 0.5)
    assert presence.update([2], [], 0.0, 0.5) == [1]


def test_the_longest_absence_is_the_timeout_and_a_second_more():
    for absent_s, left in ((1.5, []), (1.51, [1])):
        presence = Presence()
        presence.update([1], [], 10.0, 0.5)
        assert presence.update([2], [], 10.0, 0.5) == [], "an image of the same time"
        assert presence.update([2], [], 10.0 + absent_s, 0.5) == left


def test_who_left_is_told_in_order_and_may_come_back():
    presence = Presence()
    presence.update([9, 4, 7], [], 0.0, 0.5)
    assert presence.update([7], [9, 4, 7], 0.1, 0.5) == [4, 9]
    presence.update([4], [], 0.2, 0.5)
    assert presence.update([], [4], 0.3, 0.5) == [4]
