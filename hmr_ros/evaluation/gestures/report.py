# SPDX-License-Identifier: Apache-2.0
"""Detections and misses of gestures on made sequences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Detections, State
from hmr_ros.core.ros4hri.body_frame import ROS_FROM_SMPL
from hmr_ros.core.ros4hri.gestures import Gesture, GestureRecognizer
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.gestures.sequences import KINDS, Arms, arms_of, held, times

SEEDS = range(1000, 1040)
"""Of the sequences that are reported; thresholds were chosen on those of 0 to 23."""

_SLOW, _FAST = np.radians(8.0), np.radians(1.5)
"""Standard deviations of the errors of joint rotations: those that last for seconds, and those of single images."""
_SLOW_STEP = 0.97
_UPRIGHT = np.array([np.pi, 0.0, 0.0])
_AXES = {"left": np.array([1.0, 0, 0]), "right": np.array([-1.0, 0, 0])}


@dataclass(frozen=True)
class Counts:
    """Of ``sequences`` of one kind those in which ``right`` was recognised, and the numbers of ``others`` in them."""

    kind: str
    sequences: int
    right: int
    others: Counter[str]


def report(seeds: range = SEEDS) -> str:
    """The table of docs/hands.md, as Markdown."""
    body = load_body_model(models_dir() / "open_body.npz")
    rows = [counted(kind, seeds, body) for kind in KINDS]
    lines = ["| sequence | recognised | others besides |", "|---|---|---|"]
    for row in rows:
        others = ", ".join(f"{name} {n}" for name, n in sorted(row.others.items())) or "none"
        wanted = "" if KINDS[row.kind].gesture is None else f"{row.right} of {row.sequences}"
        lines.append(f"| {row.kind} | {wanted} | {others} |")
    return "\n".join(lines)


def counted(kind: str, seeds: range, body: BodyModel) -> Counts:
    """What is recognised in the sequences of ``kind``, one for each of ``seeds``."""
    wanted, right, others = KINDS[kind].gesture, 0, Counter[str]()
    for seed in seeds:
        found = recognised(kind, seed, body)
        right += wanted in found
        others.update(gesture.name.lower().replace("_", " ") for gesture in found - {wanted})
    return Counts(kind, len(seeds), right, others)


def recognised(kind: str, seed: int, body: BodyModel) -> set[Gesture]:
    """The gestures reported in a sequence, but for those while arms are on their way."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    stamps, recognizer = times(), GestureRecognizer()
    bodies = bodies_of(arms_of(kind, rng), body, rng)
    still = np.isin(held(stamps), (0, 1))
    found = [recognizer(bodies.take(slice(k, k + 1)), float(t)) for k, t in enumerate(stamps)]
    # A gesture goes on for a moment after it ended: what is on its way is no mistake.
    settled = [k for k in range(len(stamps)) if still[max(k - 6, 0) : k + 1].all()]
    return {gesture for k in settled for gesture in found[k].values()}


def bodies_of(arms: Arms, body: BodyModel, rng: np.random.Generator) -> Bodies:
    """A standing person of random shape and size with ``arms``, image by image: rows are images, all of one id."""
    images = len(arms.upper)
    pose = np.zeros((images, SMPL.size - 1, 3))
    for k, side in enumerate(("left", "right")):
        upper, fore = (directions[:, k] @ ROS_FROM_SMPL for directions in (arms.upper, arms.fore))
        shoulder = _towards(_AXES[side], upper)
        elbow = _towards(_AXES[side], np.einsum("tji,tj->ti", shoulder, fore))
        pose[:, SMPL.index(f"{side}_shoulder") - 1] = rotmat_to_rotvec(shoulder)
        pose[:, SMPL.index(f"{side}_elbow") - 1] = rotmat_to_rotvec(elbow)
    off = rotmat_to_rotvec(rotvec_to_rotmat(pose) @ rotvec_to_rotmat(_errors(pose.shape, rng)))
    betas = np.tile(np.concatenate([rng.normal(0, 0.42, 1), rng.normal(size=9)]), (images, 1))
    orient = np.tile(_UPRIGHT, (images, 1))
    joints = body.posed_joints(orient, off, betas) + [0, 0, 3.0]
    detections = Detections.of_boxes(np.tile([0.0, 0, 9, 9], (images, 1)), ids=np.ones(images, np.int64))
    return _standing(detections, orient, off, betas, joints)


def _standing(detections: Detections, orient: Floats, pose: Floats, betas: Floats, joints: Floats) -> Bodies:
    columns = vars(Bodies.without_geometry(detections, 0))
    known = {
        "states": np.full(len(pose), State.TRACKED, np.uint8),
        "global_orient": orient,
        "body_pose": pose,
        "betas": betas,
        "cam_t": joints[:, 0],
        "joints": joints,
        "valid": np.ones(len(pose), np.bool_),
    }
    return Bodies(**columns | known)


def _errors(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Rotation vectors of ``shape`` (T, J, 3): errors that last and errors of single images."""
    slow = np.zeros(shape)
    slow[0] = rng.normal(0, _SLOW, shape[1:])
    for k in range(1, shape[0]):
        slow[k] = _SLOW_STEP * slow[k - 1] + np.sqrt(1 - _SLOW_STEP**2) * rng.normal(0, _SLOW, shape[1:])
    return np.asarray(slow + rng.normal(0, _FAST, shape))


def _towards(axis: Floats, directions: Floats) -> Floats:
    """(T, 3, 3) smallest rotations of ``axis`` (3,) to unit ``directions`` (T, 3)."""
    cross = np.cross(np.broadcast_to(axis, directions.shape), directions)
    sine = np.linalg.norm(cross, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (directions @ axis)[:, None])
    return rotvec_to_rotmat(cross / np.maximum(sine, 1e-9) * angle)
