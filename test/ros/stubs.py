# SPDX-License-Identifier: Apache-2.0
"""A pipeline without networks, for tests of everything around it."""

import dataclasses
import functools

import numpy as np

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.finger_skin import FingerSkin
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.fitting.hand_pose import finger_rotations
from hmr_ros.core.forecasts import Forecasts
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import UNTRACKED, Detections, Estimates
from hmr_ros.core.temporal.forecasting import JointChanges, Walks
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.tracker import Tracker, TrackerOptions

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
HAND = load_hand_model(models_dir() / "open_hand.npz")
JOINTS = 17


class StubDetector(Detector):
    """Detects ``people`` people, standing side by side."""

    def __init__(self, people=1):
        self.people = people
        self.images = []
        self.located = []

    def detect(self, image, shed=Shed.NOTHING):
        self.images.append(image)
        left = 200.0 * np.arange(self.people)
        boxes = np.stack([left, np.full_like(left, 50), left + 100, np.full_like(left, 350)], 1)
        grid = np.stack(np.meshgrid(np.linspace(0, 100, JOINTS), [200.0]), -1).reshape(1, JOINTS, 2)
        return Detections(
            boxes=boxes,
            scores=np.full(self.people, 0.9),
            kp2d=grid + np.stack([left, np.zeros_like(left)], 1)[:, None],
            kp2d_score=np.full((self.people, JOINTS), 0.8),
            joint_set="coco17",
            ids=np.full(self.people, UNTRACKED, np.int64),
        )

    def locate(self, image, given):
        """Keypoints in the given boxes; ``people`` people where none are given."""
        self.located.append(None if given is None else len(given))
        if given is None:
            return self.detect(image)
        steps = np.linspace(0.1, 0.9, JOINTS)[:, None]
        kp2d = given.boxes[:, None, :2] + steps * (given.boxes[:, 2:] - given.boxes[:, :2])[:, None]
        return dataclasses.replace(given, kp2d=kp2d, kp2d_score=np.full((len(given), JOINTS), 0.8), joint_set="coco17")


class StubEstimator(BodyEstimator):
    """Puts an upright body 3 m ahead for each person, that another method disagrees on by ``disagreement`` m."""

    method = "stub"
    calibration = None
    disagreement = np.nan

    def estimate(self, image, detections, camera, shed=Shed.NOTHING):
        people = len(detections)
        upright = np.tile([np.pi, 0, 0], (people, 1))
        return Estimates(
            global_orient=upright,
            body_pose=np.zeros((people, 23, 3)),
            betas=np.zeros((people, 10)),
            cam_t=np.stack([np.arange(people) - 1.0, np.zeros(people), np.full(people, 3.0)], 1),
            joint_error=np.full((people, 24), 0.02),
            disagreement=np.full((people, 24), self.disagreement),
            joint_covariance=np.tile(np.diag([1e-3, 1e-3, 4e-3]), (people, 24, 1, 1)),
            root_covariance=np.tile(np.diag([1e-3, 1e-3, 9e-2]), (people, 1, 1)),
            valid=np.ones(people, np.bool_),
        )


class NoSmoother:
    joint_set = None

    def calibration(self, of_estimator):
        return of_estimator

    def __call__(self, ids, estimates, stamp_s, measured=None, pose=None, faces=None, keypoints=None):
        return estimates

    def sizes(self):
        return {}

    def doubted(self, ids, estimates, growth, covered, stamp_s, pose=None):
        return np.zeros(len(ids))

    def coasted(self, ids, stamp_s, ground=None):
        return Estimates.unknown(len(ids))

    def walks(self, ids):
        return Walks(np.zeros((len(ids), 3)), np.zeros(len(ids)))

    def changes(self, ids):
        return JointChanges.unknown(len(ids))

    def root_depths(self):
        return {}

    def forget(self, ids):
        pass

    def reset(self):
        pass


def stub_pipeline(detector, estimator, engines=()):
    tracker = Tracker(TrackerOptions(hits_to_confirm=1))
    return Pipeline(detector, tracker, estimator, NoSmoother(), BODY_MODEL, engines)


def with_hands(bodies, *known, seed=0):
    """``bodies`` with fingers that bend, of the hands ``known``: (row, side)."""
    rng, still = np.random.default_rng(seed), BodyHands.at_rest(len(bodies))
    weights = np.zeros((len(bodies), 2))
    for row, side in known:
        weights[row, side] = 1
    angles = np.clip(rng.uniform(0.1, 0.6, still.angles.shape), *np.moveaxis(HAND.fingers.limits[:, :2], -1, 0))
    angles = angles * weights[..., None, None]
    axes = np.stack([hand.fingers.axes for hand in (HAND.mirrored(), HAND)])
    hands = dataclasses.replace(
        still,
        presence=np.where(weights, rng.uniform(0.6, 1, weights.shape), 0),
        weights=weights,
        angles=angles,
        pose=rotmat_to_rotvec(finger_rotations(angles, axes)),
        joint_error=np.where(weights[..., None], 0.02, np.nan) * np.ones(21),
    )
    return finger_skin().posed(bodies, hands)


@functools.cache
def finger_skin():
    return FingerSkin(BODY_MODEL, HAND)


def some_bodies(people, ids=None):
    """Bodies as the pipeline returns them."""
    detections = StubDetector(people).detect(np.zeros((10, 10, 3), np.uint8))
    ids = np.arange(people) if ids is None else np.array(ids, np.int64)
    detections = dataclasses.replace(detections, ids=ids)
    return pose_bodies(detections, StubEstimator().estimate(None, detections, None), BODY_MODEL)


def with_forecasts(bodies, ahead_s=(0.25, 1.0)):
    """``bodies`` who are expected to walk to the right at 1 m/s, with covariances that grow."""
    way = np.array(ahead_s)[:, None] * [1.0, 0, 0]
    growth = (1 + np.array(ahead_s))[:, None, None]
    ahead = Forecasts(
        cam_t=bodies.cam_t[:, None] + way,
        joints=bodies.joints[:, None] + way[:, None],
        joint_covariance=bodies.joint_covariance[:, None] * growth[:, None],
        root_covariance=bodies.root_covariance[:, None] * growth,
        ahead_s=ahead_s,
    )
    return dataclasses.replace(bodies, forecasts=ahead)
