# SPDX-License-Identifier: Apache-2.0
"""A track as joint angles of ROS4HRI's human (20 revolute joints): .csv, and the person's URDF to play them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float64s, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.geometry.rotation import rotmat_to_quat, rotvec_to_rotmat
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.ros4hri.body_frame import body_frame
from hmr_ros.core.ros4hri.joints import REVOLUTE_JOINTS, human_angles
from hmr_ros.core.ros4hri.urdf import joint_origins, urdf
from hmr_ros.motion.track import Track

JOINTS = tuple(joint.name for joint in REVOLUTE_JOINTS)
"""The 20 joints, in the order of the columns."""

ROOT = ("x", "y", "z", "qx", "qy", "qz", "qw")
"""Columns of the body frame (REP-155) in the world: m, quaternion."""


@dataclass(frozen=True, eq=False)
class JointMotion:
    """``angles`` (T, 20) rad of JOINTS, without jumps; of the body frame ``places`` (T, 3) m, ``quats`` (T, 4) xyzw.

    ``urdf`` is the person's: links as long as the limbs, names end in _NAME.
    """

    angles: Float64s
    places: Float64s
    quats: Float64s
    urdf: str


def joint_motion(track: Track, body_model: BodyModel) -> JointMotion:
    """The joint angles of ``track``."""
    betas = np.repeat(track.betas[None], len(track), 0)
    joints = body_model.posed_joints(track.pose[:, 0], track.pose[:, 1:], betas) + track.pelvis[:, None]
    rest = body_model.rest_joints(track.betas[None]).astype(np.float64)
    world = world_rotations(rotvec_to_rotmat(track.pose))
    places, orientations = body_frame(world[:, 0], joints)
    return JointMotion(
        angles=np.unwrap(_angles(world, joints.astype(np.float64), rest), axis=0),
        places=np.asarray(places, np.float64),
        quats=np.asarray(rotmat_to_quat(orientations), np.float64),
        urdf=urdf(track.name, joint_origins(rest)[0]),
    )


def write_joints(path: Path, track: Track, motion: JointMotion) -> None:
    """Write the .csv file ``path``: time s, the body frame in the world, angles rad; and ``.urdf`` beside it."""
    values = np.concatenate([motion.places, motion.quats, motion.angles], 1)
    write_table(path, (*ROOT, *JOINTS), track.times, values)
    _write(path.with_suffix(".urdf"), motion.urdf)


def write_table(path: Path, names: Sequence[str], times: Float64s, values: Float64s) -> None:
    """Write the .csv file ``path``: ``times`` (T,) s and ``values`` (T, N), called ``names``."""
    rows = np.concatenate([times[:, None], values], 1)
    lines = [",".join(("time", *names)), *(",".join(f"{value:.6f}" for value in row) for row in rows)]
    _write(path, "\n".join(lines) + "\n")


def _angles(world: Floats, joints: Floats, rest: Floats) -> Float64s:
    """(T, 20) rad, frame after frame, as each depends on the one before where a joint is singular."""
    last, found = None, []
    for rotations, positions in zip(world, joints, strict=True):
        last = human_angles(rotations[None], positions[None], rest, last)
        found.append(last[0])
    return np.array(found, np.float64)


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
