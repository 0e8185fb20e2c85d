# SPDX-License-Identifier: Apache-2.0
"""AMASS recordings (``<set>/<subject>/*_poses.npz`` of SMPL-H, ``*_stageii.npz`` of SMPL-X; z up) as SMPL clips.

AMASS: Mahmood et al., ICCV 2019. Its licence is non-commercial; so are weights trained on it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.training.motion.clip import Clip

SMPL_FROM_SMPLH = np.array([*range(22), 22, 37])
"""SMPL's hands turn as the first index finger joints of SMPL-H; joint 23 there is still the left hand's."""

SMPL_FROM_SMPLX = np.array([*range(22), 25, 40])
"""The same of SMPL-X, which has jaw and eyes before the hands."""

PELVIS_FROM_TRANS = np.array([0.0, -0.223, 0.028])
"""m. SMPL turns about the pelvis of the rest pose, which lies here; known to 2 cm, as it depends on the shape."""

SMPLX_PELVIS_FROM_TRANS = np.array([0.003, -0.351, 0.012])
"""m. The same of SMPL-X."""

_Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
_RATE_KEYS = ("mocap_framerate", "mocap_frame_rate")
_SMPLH_SIZE, _SMPLX_SIZE = 156, 165

_LARGEST = 1e6
"""Radians and metres that no recording has; NaN is none either."""


def read_amass(path: Path) -> Clip:
    """Read one recording; ValueError names the file and what it lacks."""
    try:
        with open_archive(path) as archive:
            # betas, dmpls and gender are not read: shapes are drawn at random in training
            poses, trans, rate = _members(archive)
    except (OSError, ValueError) as err:
        raise ValueError(f"{path}: not an AMASS recording: {err}") from err
    smplx = poses.shape[1] == _SMPLX_SIZE
    joints = SMPL_FROM_SMPLX if smplx else SMPL_FROM_SMPLH
    pose = poses.reshape(len(poses), -1, 3)[:, joints].astype(np.float64)
    pose[:, 0] = rotmat_to_rotvec(_Y_UP_FROM_Z_UP @ rotvec_to_rotmat(pose[:, 0]))
    pelvis = (trans + (SMPLX_PELVIS_FROM_TRANS if smplx else PELVIS_FROM_TRANS)) @ _Y_UP_FROM_Z_UP.T
    subject = "/".join(path.parts[-3:-1])
    return Clip(
        id=f"{subject}/{path.stem.removesuffix('_poses').removesuffix('_stageii')}",
        subject=subject,
        category=path.parts[-3] if len(path.parts) > 2 else "amass",
        pose=pose.astype(np.float32),
        trans=pelvis.astype(np.float32),
        fps=rate,
    )


def _members(archive: np.lib.npyio.NpzFile) -> tuple[Floats, Floats, float]:
    rate_keys = [k for k in _RATE_KEYS if k in archive] or [_RATE_KEYS[0]]
    if missing := [k for k in ("poses", "trans", *rate_keys) if k not in archive]:
        raise ValueError(f"it lacks {missing}")
    poses, trans = archive["poses"], archive["trans"]
    if poses.ndim != 2 or poses.shape[1] not in (_SMPLH_SIZE, _SMPLX_SIZE):
        raise ValueError(
            f"expected poses (T, {_SMPLH_SIZE}), as in the 'SMPL+H G' downloads, or (T, {_SMPLX_SIZE}), as in the "
            f"'SMPL-X' ones, got {poses.shape}"
        )
    if trans.shape != (len(poses), 3):
        raise ValueError(f"expected trans ({len(poses)}, 3), got {trans.shape}")
    for name, values in (("poses", poses), ("trans", trans)):
        if not (np.isrealobj(values) and np.abs(values).max(initial=0) < _LARGEST):
            raise ValueError(f"expected {name} of real numbers below {_LARGEST:g}, got {values.dtype} beyond")
    return poses, trans, float(archive[rate_keys[0]])
