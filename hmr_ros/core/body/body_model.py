# SPDX-License-Identifier: Apache-2.0
"""The body: any file in SMPL's schema, posed by linear blend skinning (Loper et al., SIGGRAPH Asia 2015).

The shipped ``open_body.npz`` has SMPL's topology, joints and pose parameters, but its own shape space. Lengths are in
metres, rotations are rotation vectors in radians; the zero pose is a T-pose with y up, facing +z, left = +x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.capsules import CapsuleRig
from hmr_ros.core.body.skinned_model import BETAS as BETAS
from hmr_ros.core.body.skinned_model import SMPL_KEYS as SMPL_KEYS
from hmr_ros.core.body.skinned_model import Posed as Posed
from hmr_ros.core.body.skinned_model import SkinnedModel, read_model, schema_fields
from hmr_ros.core.body.skinning import SMPL_TREE
from hmr_ros.core.skeleton import COCO, COCO17, HUMAN36M, JOINT_SETS

_SMPL_VERTICES = 6890

FEET = {"left_heel": 3387, "right_heel": 6787, "left_toe": 3216, "right_toe": 6617}
"""Vertices of SMPL's topology at the underside of the heels and the tips of the big toes."""

_REGRESSOR_KEYS = {"coco17": "J_regressor_coco17", "human36m": "J_regressor_h36m17"}
"""Keypoint regressors that a file may hold besides SMPL's own keys."""

_LEG = ("hip", "knee", "ankle")

_CAPSULE_KEYS = ("capsule_a", "capsule_b", "capsule_radius", "capsule_radius_dbeta")
"""The fields of CapsuleRig in a file that has capsules."""


@dataclass(frozen=True, eq=False)
class BodyModel(SkinnedModel):
    """A body with SMPL's 24 joints, and besides the arrays of a skinned model what else its file may hold.

    ``keypoint_regressors`` (J, V) by joint set; ``capsules`` that contain the body, where the file has them.
    """

    keypoint_regressors: Mapping[str, Floats]
    capsules: CapsuleRig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for joint_set, rows in self.keypoint_regressors.items():
            if rows.shape != (JOINT_SETS[joint_set].size, self.vertex_count):
                raise ValueError(
                    f"BodyModel: the {joint_set} regressor has shape {rows.shape} for {self.vertex_count} vertices"
                )

    def posed(self, global_orient: Floats, body_pose: Floats, betas: Floats, cam_t: Floats) -> Posed:
        """Bodies of shape ``betas`` (P, 10) in a pose, at a position.

        ``global_orient`` (P, 3) rotates the body about its pelvis joint; ``body_pose`` (P, 23, 3) child -> parent;
        ``cam_t`` (P, 3) m is the position of the pelvis joint. (The ``transl`` of the smplx package moves the
        rest pose instead: ``cam_t == transl + rest_joints(betas)[:, 0]``.)
        """
        return super().posed(global_orient, body_pose, betas, cam_t)

    def posed_joints(self, global_orient: Floats, body_pose: Floats, betas: Floats) -> Floats:
        """(P, 24, 3) m, the joints of ``posed`` with the pelvis at 0, for a fraction of its time."""
        return super().posed_joints(global_orient, body_pose, betas)

    def regressor(self, joint_set: str) -> Floats:
        """(J, V): ``regressor(name) @ vertices`` are the keypoints of a joint set.

        "smpl" rows are exact in the rest pose only; where the pose is known use ``Posed.joints``. Raises ValueError
        where the file has no rows for ``joint_set``.
        """
        if joint_set == "smpl":
            return self.J_regressor
        if joint_set in self.keypoint_regressors:
            return self.keypoint_regressors[joint_set]
        if joint_set == "coco":
            return np.concatenate([self.regressor("coco17"), self._coco_midpoints])
        if joint_set == "coco_feet":
            return np.concatenate([self.regressor("coco17"), self._feet])
        key = _REGRESSOR_KEYS.get(joint_set, " or ".join(_REGRESSOR_KEYS.values()))
        raise ValueError(
            f"the body model has no keypoint regressor for {joint_set!r}: its file lacks {key} (see hmr convert-smpl)"
        )

    @property
    def _coco_midpoints(self) -> Floats:
        rows = self.regressor("coco17")
        hips, shoulders = (
            rows[[COCO17.index(f"left_{part}"), COCO17.index(f"right_{part}")]].mean(0) for part in ("hip", "shoulder")
        )
        return np.stack([{"pelvis": hips, "neck": shoulders}[joint] for joint in COCO.joints[COCO17.size :]])

    @property
    def _feet(self) -> Floats:
        if self.vertex_count != _SMPL_VERTICES:
            raise ValueError(
                f"heels and toes are known on {_SMPL_VERTICES} vertices, this body has {self.vertex_count}"
            )
        rows = np.zeros((len(FEET), _SMPL_VERTICES), self.v_template.dtype)
        rows[np.arange(len(FEET)), list(FEET.values())] = 1
        return rows


def load_body_model(path: Path, dtype: type[np.floating] = np.float32) -> BodyModel:
    """Read an .npz file in SMPL's schema. Pickles are refused: reading one runs the code it holds.

    Raises ValueError for other files, missing keys or shapes, with what to do.
    """

    def parse(file: Mapping[str, NDArray[np.generic]], sha256: str) -> BodyModel:
        key = _REGRESSOR_KEYS["human36m"]
        if key in file and legs_swapped(file[key].astype(dtype), file["v_template"].astype(dtype)):
            raise ValueError(f"{key} has the left leg before the right one, as SPIN's; convert the model again")
        return BodyModel(
            **schema_fields(file, SMPL_TREE, dtype, sha256),
            keypoint_regressors={s: file[key].astype(dtype) for s, key in _REGRESSOR_KEYS.items() if key in file},
            capsules=_capsules(file, dtype),
        )

    return read_model(path, "body model", parse)


def legs_swapped(human36m: Floats, v_template: Floats) -> bool:
    """Whether the regressor ``human36m`` (17, V) has the left leg where its rows should be the right leg's.

    SPIN's and HMR's ``J_regressor_h36m.npy`` has, Pose2Mesh's not. ``v_template`` (V, 3): left is +x.
    """
    right, left = (human36m[[HUMAN36M.index(f"{side}_{j}") for j in _LEG]] @ v_template for side in ("right", "left"))
    return bool((right[:, 0] > left[:, 0]).all())


def _capsules(file: Mapping[str, NDArray[np.generic]], dtype: type[np.floating]) -> CapsuleRig | None:
    """The capsules of a file, None where it has none, as SMPL's own."""
    if not all(key in file for key in _CAPSULE_KEYS):
        return None
    return CapsuleRig(*(file[key].astype(dtype) for key in _CAPSULE_KEYS))
