# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.core.people import State
from hmr_ros.recording.tally import Tally
from test.recording.entries import entry


def summary_of(*entries):
    tally = Tally()
    for each in entries:
        tally.add(each)
    return tally.summary(interrupted=False)


def test_each_image_lasts_until_the_next():
    found = summary_of(entry([1, 2], stamp_s=0.0), entry([1], stamp_s=0.1), entry([], stamp_s=0.4))
    assert (found.images, found.bodies, found.people) == (3, 3, 2)
    assert found.footage_s == pytest.approx(0.4)
    assert found.person_s == pytest.approx(2 * 0.1 + 0.3)


def test_pauses_and_steps_back_are_no_footage():
    found = summary_of(entry([1], stamp_s=0.0), entry([1], stamp_s=9.0), entry([1], stamp_s=5.0), entry(stamp_s=5.5))
    assert (found.footage_s, found.person_s) == (pytest.approx(0.5), pytest.approx(0.5))


def test_cameras_add_up():
    tally = Tally()
    for stamp_s in (0.0, 0.1):
        for camera in (0, 1):
            tally.add(entry([1], stamp_s=stamp_s), camera)
    found = tally.summary(interrupted=True)
    assert (found.footage_s, found.person_s, found.interrupted) == (pytest.approx(0.2), pytest.approx(0.2), True)


def test_photos_have_no_time_and_doubtful_people_do_not_count():
    found = summary_of(entry([1]), entry([1, 2], stamp_s=0.0, states=[State.TRACKED, State.TENTATIVE]))
    assert (found.footage_s, found.person_s, found.bodies, found.people) == (0, 0, 2, 1)
