# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.sequences import SequenceMix, Sequences, SequenceSampler
from hmr_ros.training.synthetic.stretches import sample_stretches
from hmr_ros.training.synthetic.visibility import OcclusionMix

BODY = load_body_model(models_dir() / "open_body.npz")
NOTHING_HIDDEN = OcclusionMix(half_plane=0, rectangle=0, limb=0, single_joints=0)


def waving(frames=90):
    """A person who swings one arm and walks to the side."""
    pose, trans = np.zeros((frames, 24, 3), np.float32), np.zeros((frames, 3), np.float32)
    pose[:, 16, 2] = np.sin(0.1 * np.arange(frames))
    trans[:, 0], trans[:, 1] = 0.01 * np.arange(frames), 0.9
    names = {"clip_id": ["a_01"], "clip_subject": ["a"], "clip_category": ["walk"], "clip_split": ["train"]}
    columns = {name: np.array(values) for name, values in names.items()}
    return Motion(pose, trans, np.zeros(frames, np.int64), **columns, clip_leg=np.array([np.nan], np.float32), fps=30.0)


def sampled(count=6, seed=0, **settings) -> Sequences:
    mix = {"images": 8, "rates": (4.0, 4.0), "jitter": 0.0, "gaps": 0.0, "turning": 0.0, "occlusion": NOTHING_HIDDEN}
    sampler = SequenceSampler(waving(), BODY, "coco_feet", SequenceMix(**mix | settings), KeypointMix(clean=1.0))
    return sampler.sample(np.random.default_rng(seed), count)


def test_forecasts_are_what_later_images_show():
    found = sampled(rates=(4.0, 4.0))
    both = found.known[:, :-1, 1]
    assert both.any()
    np.testing.assert_allclose(found.future[:, :-1, 0][both], found.joints[:, 1:][both], atol=1e-5)
    assert np.abs(np.diff(found.joints, axis=1)).max() > 0.05, "the arm moves"


def test_forecasts_do_not_turn_with_the_camera():
    found = sampled(turning=1.0, turn_rate=3.0, count=12)
    assert np.abs(np.diff(found.optical_from_world, axis=1)).max() > 0.02
    world = found.joints @ found.optical_from_world
    ahead = found.future[:, :, 0] @ found.optical_from_world
    both = found.known[:, :-1, 1]
    np.testing.assert_allclose(ahead[:, :-1][both], world[:, 1:][both], atol=1e-5)


def test_exact_keypoints_are_projections_of_the_body():
    found = sampled()
    pose = rotmat_to_rotvec(found.rotations[0, 0])[None]
    body = BODY.posed(pose[:, 0], pose[:, 1:], found.betas[:1], found.pelvis[0, :1])
    points = (BODY.regressor("coco_feet") @ body.vertices)[0]
    seen = found.score[0, 0] > 0
    assert seen.any()
    np.testing.assert_allclose(found.normalized[0, 0][seen], (points[:, :2] / points[:, 2:])[seen], atol=1e-4)


def test_images_can_be_lost_and_stamps_trembling():
    found = sampled(count=40, gaps=1.0, lost=0.8, jitter=0.5)
    lost = ((found.score == 0).all(-1) & found.known[..., 0]).mean()
    assert 0.2 < lost < 0.6
    assert np.diff(found.stamps, axis=1).min() >= 0.75 / 4
    assert np.diff(found.stamps, axis=1).std() > 0.01


def test_no_keypoint_is_seen_after_the_motion_has_ended():
    found = sampled(rates=(1.0, 1.0))
    assert not found.known[:, -1].any()
    assert not found.score[~found.known[..., 0]].any()


def test_occluders_come_and_go():
    hidden = OcclusionMix(half_plane=1, rectangle=0, limb=0, single_joints=0)
    found = sampled(count=20, rates=(30.0, 30.0), images=60, occlusion=hidden)
    seen = (found.score > 0).sum(-1)
    assert (np.ptp(seen, axis=1) >= 5).any()
    assert (np.diff(seen, axis=1) != 0).mean() < 0.3, "not in every image"


def test_frames_of_the_motion_come_back_at_its_own_rate():
    motion, rest = waving(), BODY.rest_joints(np.zeros((4, 10)))
    path = sample_stretches(motion, rest, 10, (30.0, 30.0), 0.0, (0.5,), np.random.default_rng(0))
    arm = np.abs(rotmat_to_rotvec(path.now(10).rotations[:, :, 16])[..., 2])
    between = np.abs(np.sin(0.1 * np.arange(90)))
    for row in arm:
        assert np.abs(between[:, None] - row[0]).min() < 0.06
    np.testing.assert_allclose(np.diff(path.stamps, axis=1), 1 / 30, atol=1e-12)
    assert path.later(10).rotations.shape == (4, 10, 1, 24, 3, 3)


def test_legs_of_another_length_walk_as_far_as_they_reach():
    motion = waving()
    motion.clip_leg[:] = 0.5
    rest = BODY.rest_joints(np.zeros((1, 10)))
    leg = np.linalg.norm(np.diff(rest[0, [1, 4, 7]], axis=0), axis=-1).sum()
    path = sample_stretches(motion, rest, 10, (30.0, 30.0), 0.0, (0.5,), np.random.default_rng(0))
    walked = np.linalg.norm(path.pelvis[0, 9] - path.pelvis[0, 0])
    np.testing.assert_allclose(walked, 0.09 * leg / 0.5, rtol=1e-5)
    np.testing.assert_allclose(path.pelvis[0, :, 1], 0.9 * leg / 0.5, rtol=1e-5)


def test_rotations_stay_rotations_between_frames():
    path = sample_stretches(
        waving(), BODY.rest_joints(np.zeros((3, 10))), 10, (47.0, 47.0), 0.1, (0.5,), np.random.default_rng(0)
    )
    again = rotvec_to_rotmat(rotmat_to_rotvec(path.rotations))
    np.testing.assert_allclose(path.rotations, again, atol=1e-6)
