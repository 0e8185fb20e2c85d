# SPDX-License-Identifier: Apache-2.0
"""One person, several cameras: who is who."""

import numpy as np
import pytest

from hmr_ros.perception.rooms.options import FusingOptions
from test.perception.rooms.rooms import EAST, NORTH, SOUTH, Eye, Room, fuse, turned

EXACT = FusingOptions(position_deviation_m=0.005, angle_deviation_rad=0.003)


def walks(time_s):
    return -1.0 + time_s, 0.5


def walks_back(time_s):
    return 1.0 - 0.8 * time_s, -0.6


def stands(time_s):
    return 0.3, 1.6


PEOPLE = (walks, walks_back, stands)


def ids(shown):
    return {person for each in shown for person in each.people}


def test_each_person_is_one_whatever_number_of_cameras_sees_them():
    _, shown = fuse(Room(PEOPLE, (Eye(EAST), Eye(SOUTH))), 1.5)
    assert ids(shown) == {1, 2, 3}
    assert all(each.twice == 0 for each in shown)
    assert shown[-1].error_m < 0.02


def test_two_views_tell_the_size_that_one_has_wrong():
    """All are taken for people a tenth larger: 40 cm too far away from either camera."""
    room = Room(PEOPLE, (Eye(EAST), Eye(SOUTH)), sizes=(1.1, 1.1, 1.1))
    fuser, shown = fuse(room, 1.0, options=EXACT)
    assert ids(shown) == {1, 2, 3}
    assert shown[-1].error_m < 0.05
    for person in fuser.people:
        assert person.motion.size_factor("0") == pytest.approx(1.1, abs=0.02)


def test_the_less_exact_the_poses_the_less_they_tell_of_sizes():
    """Cameras that may be wrong by 2 degrees explain a part of it; what is left is half of one camera's error."""
    room = Room(PEOPLE, (Eye(EAST), Eye(SOUTH)), sizes=(1.1, 1.1, 1.1))
    _, shown = fuse(room, 1.0)
    alone = np.linalg.norm(room.bodies(0, 1.0).cam_t, axis=1).mean() * (0.1 / 1.1)
    assert shown[-1].error_m < 0.5 * alone


def test_a_size_that_two_cameras_told_serves_one_of_them():
    room = Room((walks,), (Eye(EAST), Eye(SOUTH, sees=lambda person, time_s: time_s < 1)), sizes=(1.1,))
    _, shown = fuse(room, 2, options=EXACT)
    assert ids(shown) == {1}
    assert max(each.error_m for each in shown[-4:]) < 0.1


@pytest.mark.parametrize("gap_s", [-0.3, 0.3, 1.0])
def test_who_walks_from_one_view_into_the_next_keeps_the_id(gap_s):
    """Also where no camera sees them for a while."""
    eyes = (
        Eye(EAST, sees=lambda person, time_s: time_s < 1.0),
        Eye(SOUTH, sees=lambda person, time_s: time_s > 1.0 + gap_s),
    )
    _, shown = fuse(Room((walks,), eyes), 2.6)
    assert ids(shown) == {1}


def test_a_camera_with_an_inexact_pose_and_a_wrong_clock_doubles_nobody():
    wrong = turned(SOUTH, 2.0, (0, 0.6, 0.8), (0.02, -0.02, 0.01))
    room = Room(PEOPLE, (Eye(EAST, late_s=0.05), Eye(SOUTH, stated=wrong, late_s=-0.05)), noise=1)
    _, shown = fuse(room, 2)
    assert ids(shown) == {1, 2, 3}
    assert all(each.twice == 0 for each in shown)
    assert shown[-1].error_m < 0.15


@pytest.mark.parametrize("apart_m", [0.45, 0.7])
def test_two_people_close_together_stay_two(apart_m):
    people = (walks, lambda time_s: (walks(time_s)[0], 0.5 + apart_m))
    _, shown = fuse(Room(people, (Eye(EAST), Eye(SOUTH)), noise=1), 1.5)
    assert all(len(each.people) == 2 for each in shown)
    assert ids(shown) == {1, 2}


def test_two_people_each_seen_by_one_camera_stay_two():
    people = (walks, lambda time_s: (0.4 - 0.6 * time_s, 1.4))
    eyes = tuple(Eye(pose, sees=lambda person, time_s, n=n: person == n) for n, pose in enumerate((EAST, SOUTH)))
    _, shown = fuse(Room(people, eyes), 2)
    assert all(len(each.people) == 2 for each in shown[4:])
    assert len(ids(shown)) == 2


def test_a_track_that_gets_another_id_from_its_camera_stays_the_person():
    room = Room((walks,), (Eye(EAST), Eye(SOUTH)))
    fuser, _ = fuse(room, 1)
    room.people = (stands, walks)  # the camera's id of the second person is another
    room.eyes = tuple(Eye(eye.pose, sees=lambda person, time_s: person == 1) for eye in room.eyes)
    _, shown = fuse(room, 1, fuser=fuser, begin_s=1.0)
    assert ids(shown) == {1}


def test_people_whom_no_camera_shows_are_lost_after_the_timeout():
    room = Room((walks, stands), (Eye(EAST), Eye(SOUTH)))
    fuser, _ = fuse(room, 0.6, options=FusingOptions(timeout_s=0.5))
    room.eyes = tuple(Eye(eye.pose, sees=lambda person, time_s: person == 1) for eye in room.eyes)
    _, shown = fuse(room, 0.4, fuser=fuser, begin_s=0.6)
    assert set(shown[-1].people) == {1, 2}
    _, shown = fuse(room, 0.5, fuser=fuser, begin_s=1.0)
    assert set(shown[-1].people) == {2}
    assert fuser.ended() == (1,)
    assert fuser.ended() == ()


def test_a_camera_that_falls_silent_takes_nobody_away():
    """Of what it alone saw nothing is known; it says so when it is back."""
    eyes = (Eye(EAST, sees=lambda person, time_s: person == 0), Eye(SOUTH, sees=lambda person, time_s: person == 1))
    room = Room((walks, stands), eyes)
    options = FusingOptions(timeout_s=0.5)
    fuser, _ = fuse(room, 1, options=options)
    _, shown = fuse(room, 2, fuser=fuser, begin_s=1.0, silent=(0,))
    assert set(shown[-1].people) == {1, 2}
    room.people = (lambda time_s: (50.0, 50.0), stands)
    room.eyes = (Eye(EAST, sees=lambda person, time_s: False), eyes[1])
    _, shown = fuse(room, 0.5, fuser=fuser, begin_s=3.0)
    assert set(shown[-1].people) == {2}


def test_what_comes_much_too_late_is_left_out_and_counted():
    room = Room((walks,), (Eye(EAST), Eye(SOUTH)))
    fuser, _ = fuse(room, 1)
    before = fuser.people[0].motion.position
    fuser.add(room.bodies(1, 0.1), "2", 0.1, SOUTH)
    assert fuser.too_late == 1
    assert "2" not in fuser.cameras
    np.testing.assert_array_equal(fuser.people[0].motion.position, before)


def test_a_view_that_is_a_little_late_counts_at_its_own_time():
    room = Room((walks,), (Eye(EAST), Eye(SOUTH)))
    fuser, _ = fuse(room, 1)
    for k in range(6):
        at = 1 + 0.125 * k
        fuser.add(room.bodies(0, at), "0", at, EAST)
        fuser.add(room.bodies(1, at - 0.2), "1", at - 0.2, SOUTH)
    position, _ = fuser.people[0].motion.expected(at)
    assert len(fuser.people) == 1
    assert np.linalg.norm(position - room.roots(at)[0]) < 0.05


def test_no_people_and_no_cameras_are_normal():
    fuser, shown = fuse(Room((), (Eye(EAST), Eye(SOUTH))), 0.3)
    assert ids(shown) == set()
    assert fuser.reset() == ()


def test_reset_forgets_everyone_and_ids_go_on():
    room = Room((walks,), (Eye(EAST), Eye(NORTH)))
    fuser, _ = fuse(room, 0.3)
    assert fuser.reset() == (1,)
    _, shown = fuse(room, 0.3, fuser=fuser, begin_s=0.0)
    assert ids(shown) == {2}


def test_the_wrong_pose_of_one_camera_is_learnt_from_people():
    """It says that it looks 2 degrees to the left of where it does; two others are right."""
    room = Room(PEOPLE, (Eye(EAST), Eye(SOUTH, turned(SOUTH, 2.0)), Eye(NORTH)))
    fuser, shown = fuse(room, 2.5)
    yaw = [float(np.degrees(fuser.cameras[name].offset.rotation[2])) for name in "012"]
    assert yaw[1] < -0.7
    assert max(abs(yaw[0]), abs(yaw[2])) < 0.6
    assert shown[-1].error_m < 0.08
    untaught, _ = fuse(room, 0.5, options=FusingOptions(learns=False))
    assert not untaught.cameras["1"].offset.rotation.any()
