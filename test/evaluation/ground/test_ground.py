# SPDX-License-Identifier: Apache-2.0
"""Simulated people on a floor, the grounds they are placed on, and the table about them."""

import dataclasses

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import JOINT_SETS, SMPL
from hmr_ros.evaluation.ground import report, scenes, trial
from hmr_ros.evaluation.ground.scenes import JOINT_SET, sample_view, sample_walk
from hmr_ros.evaluation.ground.trial import GROUNDS, PEOPLE, Outcomes, Trial
from hmr_ros.training.datasets.motion import Motion
from test.core.temporal.standing import BODY


@pytest.fixture
def motion(monkeypatch):
    """A clip of half a second in which a person stands, and is in the air in the last third."""
    monkeypatch.setattr(scenes, "SECONDS", 0.5)
    frames = 15
    trans = np.tile(np.array([0, 0.9, 0], np.float32), (frames, 1))
    trans[10:, 1] += 0.3
    return Motion(
        pose=np.zeros((frames, 24, 3), np.float32),
        trans=trans,
        clip=np.zeros(frames, np.int64),
        clip_id=np.array(["a_01"]),
        clip_subject=np.array(["a"]),
        clip_category=np.array(["walk"]),
        clip_split=np.array(["val"]),
        clip_leg=np.array([0.8], np.float32),
        fps=30.0,
    )


def test_people_stand_on_the_floor_of_their_camera_and_jumps_remain(motion):
    view = sample_view(default_rng(0))
    walk = sample_walk(motion, BODY, view, child=False, rng=default_rng(1))
    assert walk.touching.tolist() == [True] * 4 + [False]
    ankles = view.ground.elevation(walk.joints[:, [SMPL.index("left_ankle"), SMPL.index("right_ankle")]])
    assert (ankles[:4] > 0.03).all()
    assert (ankles[:4] < 0.12).all()
    assert (ankles[4] > 0.25).all()
    assert view.ground.height_m == pytest.approx(view.eye[1])
    assert_allclose(view.ground.elevation(view.to_optical(np.array([[1.0, 0, 5], [-2, 0, 3]]))), 0, atol=1e-9)


def test_keypoints_are_where_the_joints_are_seen_or_missing(motion):
    for seed in range(4):
        view = sample_view(default_rng(seed))
        walk = sample_walk(motion, BODY, view, child=True, rng=default_rng(seed))
        seen, kp2d = walk.detections.kp2d_score[0] > 0, walk.detections.kp2d[0]
        knee, joint = JOINT_SETS[JOINT_SET].index("left_knee"), walk.joints[0, SMPL.index("left_knee")]
        pixel = joint[:2] / joint[2] * view.camera.K[0, 0] + view.camera.K[:2, 2]
        if seen[knee]:
            assert np.linalg.norm(kp2d[knee] - pixel) < 0.1 * view.camera.K[0, 0] / joint[2]
        assert (seen.sum() == 0) or seen[knee] or not ((pixel > 30) & (pixel < [1250, 690])).all()


def test_children_are_smaller(motion):
    view = sample_view(default_rng(0))
    child, adult = (sample_walk(motion, BODY, view, kind, default_rng(3)).stature_m for kind in (True, False))
    assert child < 1.6 < adult < 2.2


def test_a_motion_without_a_long_clip_is_refused(motion, monkeypatch):
    monkeypatch.setattr(scenes, "SECONDS", 3.0)
    with pytest.raises(ValueError, match=r"expected a clip of 3 s, the longest has 0\.5 s"):
        sample_walk(motion, BODY, sample_view(default_rng(0)), False, default_rng(0))


@pytest.mark.parametrize("name", GROUNDS)
def test_grounds_are_as_wrong_as_their_names_say(name):
    truth = sample_view(default_rng(2)).ground
    ground = GROUNDS[name](truth, default_rng(0))
    if ground is None:
        assert name in ("none", trial.ESTIMATED)
        return
    tilt = np.rad2deg(np.arccos(np.clip(ground.up @ truth.up, -1, 1)))
    assert tilt == pytest.approx(5 if "5 deg" in name or "same" in name else 0.3 if "0.3" in name else 0, abs=1e-4)
    assert truth.height_m - ground.height_m == pytest.approx(0.1 if "10 cm" in name else 0)


class Ahead:
    """Everybody is a standing adult 4 m ahead, without covariances."""

    def estimate(self, image, detections, camera):
        people = len(detections)
        return dataclasses.replace(
            Estimates.unknown(people),
            global_orient=np.tile([np.pi, 0, 0], (people, 1)),
            body_pose=np.zeros((people, 23, 3)),
            betas=np.zeros((people, 10)),
            cam_t=np.tile([0.0, 0, 4], (people, 1)),
            valid=np.ones(people, np.bool_),
        )


def test_a_trial_places_the_same_people_on_every_ground(motion, monkeypatch):
    monkeypatch.setattr(trial, "GROUNDS", {name: GROUNDS[name] for name in ("none", "true")})
    (found,) = Trial(Ahead(), BODY)(motion, cameras=1, seed=3)
    none, true = found["none"], found["true"]
    assert len(none) == len(true) == 5 * PEOPLE
    assert not none.grounded.any()
    assert_allclose(none.distance, 4 / (4 / (1 + none.distance)) - 1)
    assert (true.child == none.child).all()
    assert np.isnan(none.mahalanobis).all()
    assert np.isfinite(true.mahalanobis).all()


def outcomes(**columns):
    count = 10
    plain = {
        "distance": np.linspace(-0.05, 0.05, count),
        "stature": np.full(count, 0.02),
        "lowest_m": np.full(count, 0.01),
        "mahalanobis": np.full(count, 0.5),
        "touching": np.ones(count, np.bool_),
        "feet": np.ones(count, np.bool_),
        "grounded": np.ones(count, np.bool_),
        "camera_m": np.full(count, 1.2),
        "time_s": np.linspace(0, 2.7, count),
        "person": np.arange(count),
        "child": np.zeros(count, np.bool_),
        "category": np.array(["walk"] * count),
    }
    return Outcomes(**plain | columns)


@pytest.mark.parametrize(
    ("columns", "group"),
    [
        ({}, "adults"),
        ({"child": np.ones(10, np.bool_)}, "children"),
        ({"camera_m": np.full(10, 0.7)}, "camera below 0.8 m"),
        ({"feet": np.zeros(10, np.bool_)}, "feet out of view"),
        ({"category": np.array([report.AIRBORNE] * 10)}, "acrobats"),
    ],
)
def test_every_person_is_in_one_group(columns, group):
    (row,) = report.rows({"true": outcomes(**columns)}, None)
    assert (row.ground, row.group, row.people, row.images) == ("true", group, 10, 10)


def test_a_row_counts_what_its_columns_say():
    (row,) = report.rows({"true": outcomes(lowest_m=np.array([-0.04] + [0.02] * 9))}, None)
    assert row.distance == (2.8, 5.0)
    assert row.stature == (2.0, 2.0)
    assert (row.floor_cm, row.under, row.grounded, row.coverage) == (2.0, 10.0, 100.0, ())
    assert report.table([row]).splitlines()[1].split()[:4] == ["true", "adults", "10", "10"]
