# SPDX-License-Identifier: Apache-2.0
"""The parts that fusing is made of."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.growth import Growth
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import State
from hmr_ros.core.records import join_rows
from hmr_ros.perception.rooms.fuser import RoomFuser
from hmr_ros.perception.rooms.matching import PairCosts, by_pose, by_size, by_velocity
from hmr_ros.perception.rooms.observation import observed
from hmr_ros.perception.rooms.offsets import Offset, centred
from hmr_ros.perception.rooms.options import FusingOptions
from hmr_ros.perception.rooms.pose import fused_pose
from hmr_ros.perception.rooms.room import bodies_of
from hmr_ros.perception.rooms.tracks import CameraTracks
from test.perception.rooms.rooms import BODY, EAST, NORTH, SOUTH, Eye, Room, fuse, looking, turned

GROWTH = Growth.of(BODY)
WEST = looking((-4.0, 0.3, 2.1))
ROOM = Room((lambda t: (t, 0.5), lambda t: (0.0, -1.0 - t)), (Eye(EAST), Eye(SOUTH)))


def view(number=0, time_s=0.0, **changes):
    return observed(
        dataclasses.replace(ROOM.bodies(number, time_s), **changes), str(number), time_s, (EAST, SOUTH)[number], GROWTH
    )


def test_people_are_observed_in_the_world():
    seen = view()
    assert_allclose(seen.people.roots, ROOM.roots(0.0), atol=1e-5)
    assert_allclose(seen.people.along / seen.people.distances, 0.06, atol=1e-6)
    assert_allclose(seen.people.across, 0.014, atol=1e-6)
    assert_allclose(seen.people.orientations[:, 2, 1], 1, atol=1e-6)
    assert_allclose(seen.people.lines_of_sight + seen.eye, seen.people.roots, atol=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"states": np.array([State.COASTING, State.TENTATIVE], np.uint8)},
        {"valid": np.zeros(2, np.bool_)},
        {"cam_t": np.full((2, 3), np.nan)},
        {"body_pose": np.full((2, 23, 3), np.inf)},
    ],
)
def test_who_is_not_seen_or_has_no_position_is_not_observed(changes):
    assert len(view(**changes).people) == 0


def test_what_is_not_stated_is_assumed():
    unknown = {"root_covariance": (3, 3), "joint_error": (24,), "joint_covariance": (24, 3, 3)}
    people = view(**{name: np.full((2, *shape), np.nan) for name, shape in unknown.items()}).people
    assert_allclose(people.along, 0.07 * people.distances)
    assert np.isfinite(people.joint_covariance).all()
    assert_allclose(people.joint_error, 0.07)
    assert_allclose(view(joint_error=np.zeros((2, 24))).people.joint_error, 0.07)


def test_two_views_of_one_person_are_alike_and_of_two_are_not():
    a, b = (CameraTracks.begun(view(n, 0.4).people, 0.4) for n in (0, 1))
    for evidence in (by_pose, by_size, by_velocity):
        assert np.diag(evidence(a, b)).max() < 0.1
    off = by_pose(a, b) * (1 - np.eye(2))
    assert off.sum() / 2 > 5


def test_velocities_follow_positions():
    tracks = CameraTracks.begun(view(0, 0.0).people, 0.0)
    for k in range(1, 10):
        tracks = tracks.updated(view(0, 0.1 * k).people, 0.1 * k)
    assert_allclose(tracks.velocities, [[1, 0, 0], [0, -1, 0]], atol=0.06)
    assert_allclose(tracks.at(1.0), ROOM.roots(1.0), atol=0.01)


def test_a_mean_cost_forgets_and_is_bounded():
    pairs = PairCosts()
    one, other = ("a", 1), ("b", 2)
    assert pairs.of(one, other) == np.inf
    pairs.add([one], [other], np.array([[1e6]]), 0.0)
    assert pairs.of(other, one) == 100
    for k in range(1, 30):
        pairs.add([one], [other], np.array([[2.0]]), 0.1 * k)
    assert pairs.of(one, other) == pytest.approx(2, abs=0.5)
    pairs.forget(6.0)
    assert pairs.of(one, other) == np.inf


def test_an_offset_is_learnt_from_people_all_around():
    rng, truth = (
        np.random.default_rng(0),
        Offset(np.array([0.01, -0.02, 0.03]), np.array([0.02, 0.01, -0.02]), np.eye(6)),
    )
    offset = Offset.stated(FusingOptions())
    for _ in range(400):
        sight = rng.uniform(-3, 3, 3) + [4, 0, 0]
        residual = np.cross(truth.rotation - offset.rotation, sight) + truth.aside - offset.aside
        offset = offset.learnt(sight, residual + 0.05 * rng.normal(size=3), 0.05**2 * np.eye(3), 0.1)
    assert_allclose(offset.rotation, truth.rotation, atol=0.006)
    assert_allclose(offset.aside, truth.aside, atol=0.02)
    assert np.sqrt(np.diag(offset.covariance)).min() >= 0.005


def test_what_is_far_from_any_offset_teaches_nothing():
    offset = Offset.stated(FusingOptions())
    assert offset.learnt(np.array([4.0, 0, 0]), np.array([0, 2.0, 0]), 0.01 * np.eye(3), 0.1) is offset


def test_offsets_that_all_cameras_have_are_none():
    eyes = np.array([[4.0, 0, 2], [0, 4, 2], [-4, 0, 2]])
    common, moved = np.array([0.01, 0.02, -0.01]), np.array([0.03, 0, 0.01])
    offsets = [Offset(common, moved + np.cross(common, eye), np.eye(6)) for eye in eyes]
    for offset in centred(offsets, eyes, 1.0):
        assert_allclose(offset.rotation, 0, atol=1e-12)
        assert_allclose(offset.aside, 0, atol=1e-12)


def test_a_pose_is_the_mean_by_expected_errors_without_other_opinions():
    people = view().people.take(np.array([0, 0, 0]))
    error = np.stack([np.full(24, 0.03), np.full(24, 0.06), np.full(24, 0.06)])
    pose = np.zeros((3, 23, 3))
    pose[1, 3] = [0.5, 0, 0]
    pose[2, 3] = [2.5, 0, 0]  # mirrored, say
    people = dataclasses.replace(people, body_pose=pose, joint_error=error)
    fused = fused_pose(people, np.ones(3), np.ones(3), GROWTH)
    assert_allclose(fused.body_pose[3], [0.1, 0, 0], atol=1e-9)
    assert_allclose(rotvec_to_rotmat(fused.global_orient), people.orientations[0], atol=1e-6)


def test_covariances_are_intersected_never_added_up():
    """Two views that say the same are no more certain than one: what they have in common is not known."""
    people = view().people.take(np.array([0, 0]))
    fused = fused_pose(people, np.ones(2), np.ones(2), GROWTH)
    assert_allclose(fused.joint_covariance[1:], people.joint_covariance[0, 1:], rtol=1e-3)
    assert_allclose(fused.joint_covariance[0], 0)


def test_the_shape_is_that_of_the_size_that_cameras_tell_together():
    people = view().people.take(np.array([0, 0]))
    fused = fused_pose(people, np.ones(2), np.array([1.1, 1.1]), GROWTH)
    assert GROWTH.size(fused.betas) == pytest.approx(1 / 1.1, abs=0.01)


def test_fused_bodies_are_in_the_world_with_meshes():
    room = Room(ROOM.people, (Eye(EAST), Eye(SOUTH, turned(SOUTH, 1.0))), noise=1)
    fuser, _ = fuse(room, 0.8)
    bodies = bodies_of(fuser, fuser.stamp_s, BODY)
    assert bodies.ids.tolist() == [1, 2]
    assert bodies.states.tolist() == [State.TRACKED] * 2
    assert_allclose(bodies.cam_t, room.roots(fuser.stamp_s), atol=0.12)
    assert bodies.vertices[..., 2].min() == pytest.approx(0, abs=0.25), "feet near the floor, z up"
    covariance = np.linalg.eigvalsh(bodies.root_covariance)
    assert (covariance > 0).all()
    assert (covariance < 0.3**2).all()


def test_people_unseen_are_coasting_and_uncertain():
    room = Room((lambda t: (t, 0.5),), (Eye(EAST, sees=lambda p, t: t < 1), Eye(SOUTH, sees=lambda p, t: t < 1)))
    fuser, _ = fuse(room, 1.0)
    before = bodies_of(fuser, fuser.stamp_s, BODY)
    fuse(room, 0.9, fuser=fuser, begin_s=1.0)
    now = bodies_of(fuser, fuser.stamp_s, BODY)
    assert now.states.tolist() == [State.COASTING]
    assert now.unseen_s[0] == pytest.approx(fuser.stamp_s - fuser.people[0].seen_s, abs=1e-5)
    assert np.trace(now.root_covariance[0]) > 2 * np.trace(before.root_covariance[0])
    assert now.cam_t[0, 0] < 1.7, "people come to a stop"


def test_nobody_is_no_bodies():
    assert len(bodies_of(RoomFuser(BODY), 0.0, BODY)) == 0
    assert len(join_rows([bodies_of(RoomFuser(BODY), 0.0, BODY)])) == 0


@pytest.mark.parametrize("name", ["position_deviation_m", "timeout_s", "clock_deviation_s"])
def test_options_are_above_0(name):
    with pytest.raises(ValueError, match="above 0"):
        FusingOptions(**{name: 0.0})


def test_what_all_cameras_may_share_is_counted_as_learning_takes_it_away():
    """Once and not twice: nothing is added before anything is learnt."""
    fuser, _ = fuse(ROOM, 0.3, options=FusingOptions(learns=False))
    assert_allclose(
        bodies_of(fuser, fuser.stamp_s, BODY).root_covariance,
        [person.motion.expected(fuser.stamp_s)[1] for person in fuser.people],
    )
    state = fuser.cameras["0"]
    state.offset = dataclasses.replace(state.offset, covariance=0.25 * state.offset.covariance)
    sights = np.stack([person.motion.position - state.eye for person in fuser.people])
    learnt = 0.75 * Offset.stated(fuser.options).covariances(sights) / 4
    for person, body, expected in zip(
        fuser.people, bodies_of(fuser, fuser.stamp_s, BODY).root_covariance, learnt, strict=True
    ):
        assert_allclose(body - person.motion.expected(fuser.stamp_s)[1], expected, atol=1e-9)


def erring(cameras: int, seed: int) -> Room:
    """Three people and as many cameras, whose poses, clocks and sizes of people are wrong as they may be."""
    rng = np.random.default_rng(seed)
    shared = rng.normal()
    eyes = []
    for pose in (EAST, SOUTH, NORTH, WEST)[:cameras]:
        turn, aside = rotvec_to_rotmat(0.035 * rng.normal(size=3)), 0.03 * rng.normal(size=3)
        factor = np.exp(0.06 * np.sqrt(0.5) * (shared + rng.normal()))
        stated = Transform(turn @ pose.rotation, pose.translation + aside)
        eyes.append(Eye(pose, stated, late_s=0.03 * rng.normal(), factor=float(factor)))
    a, b = rng.uniform(0, 2 * np.pi, 2)
    people = (
        lambda t: (1.5 * np.cos(0.5 * t + a), 1.5 * np.sin(0.5 * t + a)),
        lambda t: (-1.0, 0.7),
        lambda t: (0.8 * np.sin(0.7 * t + b), -1.2),
    )
    return Room(people, tuple(eyes), noise=1, rng=rng)


@pytest.mark.slow
@pytest.mark.parametrize("cameras", [1, 2, 3, 4])
def test_covariances_are_as_large_as_errors_where_all_cameras_err_as_stated(cameras: int):
    errors2, stated2, distances2 = [], [], []
    for seed in range(8):
        room, fuser = erring(cameras, seed), None
        for part in range(3):
            fuser, _ = fuse(room, 1.5, fuser=fuser, begin_s=1.5 * part)
            bodies = bodies_of(fuser, fuser.stamp_s, BODY)
            for root, covariance in zip(bodies.cam_t, bodies.root_covariance, strict=True):
                error = min(room.roots(fuser.stamp_s) - root, key=np.linalg.norm)
                errors2.append(error @ error)
                stated2.append(np.trace(covariance))
                distances2.append(error @ np.linalg.solve(covariance, error))
    assert 0.75 < np.sqrt(np.mean(errors2) / np.mean(stated2)) < 1.25
    assert np.mean(np.array(distances2) < 6.251) > 0.82, "the 90 % region, of few cameras"
