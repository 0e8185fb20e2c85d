# SPDX-License-Identifier: Apache-2.0
from hmr_ros.core.temporal.presence import Presence


def test_who_is_reported_lost_is_gone_once():
    presence = Presence()
    assert presence.update([1, 2], [], 0.0, 0.5) == []
    assert presence.update([1], [2], 0.1, 0.5) == [2]
    assert presence.update([1], [2], 0.2, 0.5) == []


def test_who_is_not_in_an_image_has_not_left():
    presence = Presence()
    presence.update([1], [], 0.0, 0.5)
    assert presence.update([], [], 0.5, 0.5) == []
    assert presence.update([], [], 1.4, 0.5) == []


def test_whom_the_tracker_forgot_is_gone_after_a_while():
    presence = Presence()
    presence.update([1], [], 0.0, 0.5)
    assert presence.update([2], [], 1.6, 0.5) == [1]


def test_who_was_never_there_does_not_leave():
    assert Presence().update([], [7], 0.0, 0.5) == []


def test_who_is_in_the_image_after_a_long_silence_stays():
    presence = Presence()
    presence.update([1], [], 0.0, 0.5)
    assert presence.update([1], [], 60.0, 0.5) == []


def test_time_may_start_anew():
    presence = Presence()
    presence.update([1], [], 100.0, 0.5)
    assert presence.update([2], [], 0.0, 0.5) == [1]
