# SPDX-License-Identifier: Apache-2.0
"""The shipped fusion on known motion: whatever is retrained must calm poses, and neither bend nor delay them."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import SMPL
from hmr_ros.engines.opening import open_engine
from hmr_ros.perception.fusion import PoseFusion

MANIFEST = models_dir() / "fusion.json"
pytestmark = pytest.mark.skipif(not MANIFEST.is_file(), reason="needs the trained network")

BODY = load_body_model(models_dir() / "open_body.npz")
RATE_HZ, IMAGES = 30.0, 60
ELBOW = SMPL.index("left_elbow")


def person(pose) -> Estimates:
    """One person 4 m away who faces the camera, with the ``pose`` (24, 3)."""
    return dataclasses.replace(
        Estimates.unknown(1),
        global_orient=pose[None, 0] + [np.pi, 0, 0],
        body_pose=pose[None, 1:],
        betas=np.zeros((1, 10)),
        cam_t=np.array([[0.3, 0.1, 4.0]]),
        joint_error=np.full((1, 24), 0.08),
        valid=np.ones(1, np.bool_),
    )


def standing(images):
    """(T, 24, 3) arms down."""
    pose = np.zeros((images, 24, 3))
    pose[:, SMPL.index("left_shoulder"), 2], pose[:, SMPL.index("right_shoulder"), 2] = -1.2, 1.2
    return pose


def joints_of(estimates):
    return BODY.posed_joints(estimates.global_orient, estimates.body_pose, estimates.betas)[0]


@pytest.fixture(scope="module")
def engine():
    opened = open_engine(MANIFEST, threads=1)
    yield opened
    opened.close()


def fused(engine, poses):
    """(T, 24, 3) m: the joints of ``poses`` (T, 24, 3) rotvecs before and after the fusion."""
    fusion, ids = PoseFusion(engine, BODY), np.zeros(1, np.int64)
    people = [person(pose) for pose in poses]
    after = [fusion(ids, one, number / RATE_HZ) for number, one in enumerate(people)]
    return tuple(np.stack([joints_of(one) for one in row]) for row in (people, after))


def test_who_stands_still_stays_as_they_are(engine):
    before, after = fused(engine, standing(IMAGES))
    assert np.linalg.norm(after - before, axis=-1).mean() < 0.03
    assert np.linalg.norm(np.diff(after[30:], axis=0), axis=-1).max() < 1e-3


def test_trembling_poses_are_calmed(engine):
    poses = standing(IMAGES)
    poses = poses + 0.08 * np.random.default_rng(0).normal(size=poses.shape)
    before, after = (np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).mean() for joints in fused(engine, poses))
    assert after < 0.6 * before


def test_an_error_that_is_over_is_forgotten(engine):
    """The network reads its own answers: they must follow the images, not each other."""
    right, wrong = standing(2 * IMAGES), standing(2 * IMAGES)
    wrong[: IMAGES // 2, ELBOW, 1] = -1.2
    never, once = (fused(engine, poses)[1][:, SMPL.index("left_wrist")] for poses in (right, wrong))
    apart = np.linalg.norm(once - never, axis=-1)
    assert apart[IMAGES // 2 - 1] > 0.1
    assert apart[IMAGES:].max() < 0.02
    assert apart[-IMAGES // 2 :].max() < 1e-3


def test_an_arm_that_swings_is_not_late(engine):
    poses = standing(IMAGES)
    poses[:, ELBOW, 1] = -0.8 + 0.6 * np.sin(2 * np.pi * np.arange(IMAGES) / RATE_HZ)
    before, after = (joints[:, SMPL.index("left_wrist")] for joints in fused(engine, poses))
    centred = [wrist[30:] - wrist[30:].mean(0) for wrist in (before, after)]
    turn = np.exp(-2j * np.pi * np.arange(30) / RATE_HZ)[:, None]
    first, second = ((wrist * turn).sum(0) for wrist in centred)
    lag_s = np.angle((first * second.conj()).sum()) / (2 * np.pi)
    assert abs(lag_s) < 0.05
    assert np.abs(second).sum() > 0.8 * np.abs(first).sum()


def test_the_covariances_are_calibrated(engine):
    assert engine.manifest.uncertainty is not None
    assert engine.manifest.uncertainty.forecast is not None
