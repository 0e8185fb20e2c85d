# SPDX-License-Identifier: Apache-2.0
"""Skinned models in SMPL's schema: a template with shape and pose blend shapes over any kinematic tree.

Bodies (``body_model``), hands (``hand_model``) and bodies with hands (``articulated_hands``) are such models. Lengths
are in metres, rotations are rotation vectors in radians; K is the number of joints, V that of vertices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Floats, Int32s
from hmr_ros.core.body.skin_parts import SkinParts
from hmr_ros.core.body.skinning import SMPL_TREE, Skin, Tree, chained_joints, world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import file_sha256

Model = TypeVar("Model")

BETAS = 10
"""Shape coefficients in use; files with more are cut."""

SMPL_KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
"""The arrays of a file in SMPL's schema."""


@dataclass(frozen=True, eq=False)
class Posed:
    """``vertices`` (P, V, 3) and ``joints`` (P, K, 3), m, in the frame that the root's orientation maps to."""

    vertices: Floats
    joints: Floats


@dataclass(frozen=True, eq=False)
class SkinnedModel:
    """A skinned mesh with shape and pose blend shapes.

    ``v_template`` (V, 3) m; ``faces`` (F, 3); ``shapedirs`` (V, 3, 10) m per unit of beta; ``posedirs`` (V, 3, 9 (K -
    1)) m per unit of the pose feature (the joint rotations but the root's minus identity, row-major); ``J_regressor``
    (K, V); ``weights`` (V, K) skinning weights, rows sum to 1; ``sha256`` of the file; ``tree`` of the joints.
    """

    v_template: Floats
    faces: Int32s
    shapedirs: Floats
    posedirs: Floats
    J_regressor: Floats
    weights: Floats
    sha256: str
    tree: Tree = field(default=SMPL_TREE, kw_only=True)

    def __post_init__(self) -> None:
        V, K = len(self.v_template), self.tree.size
        expected = {
            "v_template": (V, 3),
            "faces": (len(self.faces), 3),
            "shapedirs": (V, 3, BETAS),
            "posedirs": (V, 3, 9 * (K - 1)),
            "J_regressor": (K, V),
            "weights": (V, K),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{type(self).__name__}.{name}: expected shape {shape}, got {getattr(self, name).shape}"
                )

    @property
    def vertex_count(self) -> int:
        """Number of vertices V."""
        return len(self.v_template)

    def posed(self, global_orient: Floats, pose: Floats, betas: Floats, cam_t: Floats, /) -> Posed:
        """Meshes of shape ``betas`` (P, 10) in a pose, at a position.

        ``global_orient`` (P, 3) rotates the mesh about its root joint; ``pose`` (P, K - 1, 3) child -> parent;
        ``cam_t`` (P, 3) m is the position of the root joint. (The ``transl`` of the smplx package moves the
        rest pose instead: ``cam_t == transl + rest_joints(betas)[:, 0]``.)
        """
        dtype = self.v_template.dtype
        rotations = rotvec_to_rotmat(np.concatenate([global_orient[:, None], pose], 1).astype(dtype))
        rest, world = self.rest_joints(betas), world_rotations(rotations, self.tree)
        joints = chained_joints(world, rest, self.tree) + cam_t[:, None].astype(dtype)
        return Posed(self._parts.posed(betas.astype(dtype), rotations, world, joints, rest), joints)

    def posed_joints(self, global_orient: Floats, pose: Floats, betas: Floats, /) -> Floats:
        """(P, K, 3) m, the joints of ``posed`` with the root at 0, for a fraction of its time."""
        rotations = rotvec_to_rotmat(np.concatenate([global_orient[:, None], pose], 1))
        return chained_joints(world_rotations(rotations, self.tree), self.rest_joints(betas), self.tree)

    def rest_joints(self, betas: Floats) -> Floats:
        """(P, 10) -> (P, K, 3) joints of the rest pose in the model's own frame."""
        template, directions = self._joint_space
        joints: Floats = template + betas.astype(template.dtype) @ directions
        return joints.reshape(len(betas), self.tree.size, 3)

    @cached_property
    def skin(self) -> Skin:
        """The arrays that skinning reads, laid out for it."""
        directions = np.concatenate([self.shapedirs, self.posedirs], -1)
        planar = (self.v_template.T, directions.transpose(2, 1, 0), self.weights.T)
        template, directions, weights = (np.ascontiguousarray(part) for part in planar)
        return Skin(template, directions, weights, self.tree)

    @cached_property
    def _parts(self) -> SkinParts:
        return SkinParts(self.skin)

    @cached_property
    def _joint_space(self) -> tuple[Floats, Floats]:
        """(3 K,) joints of the template and (10, 3 K) their shape directions."""
        directions = np.einsum("jv,vcb->bjc", self.J_regressor, self.shapedirs)
        return (self.J_regressor @ self.v_template).reshape(-1), directions.reshape(BETAS, -1)


def read_model(path: Path, what: str, parse: Callable[[Mapping[str, NDArray[np.generic]], str], Model]) -> Model:
    """The model that ``parse`` makes of the arrays and the sha256 of an .npz file; ``what`` it is names it in errors.

    Pickles are refused: reading one runs the code it holds. Raises ValueError, which names the file and the remedy.
    """
    if path.suffix == ".pkl":
        raise ValueError(f"{path}: pickles run code when they are read; convert it once with: hmr convert-smpl {path}")
    if not path.is_file():
        raise ValueError(f"{path}: no such {what}")
    try:
        with open_archive(path) as file:
            return parse(file, file_sha256(path))
    except ValueError as err:
        raise ValueError(f"{path}: not a {what} of plain arrays, see hmr convert-smpl ({err})") from err


class SchemaFields(TypedDict):
    """What a file in SMPL's schema gives of a model: arguments of SkinnedModel."""

    v_template: Floats
    faces: Int32s
    shapedirs: Floats
    posedirs: Floats
    J_regressor: Floats
    weights: Floats
    sha256: str
    tree: Tree


def schema_fields(
    file: Mapping[str, NDArray[np.generic]], tree: Tree, dtype: type[np.floating], sha256: str
) -> SchemaFields:
    """The fields of a model from the arrays of a file, whose joints must be those of ``tree``.

    Raises ValueError naming missing keys, or another tree.
    """
    if missing := [key for key in SMPL_KEYS if key not in file]:
        raise ValueError(f"missing keys {missing}")
    parents = file["kintree_table"][0].astype(np.int64)
    if not np.array_equal(parents[1:], tree.parents[1:]):  # files number the root's parent as they like
        name = "SMPL's" if tree is SMPL_TREE else "a"
        raise ValueError(f"expected {name} kinematic tree of {tree.size} joints, got parents {parents.tolist()}")
    return {
        "v_template": file["v_template"].astype(dtype),
        "faces": file["f"].astype(np.int32),
        "shapedirs": file["shapedirs"][..., :BETAS].astype(dtype),
        "posedirs": file["posedirs"].astype(dtype),
        "J_regressor": file["J_regressor"].astype(dtype),
        "weights": file["weights"].astype(dtype),
        "sha256": sha256,
        "tree": tree,
    }
