# SPDX-License-Identifier: Apache-2.0
"""A track as AMASS stores one: an .npz of SMPL-H parameters, z up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.skeleton import SMPL_HANDS
from hmr_ros.motion.track import Track
from hmr_ros.training.motion.amass import PELVIS_FROM_TRANS, SMPL_FROM_SMPLH

_SMPLH_JOINTS, _BETAS, _DMPLS = SMPL_HANDS.size, 16, 8
_FIRST_FINGER = SMPL_HANDS.index("left_index1")


def write_amass(path: Path, track: Track, body_model: BodyModel, *, is_open_body: bool) -> None:
    """Write ``track`` to ``path``: poses (T, 156), trans (T, 3) m, betas (16,), dmpls, gender, mocap_framerate.

    The betas of the open body are not SMPL's: ``betas`` are 0 then, and ``open_body_betas`` has them; ``trans`` belongs
    to SMPL's mean shape. Fingers that were seen bend as those of the open hand, from its own rest pose; others are
    straight but for SMPL's hand joints.
    """
    poses = np.zeros((len(track), _SMPLH_JOINTS, 3))
    poses[:, SMPL_FROM_SMPLH] = track.pose
    if track.has_fingers:
        poses[:, _FIRST_FINGER:] = track.fingers.reshape(len(track), -1, 3)
    betas = np.zeros(_BETAS)
    betas[:10] = 0 if is_open_body else track.betas
    pelvis = PELVIS_FROM_TRANS if is_open_body else body_model.rest_joints(track.betas[None])[0, 0]
    members = {
        "poses": poses.reshape(len(track), -1),
        "trans": track.pelvis - pelvis,
        "betas": betas,
        "dmpls": np.zeros((len(track), _DMPLS)),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(track.fps),
    }
    own = {"open_body_betas": track.betas} if is_open_body else {}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **members, **own)  # type: ignore[arg-type]
