# SPDX-License-Identifier: Apache-2.0
"""Constant offsets of made subjects: what calibration did is taken out, what people do stays."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.motion.straighten import MIN_FRAMES, STANDING_ANGLES, straighten, table, upright_frames

KNEES = [SMPL.index("left_knee"), SMPL.index("right_knee")]
HIPS = [SMPL.index("left_hip"), SMPL.index("right_hip")]
ANKLES = [SMPL.index("left_ankle"), SMPL.index("right_ankle")]
FRAMES = 200


def walking(rng: np.random.Generator, knee_deg: float, hip_deg: float = 5.0) -> np.ndarray:
    """(FRAMES, 24, 3) of a subject whose knees bend from ``knee_deg`` to 40 degrees more, straight half of the time."""
    pose = np.zeros((FRAMES, 24, 3), np.float32)
    swing = np.maximum(rng.uniform(-40, 40, (FRAMES, 2)), 0)
    pose[:, KNEES, 0] = np.deg2rad(knee_deg + swing)
    pose[:, HIPS, 0] = -np.deg2rad(hip_deg)
    return pose


def motion_of(*poses: np.ndarray) -> Motion:
    subjects = [f"s{k}" for k in range(len(poses))]
    return Motion(
        pose=np.concatenate(poses),
        trans=np.zeros((sum(map(len, poses)), 3), np.float32),
        clip=np.repeat(np.arange(len(poses)), [len(pose) for pose in poses]),
        clip_id=np.array(subjects),
        clip_subject=np.array(subjects),
        clip_category=np.array(["walk"] * len(poses)),
        clip_split=np.array(["train"] * len(poses)),
        clip_leg=np.full(len(poses), np.nan, np.float32),
        fps=30.0,
    )


def knees(motion: Motion, subject: str) -> np.ndarray:
    return np.rad2deg(motion.pose[motion.subject == subject][:, KNEES, 0])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_knees_that_never_straighten_lose_their_constant(rng):
    motion = motion_of(walking(rng, 5), walking(rng, 5 + 12))
    straight, offsets = straighten(motion)
    np.testing.assert_array_equal(knees(straight, "s0"), knees(motion, "s0"))
    np.testing.assert_allclose(knees(straight, "s1"), knees(motion, "s1") - 10, atol=0.1)  # 17 -> 7: anatomy's end
    removed = {o.angle.name: o.removed for o in offsets if o.subject == "s1" and o.removed}
    assert removed == pytest.approx({"left knee": 10, "right knee": 10}, abs=0.1)


def test_knees_that_bend_backwards_are_moved_too(rng):
    motion = motion_of(walking(rng, -6))
    np.testing.assert_allclose(knees(straighten(motion)[0], "s0"), knees(motion, "s0") + 9, atol=0.1)


def test_the_foot_stays_below_the_hip(rng):
    motion = motion_of(walking(rng, 17))
    change = np.rad2deg(straighten(motion)[0].pose[..., 0] - motion.pose[..., 0])
    np.testing.assert_allclose(change[:, HIPS], 5, atol=0.1)
    np.testing.assert_allclose(change[:, ANKLES], 5, atol=0.1)
    np.testing.assert_allclose(change[:, HIPS] + change[:, KNEES] + change[:, ANKLES], 0, atol=1e-4)


BEYOND = {  # joints, axis, their angle in degrees, and what is left of it
    "hips flexed": (HIPS, 0, -30, -20),
    "hips extended": (HIPS, 0, 25, 15),
    "toes down": (ANKLES, 0, 25, 15),
    "toes up": (ANKLES, 0, -25, -15),
    "left elbow bent": ([SMPL.index("left_elbow")], 1, -45, -35),
    "left elbow beyond straight": ([SMPL.index("left_elbow")], 1, 10, 0),
    "right elbow bent": ([SMPL.index("right_elbow")], 1, 45, 35),
    "looking down": ([SMPL.index("neck"), SMPL.index("head")], 0, 15, 12.5),
}


@pytest.mark.parametrize("posture", BEYOND)
def test_angles_that_standing_people_do_not_have_are_moved_to_anatomys_end(rng, posture):
    joints, axis, angle, expected = BEYOND[posture]
    pose = walking(rng, 5)
    pose[:, joints, axis] = np.deg2rad(angle)
    straight = straighten(motion_of(pose))[0].pose[:, joints, axis]
    np.testing.assert_allclose(np.rad2deg(straight), expected, atol=0.1)


def test_a_subject_who_crouches_stays_crouched(rng):
    motion = motion_of(walking(rng, 30, hip_deg=15))
    straight, offsets = straighten(motion)
    np.testing.assert_array_equal(straight.pose, motion.pose)
    assert not any(o.removed for o in offsets)


def test_frames_of_bent_legs_do_not_count_but_are_straightened(rng):
    sitting = walking(rng, 17)
    sitting[:, KNEES, 0] = np.deg2rad(90)
    sitting[:, HIPS, 0] = -np.deg2rad(80)
    both = np.concatenate([walking(rng, 17)] + 5 * [sitting])
    motion = motion_of(both)
    assert upright_frames(both).sum() < 0.2 * len(both)
    np.testing.assert_allclose(knees(straighten(motion)[0], "s0")[-1], 80, atol=0.1)


def test_few_upright_frames_are_not_judged(rng):
    motion = motion_of(walking(rng, 17)[: MIN_FRAMES - 1])
    straight, offsets = straighten(motion)
    assert offsets == []
    np.testing.assert_array_equal(straight.pose, motion.pose)


def test_a_lying_body_is_not_upright(rng):
    pose = walking(rng, 5)
    pose[:, 0, 0] = np.pi / 2
    assert not upright_frames(pose).any()


def test_twice_is_as_good_as_once(rng):
    once, _ = straighten(motion_of(walking(rng, 17), walking(rng, 12), walking(rng, -3)))
    twice, offsets = straighten(once)
    np.testing.assert_allclose(twice.pose, once.pose, atol=1e-3)
    assert max(abs(o.removed) for o in offsets) < 0.1


def test_other_fields_stay(rng):
    motion = motion_of(walking(rng, 17))
    straight, _ = straighten(motion)
    for field in dataclasses.fields(motion):
        if field.name != "pose":
            assert getattr(straight, field.name) is getattr(motion, field.name)


def test_the_table_has_a_row_per_angle(rng):
    _, offsets = straighten(motion_of(walking(rng, 17), walking(rng, 5)))
    rows = table(offsets).splitlines()
    assert [row.split("  ")[0] for row in rows[1:]] == [angle.name for angle in STANDING_ANGLES]
    assert "1 of   2" in rows[1]
    assert "10, 10" in rows[1]


@pytest.mark.parametrize(("hip", "lean", "upright"), [(44, 0, True), (46, 0, False), (0, 29, True), (0, 31, False)])
def test_upright_is_within_45_degrees_at_the_legs_and_30_at_the_trunk(hip, lean, upright):
    for joint in (*HIPS, *KNEES):
        pose = np.zeros((1, 24, 3), np.float32)
        pose[0, joint, 0], pose[0, 0, 0] = -np.deg2rad(hip), np.deg2rad(lean)
        assert upright_frames(pose)[0] == upright


@pytest.mark.parametrize(("frames", "judged"), [(MIN_FRAMES - 1, 0), (MIN_FRAMES, len(STANDING_ANGLES))])
def test_a_subject_is_judged_from_its_thirtieth_frame_on(rng, frames, judged):
    assert len(straighten(motion_of(walking(rng, 4)[:frames]))[1]) == judged


@pytest.mark.parametrize(
    ("standing", "removed"), [(3, 0), (7, 0), (2.5, -0.5), (8, 1), (22, 15), (22.1, 0), (-12.1, 0)]
)
def test_an_angle_is_moved_to_the_nearer_end_but_a_posture_stays(standing, removed):
    assert STANDING_ANGLES[0].offset(standing) == pytest.approx(removed)


def test_the_table_tells_how_many_were_moved_and_how_far(rng):
    _, offsets = straighten(motion_of(walking(rng, 17), walking(rng, 13), walking(rng, 5)))
    row = table(offsets).splitlines()[1]
    assert "3 to  7" in row
    assert "2 of   3" in row
    assert "8, 10" in row
    assert len(table(offsets[:3]).splitlines()) == 4, "angles of which nothing was found have no row"
