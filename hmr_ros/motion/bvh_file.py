# SPDX-License-Identifier: Apache-2.0
"""A track as a Biovision hierarchy (.bvh): centimetres, degrees, y up, Mixamo's joint names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float64s, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.skeleton import HAND, SMPL
from hmr_ros.motion.rig import Rig, rig_of
from hmr_ros.motion.track import Y_UP, Track

CM = 100.0
"""Units per metre: what most programs expect of the format, which has none."""

_TRUNK = {"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head"}
_LIMBS = {
    **{"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase"},
    **{"collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand", "hand": "HandMiddle1"},
}
NAMES = tuple(
    _TRUNK.get(joint) or f"{joint.partition('_')[0].capitalize()}{_LIMBS[joint.partition('_')[2]]}"
    for joint in SMPL.joints
)
"""(24,) Mixamo's name of each SMPL joint."""

_JOINT_NAMES = dict(zip(SMPL.joints, NAMES, strict=True)) | {
    f"{side}_{finger}": f"{side.capitalize()}Hand{finger.capitalize()}"
    for side in ("left", "right")
    for finger in HAND.joints[1:]
}
"""Likewise of each joint of a body with fingers."""

_ROTATIONS = "Zrotation Xrotation Yrotation"
_END = 0.5
"""Length of the last bone of a limb, which has no joint at its end, as a fraction of the one before."""
_LOCKED = 1e-6


def write_bvh(path: Path, track: Track, body_model: BodyModel) -> None:
    """Write ``track`` to ``path``; the rest pose is the T-pose of this person's shape, facing +z."""
    rig = rig_of(track, body_model, Y_UP)
    order = list(_depth_first(rig, 0))
    angles = np.stack([euler_zxy(rotvec_to_rotmat(rig.pose[:, joint])) for joint in order], 1)
    values = np.concatenate([rig.pelvis * CM, angles.reshape(len(track), -1)], 1)
    lines = ["HIERARCHY", *_joint(rig, 0, 0), "MOTION", f"Frames: {len(track)}", f"Frame Time: {1 / track.fps:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in frame) for frame in values]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def euler_zxy(rotations: Floats) -> Float64s:
    """(T, 3, 3) -> (T, 3) degrees z, x, y of Rz Rx Ry, without jumps from frame to frame."""
    x = np.arcsin(np.clip(rotations[:, 2, 1], -1, 1))
    is_locked = np.hypot(rotations[:, 0, 1], rotations[:, 1, 1]) < _LOCKED
    # Where x is a right angle, z and y turn about one axis: z takes all of it.
    z = np.where(
        is_locked,
        np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0]),
        np.arctan2(-rotations[:, 0, 1], rotations[:, 1, 1]),
    )
    y = np.where(is_locked, 0.0, np.arctan2(-rotations[:, 2, 0], rotations[:, 2, 2]))
    return np.asarray(np.rad2deg(np.stack([np.unwrap(z), x, np.unwrap(y)], -1)), np.float64)


def _depth_first(rig: Rig, joint: int) -> Iterator[int]:
    yield joint
    for child in rig.children(joint):
        yield from _depth_first(rig, child)


def _joint(rig: Rig, joint: int, depth: int) -> Iterator[str]:
    """The lines of ``joint`` and of those below it."""
    indent = "\t" * depth
    parent, children = int(rig.parents[joint]), rig.children(joint)
    offset = CM * (rig.rest[joint] - rig.rest[parent]) if parent >= 0 else np.zeros(3)
    channels = f"6 Xposition Yposition Zposition {_ROTATIONS}" if parent < 0 else f"3 {_ROTATIONS}"
    yield f"{indent}{'JOINT' if depth else 'ROOT'} {_JOINT_NAMES[rig.joints[joint]]}"
    yield f"{indent}{{"
    yield f"{indent}\tOFFSET {_numbers(offset)}"
    yield f"{indent}\tCHANNELS {channels}"
    for child in children:
        yield from _joint(rig, child, depth + 1)
    if not children:
        end = f"{indent}\t\tOFFSET {_numbers(_END * offset)}"
        yield from (f"{indent}\tEnd Site", f"{indent}\t{{", end, f"{indent}\t}}")
    yield f"{indent}}}"


def _numbers(offset: Float64s) -> str:
    return " ".join(f"{value:.6f}" for value in offset)
