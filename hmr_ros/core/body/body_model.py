# SPDX-License-Identifier: Apache-2.0
"""The body: any file in SMPL's schema, posed by linear blend skinning (Loper et al., SIGGRAPH Asia 2015).

The shipped ``open_body.npz`` has SMPL's topology, joints and pose parameters, but its own shape space. Lengths are in
metres, rotations are rotation vectors in radians; the zero pose is a T-pose with y up, facing +z, left = +x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Floats, Int32s
from hmr_ros.core.body.capsules import CapsuleRig
from hmr_ros.core.body.skinning import Skin, chained_joints, transformed, world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import file_sha256
from hmr_ros.core.skeleton import COCO, COCO17, HUMAN36M, JOINT_SETS, SMPL, SMPL_PARENTS

BETAS = 10
"""Shape coefficients in use; files with more are cut."""

_POSE_FEATURES = 9 * (SMPL.size - 1)
_SMPL_VERTICES = 6890

FEET = {"left_heel": 3387, "right_heel": 6787, "left_toe": 3216, "right_toe": 6617}
"""Vertices of SMPL's topology at the underside of the heels and the tips of the big toes."""

SMPL_KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_REGRESSOR_KEYS = {"coco17": "J_regressor_coco17", "human36m": "J_regressor_h36m17"}
"""Keypoint regressors that a file may hold besides SMPL's own keys."""

_LEG = ("hip", "knee", "ankle")

_CAPSULE_KEYS = ("capsule_a", "capsule_b", "capsule_radius", "capsule_radius_dbeta")
"""The fields of CapsuleRig in a file that has capsules."""


@dataclass(frozen=True, eq=False)
class Posed:
    """``vertices`` (P, V, 3) and SMPL ``joints`` (P, 24, 3), m, in the frame that the global orientation maps to."""

    vertices: Floats
    joints: Floats


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A skinned body with shape and pose blend shapes.

    ``v_template`` (V, 3) m; ``faces`` (F, 3); ``shapedirs`` (V, 3, 10) m per unit of beta; ``posedirs`` (V, 3, 207) m
    per unit of the pose feature (the 23 joint rotations minus identity, row-major); ``J_regressor`` (24, V);
    ``weights`` (V, 24) skinning weights, rows sum to 1; ``keypoint_regressors`` (J, V) by joint set; ``sha256`` of the
    file; ``capsules`` that contain the body, where the file has them.
    """

    v_template: Floats
    faces: Int32s
    shapedirs: Floats
    posedirs: Floats
    J_regressor: Floats
    weights: Floats
    keypoint_regressors: Mapping[str, Floats]
    sha256: str
    capsules: CapsuleRig | None = None

    def __post_init__(self) -> None:
        V = len(self.v_template)
        expected = {
            "v_template": (V, 3),
            "faces": (len(self.faces), 3),
            "shapedirs": (V, 3, BETAS),
            "posedirs": (V, 3, _POSE_FEATURES),
            "J_regressor": (SMPL.size, V),
            "weights": (V, SMPL.size),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"BodyModel.{name}: expected shape {shape}, got {getattr(self, name).shape}")
        for joint_set, rows in self.keypoint_regressors.items():
            if rows.shape != (JOINT_SETS[joint_set].size, V):
                raise ValueError(f"BodyModel: the {joint_set} regressor has shape {rows.shape} for {V} vertices")

    @property
    def vertex_count(self) -> int:
        """Number of vertices V."""
        return len(self.v_template)

    def posed(self, global_orient: Floats, body_pose: Floats, betas: Floats, cam_t: Floats) -> Posed:
        """Bodies of shape ``betas`` (P, 10) in a pose, at a position.

        ``global_orient`` (P, 3) rotates the body about its pelvis joint; ``body_pose`` (P, 23, 3) child -> parent;
        ``cam_t`` (P, 3) m is the position of the pelvis joint. (The ``transl`` of the smplx package moves the
        rest pose instead: ``cam_t == transl + rest_joints(betas)[:, 0]``.)
        """
        dtype = self.v_template.dtype
        rotations = rotvec_to_rotmat(np.concatenate([global_orient[:, None], body_pose], 1).astype(dtype))
        rest, world = self.rest_joints(betas), world_rotations(rotations)
        joints = chained_joints(world, rest) + cam_t[:, None].astype(dtype)
        unposed = self.skin.unposed(betas.astype(dtype), rotations)
        vertices = transformed(self.skin.blended(world, joints, rest), unposed)
        return Posed(np.ascontiguousarray(vertices.transpose(0, 2, 1)), joints)

    def posed_joints(self, global_orient: Floats, body_pose: Floats, betas: Floats) -> Floats:
        """(P, 24, 3) m, the joints of ``posed`` with the pelvis at 0, for a fraction of its time."""
        rotations = rotvec_to_rotmat(np.concatenate([global_orient[:, None], body_pose], 1))
        return chained_joints(world_rotations(rotations), self.rest_joints(betas))

    def rest_joints(self, betas: Floats) -> Floats:
        """(P, 10) -> (P, 24, 3) joints of the rest pose in the model's own frame."""
        template, directions = self._joint_space
        joints: Floats = template + betas.astype(template.dtype) @ directions
        return joints.reshape(len(betas), SMPL.size, 3)

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

    @cached_property
    def skin(self) -> Skin:
        """The arrays that skinning reads, laid out for it."""
        directions = np.concatenate([self.shapedirs, self.posedirs], -1)
        planar = (self.v_template.T, directions.transpose(2, 1, 0), self.weights.T)
        return Skin(*(np.ascontiguousarray(part) for part in planar))

    @cached_property
    def _joint_space(self) -> tuple[Floats, Floats]:
        """(72,) joints of the template and (10, 72) their shape directions."""
        directions = np.einsum("jv,vcb->bjc", self.J_regressor, self.shapedirs)
        return (self.J_regressor @ self.v_template).reshape(-1), directions.reshape(BETAS, -1)


def load_body_model(path: Path, dtype: type[np.floating] = np.float32) -> BodyModel:
    """Read an .npz file in SMPL's schema. Pickles are refused: reading one runs the code it holds.

    Raises ValueError for other files, missing keys or shapes, with what to do.
    """
    if path.suffix == ".pkl":
        raise ValueError(f"{path}: pickles run code when they are read; convert it once with: hmr convert-smpl {path}")
    if not path.is_file():
        raise ValueError(f"{path}: no such body model")
    try:
        with open_archive(path) as file:
            return _from_arrays(file, dtype, file_sha256(path))
    except ValueError as err:
        raise ValueError(f"{path}: not a body model of plain arrays, see hmr convert-smpl ({err})") from err


def legs_swapped(human36m: Floats, v_template: Floats) -> bool:
    """Whether the regressor ``human36m`` (17, V) has the left leg where its rows should be the right leg's.

    SPIN's and HMR's ``J_regressor_h36m.npy`` has, Pose2Mesh's not. ``v_template`` (V, 3): left is +x.
    """
    right, left = (human36m[[HUMAN36M.index(f"{side}_{j}") for j in _LEG]] @ v_template for side in ("right", "left"))
    return bool((right[:, 0] > left[:, 0]).all())


def _from_arrays(file: Mapping[str, NDArray[np.generic]], dtype: type[np.floating], sha256: str) -> BodyModel:
    if missing := [key for key in SMPL_KEYS if key not in file]:
        raise ValueError(f"missing keys {missing}")
    key = _REGRESSOR_KEYS["human36m"]
    if key in file and legs_swapped(file[key].astype(dtype), file["v_template"].astype(dtype)):
        raise ValueError(f"{key} has the left leg before the right one, as SPIN's; convert the model again")
    parents = file["kintree_table"][0].astype(np.int64)
    if not np.array_equal(parents[1:], SMPL_PARENTS[1:]):
        raise ValueError(f"expected SMPL's kinematic tree of 24 joints, got parents {parents.tolist()}")
    return BodyModel(
        v_template=file["v_template"].astype(dtype),
        faces=file["f"].astype(np.int32),
        shapedirs=file["shapedirs"][..., :BETAS].astype(dtype),
        posedirs=file["posedirs"].astype(dtype),
        J_regressor=file["J_regressor"].astype(dtype),
        weights=file["weights"].astype(dtype),
        keypoint_regressors={s: file[key].astype(dtype) for s, key in _REGRESSOR_KEYS.items() if key in file},
        sha256=sha256,
        capsules=_capsules(file, dtype),
    )


def _capsules(file: Mapping[str, NDArray[np.generic]], dtype: type[np.floating]) -> CapsuleRig | None:
    """The capsules of a file, None where it has none, as SMPL's own."""
    if not all(key in file for key in _CAPSULE_KEYS):
        return None
    return CapsuleRig(*(file[key].astype(dtype) for key in _CAPSULE_KEYS))
