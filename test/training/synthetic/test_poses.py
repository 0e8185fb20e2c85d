# SPDX-License-Identifier: Apache-2.0
"""Sampled poses: each kind is what it is called, and variation is asked for, not given."""

import numpy as np
import pytest

from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic import poses as module
from hmr_ros.training.synthetic.pose_distance import sparseness
from hmr_ros.training.synthetic.poses import PoseKind, PoseMix, Poses, PoseSource, frame_weights, is_low, real_poses
from hmr_ros.training.synthetic.postures import Posture, posture_of
from test.training.datasets.test_motion import small_motion
from test.training.published import assert_published, assert_ranges
from test.training.synthetic.draws import Draws

COUNT = 600
PLAIN = dict.fromkeys(
    (
        "low",
        "density",
        "by_posture",
        "kneeling",
        "sitting",
        "lying",
        "crouching",
        "reaching",
        "recombined",
        "perturbed",
        "perturbation_rad",
    ),
    0.0,
)
KNEES = [SMPL.index("left_knee"), SMPL.index("right_knee")]


class Recording:
    """What PoseSource reads of a motion file: three frames, the last one drawn most often."""

    pose = np.zeros((3, 24, 3), np.float32)
    clip = np.array([0, 0, 1])
    weights = np.array([0.1, 0.1, 0.8])


Recording.pose[:, SMPL.index("left_shoulder"), 2] = (0.1, 0.2, 0.3)
Recording.pose[:, SMPL.index("spine1"), 0] = (0.11, 0.21, 0.31)


def drawn(**mix: float) -> Poses:
    return PoseSource(Recording(), PoseMix(**PLAIN | mix)).sample(np.random.default_rng(0), COUNT)  # type: ignore[arg-type]


def up(poses: Poses) -> np.ndarray:
    """(B, 3) where the body's own y points."""
    return rotvec_to_rotmat(poses.rotvecs[:, 0].astype(float))[:, :, 1]


def test_frames_are_drawn_by_weight_with_their_clip_and_mirrored_half_of_the_time():
    poses = drawn()
    assert (poses.kind == PoseKind.MOTION).all()
    assert (poses.clip == 1).mean() == pytest.approx(0.8, abs=0.05)
    left, right = (np.abs(poses.rotvecs[:, SMPL.index(f"{side}_shoulder"), 2]) for side in ("left", "right"))
    assert ((left > 0) ^ (right > 0)).all()
    assert (left > 0).mean() == pytest.approx(0.5, abs=0.06)
    assert set(np.round(np.maximum(left, right), 2)[poses.clip == 1]) == {np.float32(0.3)}


def test_people_face_every_way_and_stand_upright():
    poses = drawn()
    forward = rotvec_to_rotmat(poses.rotvecs[:, 0].astype(float))[:, :, 2]
    heading = np.arctan2(forward[:, 0], forward[:, 2])
    assert np.histogram(heading, 8, (-np.pi, np.pi))[0].min() > 0.06 * COUNT
    np.testing.assert_allclose(up(poses), np.tile([0, 1.0, 0], (COUNT, 1)), atol=1e-5)


def test_kinds_are_drawn_by_their_fractions():
    kinds = drawn(sitting=0.3, lying=0.2, crouching=0.1).kind
    for kind, fraction in {PoseKind.SITTING: 0.3, PoseKind.LYING: 0.2, PoseKind.CROUCHING: 0.1}.items():
        assert (kinds == kind).mean() == pytest.approx(fraction, abs=0.05)


def test_who_lies_is_tipped_over_in_both_directions():
    poses = drawn(lying=1.0)
    assert (np.abs(up(poses)[:, 1]) < np.sin(np.deg2rad(21))).all()
    assert (np.abs(poses.rotvecs[:, KNEES]) == 0).all()


@pytest.mark.parametrize(("kind", "knee"), [("sitting", 75), ("crouching", 112)])
def test_who_sits_or_crouches_bends_hips_and_knees_forward(kind: str, knee: float):
    rotvecs = np.rad2deg(drawn(**{kind: 1.0}).rotvecs)
    assert rotvecs[:, KNEES, 0].mean() == pytest.approx(knee, abs=6)
    assert rotvecs[:, KNEES, 0].min() >= 0
    hips = rotvecs[:, [SMPL.index("left_hip"), SMPL.index("right_hip")]]
    assert (hips[..., 0] < -15).mean() > 0.98, "thighs forward"
    assert hips[:, 0, 2].mean() > 2, "the left knee outward"
    assert hips[:, 1, 2].mean() < -2, "the right one, too"
    assert np.abs(hips[:, 0, 0] - hips[:, 1, 0]).mean() < 25, "both sides alike"


def test_who_crouches_leans_forward():
    assert (up(drawn(crouching=1.0))[:, 1] > 0.6).all()
    assert up(drawn(crouching=1.0))[:, 1].mean() < 0.97


def test_arms_that_reach_point_mostly_forward_and_every_way():
    poses = drawn(reaching=1.0)
    for side, rest in (("left", (1.0, 0, 0)), ("right", (-1.0, 0, 0))):
        rotation = rotvec_to_rotmat(poses.rotvecs[:, SMPL.index(f"{side}_shoulder")].astype(float))
        arm = (rotation @ np.array(rest))[np.abs(poses.rotvecs[:, SMPL.index(f"{side}_elbow"), 1]) > 0]
        assert 0.5 * COUNT < len(arm) < 0.8 * COUNT
        assert arm[:, 2].mean() > 0.3, "forward"
        assert rest[0] * arm[:, 0].mean() > 0.1, "to its own side"
        assert (arm.std(0) > 0.3).all()
    elbows = poses.rotvecs[:, [SMPL.index("left_elbow"), SMPL.index("right_elbow")], 1]
    assert (elbows[:, 0] <= 0).all()
    assert (elbows[:, 1] >= 0).all(), "elbows bend the way they can"


def test_who_kneels_is_on_one_knee_or_both_or_sits_on_the_heels():
    poses = drawn(kneeling=1.0)
    assert (poses.kind == PoseKind.MOTION).all()
    kinds = posture_of(poses.rotvecs)
    hips = -np.rad2deg(poses.rotvecs[:, [SMPL.index("left_hip"), SMPL.index("right_hip")], 0])
    on_heels = (np.rad2deg(poses.rotvecs[:, KNEES, 0]).min(1) > 115) & (hips.min(1) > 50)
    assert on_heels.mean() == pytest.approx(1 / 6, abs=0.04)
    assert (kinds[~on_heels] == Posture.KNEELING).mean() > 0.9
    stepping = (hips.max(1) > 65) & (hips.min(1) < 55)
    assert stepping.mean() == pytest.approx(1 / 3, abs=0.06)
    assert (hips[stepping].argmax(1) == 0).mean() == pytest.approx(0.5, abs=0.1), "either leg"
    half = posture_of(drawn(kneeling=0.5).rotvecs)
    assert (half == Posture.KNEELING).mean() == pytest.approx(0.4, abs=0.06)


def test_sampled_kinds_do_not_kneel_as_well():
    poses = drawn(sitting=0.5, kneeling=1.0)
    sitting = poses.kind == PoseKind.SITTING
    assert (posture_of(poses.rotvecs)[sitting] != Posture.KNEELING).mean() > 0.95


def test_frames_are_weighed_by_posture_and_by_how_rare_they_are():
    motion = small_motion(400)
    motion.pose[:] *= 0.1
    motion.pose[-40:, KNEES, 0] = np.deg2rad(90)  # of one clip or another; on both knees
    rare = np.arange(400) >= 360
    weights = {
        name: frame_weights(motion, PoseMix(**PLAIN | mix))  # type: ignore[arg-type]
        for name, mix in {"plain": {}, "even": {"by_posture": 1.0}, "half": {"by_posture": 0.5}}.items()
    }
    np.testing.assert_array_equal(weights["plain"], motion.weights)
    assert weights["even"][rare].sum() == pytest.approx(0.5)
    np.testing.assert_allclose(weights["half"], (weights["plain"] + weights["even"]) / 2)
    dense = frame_weights(motion, PoseMix(**PLAIN | {"density": 2.0}))  # type: ignore[arg-type]
    assert dense.sum() == pytest.approx(1)
    np.testing.assert_allclose(dense / dense.max(), (sparseness(motion.pose) / sparseness(motion.pose).max()) ** 2)


def test_limbs_are_exchanged_whole_and_the_root_stays():
    plain, mixed = drawn(), drawn(recombined=1.0)
    spine = mixed.rotvecs[:, SMPL.index("spine1"), 0]
    assert not np.array_equal(plain.rotvecs, mixed.rotvecs)
    arm = np.maximum(*(np.abs(mixed.rotvecs[:, SMPL.index(f"{s}_shoulder"), 2]) for s in ("left", "right")))
    assert (np.abs(arm + 0.01 - np.abs(spine)) > 0.05).any(), "arms and trunks of different frames"
    assert set(module._swapped_joints(1.0, np.random.default_rng(0), 50)[:, 0]) == {False}


def test_perturbation_turns_all_joints_by_little():
    still, moved = drawn(), drawn(perturbed=1.0, perturbation_rad=0.2)
    off = moved.rotvecs[:, 1:] - np.where(np.abs(still.rotvecs[:, 1:]) > 0, np.nan, 0)
    assert 0.02 < np.nanstd(off) < 0.2
    assert np.nanmax(np.abs(off)) < 5 * 0.2
    half = drawn(perturbed=0.5, perturbation_rad=0.2)
    moved_people = (np.abs(half.rotvecs[:, KNEES]) > 0).any((1, 2)).mean()
    assert moved_people == pytest.approx(0.5, abs=0.08)


def test_real_poses_are_as_recorded_but_keep_their_kinds():
    mix = real_poses(PoseMix(sitting=0.2))
    assert (mix.sitting, mix.reaching, mix.recombined, mix.perturbed) == (0.2, 0, 0, 0)
    chosen = real_poses(PoseMix(low=0.3, density=2.0, by_posture=0.3, kneeling=0.1))
    assert (chosen.low, chosen.density, chosen.by_posture, chosen.kneeling) == (0, 0, 0, 0)


def one(coins: tuple[float, ...] = (), **mix: float) -> np.ndarray:
    """(24, 3) degrees, of a pose whose every draw lies a quarter up its range; the root without its heading."""
    source = PoseSource(Recording(), PoseMix(**PLAIN | mix))  # type: ignore[arg-type]
    return np.rad2deg(source.sample(Draws(0.25, coins), 1).rotvecs[0])


SITTING = {"hip": -(71.25 - 12), "twist": -10 - 12, "abduction": 3.75 - 12, "knee": 57.5 - 12, "ankle": -7.5 - 12}
CROUCHING = {"hip": -(93.75 - 15), "twist": -5 - 15, "abduction": 10 - 15, "knee": 96.25 - 15, "ankle": 3.75 - 15}


@pytest.mark.parametrize(("kind", "leg"), [("sitting", SITTING), ("crouching", CROUCHING)])
def test_bent_legs_lie_within_the_ranges_of_joints(kind: str, leg: dict[str, float]):
    """A quarter up the joints' ranges, and both legs one deviation of their asymmetry below that."""
    pose = one(**{kind: 1.0})
    for side, outward in (("left", 1), ("right", -1)):
        hip, knee, ankle = (pose[SMPL.index(f"{side}_{joint}")] for joint in ("hip", "knee", "ankle"))
        np.testing.assert_allclose(hip, (leg["hip"], outward * leg["twist"], outward * leg["abduction"]), rtol=1e-4)
        np.testing.assert_allclose(knee, (leg["knee"], *np.rad2deg([-0.05, -0.05])), rtol=1e-4)
        np.testing.assert_allclose(ankle, (leg["ankle"], *np.rad2deg([-0.1, -0.1])), rtol=1e-4)


@pytest.mark.parametrize(("kind", "lean"), [("sitting", -6.25), ("crouching", 11.25)])
def test_who_bends_legs_leans_and_tilts_a_little(kind: str, lean: float):
    root = rotvec_to_rotmat(np.deg2rad(one(**{kind: 1.0})[0]))
    own = rotvec_to_rotmat(np.deg2rad([lean, 0, -6]))  # before it is turned by a quarter of a circle: -180 + 90
    np.testing.assert_allclose(root, rotvec_to_rotmat(np.array([0, -np.pi / 2, 0])) @ own, atol=1e-6)


@pytest.mark.parametrize(("fraction", "tipped"), [(0.25, 77.5), (0.75, -92.5)])
def test_who_lies_is_tipped_by_about_a_right_angle_forward_or_back(fraction: float, tipped: float):
    source = PoseSource(Recording(), PoseMix(**PLAIN | {"lying": 1.0}))  # type: ignore[arg-type]
    root = rotvec_to_rotmat(source.sample(Draws(fraction), 1).rotvecs[0, 0].astype(float))
    turn = np.deg2rad(360 * (fraction - 0.5))
    roll, tip = (rotvec_to_rotmat(np.array(v)) for v in ([0, turn, 0], [np.deg2rad(tipped), 0, 0]))
    np.testing.assert_allclose(root, roll @ tip @ roll, atol=1e-6)


def test_nobody_bends_who_is_not_chosen():
    pose, before = np.ones((2, 24, 3), np.float32), np.ones((2, 24, 3), np.float32)
    nobody = np.zeros(2, np.bool_)
    module._bend_legs(pose, nobody, module._SITTING, NoDraws())
    module._reach(pose, nobody, NoDraws())
    np.testing.assert_array_equal(pose, before)


class NoDraws:
    """A generator that nobody may ask: numbers drawn for nobody would change everybody else's."""


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_arm_that_reaches_points_in_front_beside_or_above(side: str):
    sign = 1 if side == "left" else -1
    pose = np.deg2rad(one(reaching=1.0))
    shoulder = rotvec_to_rotmat(pose[SMPL.index(f"{side}_shoulder")])
    target = np.array([sign * 0.6, 0.2, 0.9]) - 1  # a deviation below the mean of where they point
    np.testing.assert_allclose(shoulder @ [sign, 0, 0], target / np.linalg.norm(target), atol=1e-6)
    axis = np.cross([sign, 0, 0], target)
    swing = rotvec_to_rotmat(axis / np.linalg.norm(axis) * np.arctan2(np.linalg.norm(axis), sign * target[0]))
    twist = rotvec_to_rotmat(np.array([sign * -0.6, 0, 0]))  # a quarter from -1.2 to 1.2
    np.testing.assert_allclose(shoulder, swing @ twist, atol=1e-6)
    elbow = np.rad2deg(pose[SMPL.index(f"{side}_elbow")])
    np.testing.assert_allclose(elbow, (0, -sign * 27.5, 0), atol=1e-4)


@pytest.mark.parametrize(("perturbed", "moved"), [(0.25, 0.0), (0.26, 1.0)])
def test_joints_are_perturbed_by_a_fraction_of_the_largest_deviation(perturbed: float, moved: float):
    plain, pose = one(), one(perturbed=perturbed, perturbation_rad=0.2)
    np.testing.assert_allclose(pose[1:] - plain[1:], moved * np.rad2deg(-0.25 * 0.2), atol=1e-4)
    np.testing.assert_allclose(pose[0], plain[0])


def test_poses_are_mirrored_below_a_half_and_frames_drawn_up_to_the_last():
    left = SMPL.index("left_shoulder")
    source = PoseSource(Recording(), PoseMix(**PLAIN))  # type: ignore[arg-type]
    found = [source.sample(Draws(f), 1).rotvecs[0, left, 2] for f in (0.0, 0.1, 0.4, 0.5, 1.0)]
    np.testing.assert_allclose(found, [0, 0, 0, 0.3, 0.3], atol=1e-6)
    first, second = (source.sample(Draws(f), 1).rotvecs[0, SMPL.index("right_shoulder"), 2] for f in (0.0, 0.1))
    np.testing.assert_allclose((first, second), (-0.1, -0.2), atol=1e-6)


def test_two_limbs_in_five_come_from_another_frame():
    assert module._swapped_joints(1.0, Draws(0.39), 1)[0, 1:].all()
    assert not module._swapped_joints(1.0, Draws(0.4), 1).any()
    assert not module._swapped_joints(0.39, Draws(0.39), 1).any()


def test_limbs_are_those_of_one_side():
    arm = {"collar", "shoulder", "elbow", "wrist", "hand"}
    assert {joint for joint in SMPL.joints if module._limb(joint) == "left arm"} == {f"left_{part}" for part in arm}
    assert module._limb("pelvis") == ""
    assert len(module._LIMB_NAMES) == 5
    assert module._LIMB_OF_JOINT[SMPL.index("right_foot")] == module._LIMB_NAMES.index("right leg")


def test_published_errors_are_of_these_poses():
    kinds = {"sitting": 0.08, "lying": 0.05, "crouching": 0.04, "reaching": 0.06}
    assert_published(
        PoseMix,
        **kinds,
        low=0.0,
        density=0.0,
        by_posture=0.0,
        kneeling=0.0,
        recombined=0.7,
        perturbed=0.6,
        perturbation_rad=0.15,
    )
    assert_ranges(PoseMix, perturbation_rad=(0, 1))


class LowRecording(Recording):
    """The rare second frame crouches, with its toes bent."""

    pose = Recording.pose.copy()


LowRecording.pose[1, [*KNEES, SMPL.index("left_foot"), SMPL.index("right_foot"), 0], 0] = (1.2, 1.2, 0.2, 0.2, 0.3)


def test_low_postures_lend_their_legs_and_lean_to_other_upper_bodies():
    mix = PoseMix(**PLAIN | {"low": 0.5})  # type: ignore[arg-type]
    poses = PoseSource(LowRecording(), mix).sample(np.random.default_rng(0), COUNT)
    bent = poses.rotvecs[:, KNEES, 0] == np.float32(1.2)
    assert bent.all(1).mean() == pytest.approx(0.5 + 0.5 * 0.1, abs=0.06)
    assert (bent.any(1) == bent.all(1)).all(), "both legs come from one frame"
    whole = bent.all(1) & (poses.clip == 1)
    assert (poses.rotvecs[whole, SMPL.index("left_foot"), 0] == np.float32(0.2)).all()
    np.testing.assert_allclose(up(poses)[whole, 1], np.cos(0.3), atol=1e-5)
    assert np.abs(poses.rotvecs[whole, SMPL.index("spine1"), 0] - 0.31).max() < 1e-6, "the upper body stays"


def test_low_postures_need_a_frame_that_has_one():
    with pytest.raises(ValueError, match=r"poses\.low.*set it to 0"):
        drawn(low=0.5)


@pytest.mark.parametrize(("joint", "degrees"), [("knee", 55), ("hip", 60)])
def test_a_posture_is_low_from_an_angle_on(joint: str, degrees: float):
    pose = np.zeros((2, 24, 3))
    for side in ("left", "right"):
        pose[:, SMPL.index(f"{side}_{joint}"), 0] = np.radians((degrees - 1, degrees + 1)) * (
            1 if joint == "knee" else -1
        )
    assert is_low(pose).tolist() == [False, True]
