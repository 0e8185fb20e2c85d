# SPDX-License-Identifier: Apache-2.0
"""A person who moves: every joint, along a curve."""

import numpy as np

from hmr_ros.core.body.articulated_hands import pose_with_fingers, with_hands
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.motion.track import Y_UP, Track
from test.ros.stubs import BODY_MODEL

FPS = 30.0
BETAS = np.linspace(-1, 1, 10)


def track(frames=20, name="7"):
    """Walks 1 m/s forward and turns, with all joints in motion; the arms are out of the T-pose."""
    rng = np.random.default_rng(3)
    amplitude, phase = rng.uniform(-0.5, 0.5, (24, 3)), rng.uniform(0, 6, (24, 3))
    times = np.arange(frames) / FPS
    pose = amplitude * np.sin(3 * times[:, None, None] + phase)
    pose[:, 0] = [np.pi / 2, 0, 0]  # from SMPL's y up to the world's z up: it faces -y, to the right
    pose[:, 0, 1] += 0.3 * np.sin(times)
    pelvis = np.stack([times, 0.2 * np.sin(times), np.full(frames, 0.95)], -1)
    return Track(name, FPS, 0.0, pose, pelvis, BETAS, 0, np.zeros((frames, 2, 15, 3)))


def waving(frames=20):
    """The same walk, with fingers that open and close."""
    moving = track(frames)
    bend = 0.6 * (1 - np.cos(4 * moving.times))
    moving.fingers[:] = bend[:, None, None, None] * np.linspace(0.2, 1, 45).reshape(15, 3)
    return moving


def jumping(frames=20):
    """Arms swing through more than half a turn."""
    moving = track(frames)
    moving.pose[:, 16] = np.stack([np.zeros(frames), np.zeros(frames), np.linspace(0, 4.5, frames)], -1)
    moving.pose[:, 16] = rotmat_to_rotvec(rotvec_to_rotmat(moving.pose[:, 16]))  # as tracks have them
    return moving


def posed_with_fingers(moving):
    """Vertices and the 52 joints of the open body with hands, y up."""
    pose, pelvis = moving.rotated(Y_UP)
    fingers = pose_with_fingers(pose[:, 1:], moving.fingers[:, 0], moving.fingers[:, 1])
    model = with_hands(BODY_MODEL, load_hand_model(models_dir() / "open_hand.npz"))
    return model.posed(pose[:, 0], fingers, np.tile(BETAS, (len(moving), 1)), pelvis)
