# SPDX-License-Identifier: Apache-2.0
"""Rooms with several cameras, and the figures that are made of them."""

import contextlib
import dataclasses

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.engines.opening import open_engine
from hmr_ros.evaluation.rooms.cameras import GivenDetector, said_by_all, shown_people
from hmr_ros.evaluation.rooms.halls import sample_hall
from hmr_ros.evaluation.rooms.renders import RoomPainter, said_of_images
from hmr_ros.evaluation.rooms.report import row, table
from hmr_ros.evaluation.rooms.scenes import JOINT_SET, Errors, looking, sample_room
from hmr_ros.evaluation.rooms.scores import scores
from hmr_ros.evaluation.rooms.trial import KINDS, Instant, Outcome, fused, wrong_rooms
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.pose2mesh import Pose2Mesh
from hmr_ros.perception.rooms.options import FusingOptions
from hmr_ros.perception.shared import SharedParts
from hmr_ros.perception.tracker import Tracker
from hmr_ros.training.datasets.motion import Motion
from test.perception.rooms.rooms import BODY


def instant(time_s, ids, places, shown=(True, True)):
    """People on a line, whose truth is at 0 and 3 m."""
    roots = np.array([(x, 0.0, 1.0) for x in places]).reshape(-1, 3)
    covariances = np.tile(0.01 * np.eye(3), (len(ids), 1, 1))
    truth = np.array([(0.0, 0, 1), (3.0, 0, 1)])
    return Instant(time_s, np.array(ids), roots, covariances, np.ones(len(ids)), truth, np.array(shown))


def instants(*parts):
    """Each of ``parts`` (ids, places) for a second."""
    return [instant(k + 0.1 * i, *part) for k, part in enumerate(parts) for i in range(10)]


def test_people_who_are_found_all_the_time_have_no_errors():
    found = scores(instants(((7, 8), (0.1, 3.1)), ((7, 8), (0.1, 3.1))))
    assert (found.idf1, found.ids, found.people, found.twice_s, found.missed_s) == (1, 2, 2, 0, 0)
    assert found.error_m == pytest.approx(0.1)
    assert found.coverage == (1, 1, 1)


def test_another_id_halfway_costs_a_quarter():
    """Of two people, one is half of the time someone else."""
    assert scores(instants(((7, 8), (0, 3)), ((7, 9), (0, 3)))).idf1 == pytest.approx(0.75)


def test_who_is_twice_or_missing_is_so_for_a_time():
    found = scores(instants(((7, 8), (0, 3)), ((7, 8, 9), (0, 3, 3.4)), ((7,), (0,))))
    assert found.twice_s == pytest.approx(0.9)
    assert found.missed_s == pytest.approx(0.9)
    assert found.idf1 == pytest.approx(2 * 50 / (60 + 60))


def test_people_whom_no_camera_shows_are_not_asked_for():
    hidden = [instant(0.1 * k, (7, 8), (0, 3), shown=(True, False)) for k in range(10)]
    assert scores(hidden).idf1 == 1


@pytest.fixture
def motion():
    frames = 40
    pose = np.zeros((frames, 24, 3), np.float32)
    pose[:, 1, 0] = 0.4 * np.sin(np.arange(frames) / 3)
    return Motion(
        pose=pose,
        trans=np.zeros((frames, 3), np.float32),
        clip=np.zeros(frames, np.int64),
        clip_id=np.array(["a_01"]),
        clip_subject=np.array(["a"]),
        clip_category=np.array(["walk"]),
        clip_split=np.array(["val"]),
        clip_leg=np.array([0.8], np.float32),
        fps=20.0,
    )


def test_a_room_has_people_on_the_floor_and_one_camera_that_is_wrong(motion):
    room = sample_room(motion, BODY, 3, 2, 1.0, Errors(), default_rng(1))
    assert room.walkers.roots.shape == (2, 101, 3)
    soles = room.walkers.keypoints_at(0.5)[..., 2].min(1)
    assert_allclose(soles, 0, atol=0.15)
    *right, wrong = room.cameras
    assert all(camera.stated is camera.actual for camera in right)
    turn = rotmat_to_rotvec((wrong.stated.rotation @ wrong.actual.rotation.T)[None])
    assert np.degrees(np.linalg.norm(turn)) == pytest.approx(2)
    assert np.linalg.norm(wrong.stated.translation - wrong.actual.translation) == pytest.approx(0.03)
    assert all(abs(camera.late_s) <= 0.05 for camera in room.cameras)


def test_no_person_is_seen_in_the_middle_of_a_hall_and_all_come_to_both_ends(motion):
    hall = sample_hall(motion, BODY, 3, 16.0, Errors(), default_rng(1))
    seen = [shown_people(camera, hall) for camera in hall.cameras]
    for camera, shown in zip(hall.cameras, seen, strict=True):
        assert set(np.concatenate(shown).tolist()) == {0, 1, 2}
        places = [hall.walkers.roots_at(t)[who, 0] for t, who in zip(camera.times.tolist(), shown, strict=True)]
        side = np.sign(camera.actual.translation[0])
        assert (side * np.concatenate(places)).min() > 2


def test_grossly_wrong_cameras_are_the_last_ones(motion):
    room = sample_room(motion, BODY, 4, 1, 0.5, Errors(), default_rng(1))
    kinds = wrong_rooms(room, default_rng(0))
    assert set(kinds) == set(KINDS[1:])
    (turned, one), (swapped, two) = kinds["turned by 20 degrees"], kinds["two swapped"]
    assert (one, two) == ((3,), (2, 3))
    turn = turned.cameras[3].stated.rotation @ room.cameras[3].stated.rotation.T
    assert np.degrees(np.linalg.norm(rotmat_to_rotvec(turn[None]))) == pytest.approx(20)
    assert swapped.cameras[2].stated is room.cameras[3].stated
    few = sample_room(motion, BODY, 2, 1, 0.5, Errors(), default_rng(1))
    assert set(wrong_rooms(few, default_rng(0))) == {"upside down"}


def test_a_level_camera_looks_at_its_target():
    pose = looking(np.array([3.0, 1, 2]), np.array([0.0, 0, 1]))
    assert_allclose(pose.inverse()(np.array([0.0, 0, 1]))[:2], 0, atol=1e-12)
    assert pose.rotation[2, 0] == pytest.approx(0, abs=1e-12)


def test_the_table_has_a_row_for_each_kind():
    outcome = Outcome(instants(((7, 8), (0.1, 3.1)), ((7, 8), (0.1, 3.1))), np.full(4, 0.2), (1,))
    rows = [row(KINDS[0], 2, [outcome], ()), row(KINDS[1], 3, [outcome], (1,))]
    assert rows[0].ratio == pytest.approx(0.5)
    assert (rows[1].refused, rows[1].wrong) == (1, 1)
    lines = table(rows).splitlines()
    assert len(lines) == 3
    assert lines[2].endswith("1 of 1")


@pytest.mark.slow
def test_the_robots_networks_see_people_whom_cameras_then_share(motion):
    room = sample_room(motion, BODY, 2, 2, 3.0, Errors(), default_rng(3))
    with contextlib.closing(open_engine(models_dir() / "pose2mesh.json")) as engine:

        def opened():
            return Pipeline(GivenDetector(), Tracker(), Pose2Mesh(engine, BODY), BodySmoother(BODY), BODY)

        said = said_by_all(room, opened, default_rng(0))
    assert said[0].bodies.joint_set == JOINT_SET
    outcome = fused(room, said, BODY, FusingOptions())
    found = scores(outcome.instants)
    assert found.idf1 > 0.9
    assert found.error_m < outcome.single.mean()
    assert outcome.refused == ()


@pytest.mark.slow
def test_painted_people_are_where_their_keypoints_are_in_the_same_clothes(motion):
    room = sample_room(motion, BODY, 2, 1, 1.0, Errors(), default_rng(5))
    elsewhere = dataclasses.replace(room.walkers, roots=room.walkers.roots + [50.0, 0, 0])
    camera, image = room.cameras[0], RoomPainter(room, BODY, 5)(0, 0.5)
    without = RoomPainter(dataclasses.replace(room, walkers=elsewhere), BODY, 5)(0, 0.5)
    assert image.shape == (720, 1280, 3)
    assert_array_equal(image, RoomPainter(room, BODY, 5)(0, 0.5))
    optical = camera.actual.inverse()(room.walkers.keypoints_at(0.5)[0])
    column, row = project(optical, camera.camera).round().astype(int).T
    inside = (column >= 0) & (column < 1280) & (row >= 0) & (row < 720)
    changed = np.abs(image.astype(int) - without).max(-1) > 15
    assert changed[row[inside], column[inside]].mean() > 0.7, "some are as light as the wall behind them"
    assert changed.mean() < 0.2


@pytest.mark.slow
def test_people_of_rendered_images_are_found_and_shared(motion):
    room = sample_room(motion, BODY, 2, 2, 3.0, Errors(), default_rng(3))
    settings, parts = PipelineSettings(), SharedParts()
    said = said_of_images(room, lambda: assemble(settings, parts), RoomPainter(room, BODY, 3))
    found = scores(fused(room, said, BODY, FusingOptions()).instants)
    assert found.idf1 > 0.7
    assert found.error_m < 0.4
    assert [each.time_s for each in said] == sorted(each.time_s for each in said)
    assert all(len(each.looks) == len(each.bodies) for each in said)
    assert max(each.looks.views.max() for each in said if len(each.bodies)) > 5
