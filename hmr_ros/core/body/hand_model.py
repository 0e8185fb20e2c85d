# SPDX-License-Identifier: Apache-2.0
"""The hand: any file in MANO's schema, right or left (Romero et al., "Embodied Hands", SIGGRAPH Asia 2017).

The shipped ``open_hand.npz`` is a right hand with MANO's joints and number of vertices, but a shape space and a rest
pose of its own, which is that of the open body's hands. All of those hands' vertices are among its 778. Lengths are in
metres, rotations are rotation vectors in radians; at rest the fingers of a right hand point along -x, palm down (-y).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.body.skinned_model import Posed, SkinnedModel, read_model, schema_fields
from hmr_ros.core.body.skinning import Tree
from hmr_ros.core.skeleton import HAND, MANO, parents_of

SIDES = ("left", "right")

HAND_TREE = Tree(parents_of(HAND))

_MANO_TIPS = (745, 317, 444, 556, 673)
"""Vertices of MANO's topology at the tips of thumb, index, middle, ring and little finger."""

_MANO_VERTICES = 778
_MIRROR = np.array([-1.0, 1.0, 1.0])
_MIRRORED_ROTATION = np.array([1.0, -1.0, -1.0])
"""What mirroring x does to a rotation vector."""


@dataclass(frozen=True, eq=False)
class FingerAxes:
    """How the 15 finger joints rotate.

    ``axes`` (15, 3, 3): unit axes of flexion, abduction towards the thumb, and twist, in the frame of the rest pose;
    ``limits`` (15, 3, 2) rad: lowest and highest angle about each, from the rest pose.
    """

    axes: Floats
    limits: Floats


@dataclass(frozen=True, eq=False)
class HandModel(SkinnedModel):
    """A hand with MANO's 16 joints (skeleton.HAND), and besides the arrays of a skinned model what else its file holds.

    ``side`` is "left" or "right"; ``tips`` (5,) vertices of the tips of thumb, index, middle, ring and little finger;
    ``mean_pose`` (15, 3) what poses of MANO's data sets are relative to. Of the open hand: ``fingers``; the vertex of
    the open body that is each vertex, ``body_vertices`` (778,), -1 for none, on both sides; ``landmark_offsets`` (21,
    3) m, where MediaPipe's landmarks lie from the joints of skeleton.MANO, in the frame of each one's bone at rest.
    """

    side: str
    tips: Int64s
    mean_pose: Floats
    fingers: FingerAxes | None = None
    body_vertices: Mapping[str, Int64s] | None = None
    landmark_offsets: Floats | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side not in SIDES:
            raise ValueError(f"HandModel.side: expected one of {SIDES}, got {self.side!r}")

    def keypoints(self, posed: Posed) -> Floats:
        """(P, 21, 3) m: the joints and finger tips of posed hands, in the order of skeleton.MANO."""
        return np.concatenate([posed.joints, posed.vertices[:, self.tips]], 1)[:, _KEYPOINTS]

    def rest_keypoints(self, betas: Floats) -> Floats:
        """(P, 10) -> (P, 21, 3) m: joints and finger tips of the rest pose in the model's own frame."""
        tips = self.v_template[self.tips] + np.moveaxis(self.shapedirs[self.tips] @ betas.T, -1, 0)
        return np.concatenate([self.rest_joints(betas), tips], 1)[:, _KEYPOINTS]

    @cached_property
    def keypoint_regressor(self) -> Floats:
        """(21, 778): reads the joints of skeleton.MANO from a mesh; those of bent fingers within 5 mm or so."""
        tips = np.zeros((len(self.tips), self.vertex_count), self.J_regressor.dtype)
        tips[np.arange(len(tips)), self.tips] = 1
        return np.asarray(np.concatenate([self.J_regressor, tips])[_KEYPOINTS])

    def mirrored(self) -> HandModel:
        """The hand of the other side."""
        feature = np.outer(_MIRROR, _MIRROR).reshape(-1)
        fingers, offsets = self.fingers, self.landmark_offsets
        return dataclasses.replace(
            self,
            v_template=_like(self.v_template, self.v_template * _MIRROR),
            faces=np.ascontiguousarray(self.faces[:, ::-1]),
            shapedirs=_like(self.shapedirs, self.shapedirs * _MIRROR[:, None]),
            posedirs=_like(self.posedirs, self.posedirs * _MIRROR[:, None] * np.tile(feature, HAND_TREE.size - 1)),
            side=SIDES[1 - SIDES.index(self.side)],
            mean_pose=_like(self.mean_pose, self.mean_pose * _MIRRORED_ROTATION),
            fingers=fingers and FingerAxes(_like(fingers.axes, fingers.axes * _MIRRORED_ROTATION), fingers.limits),
            landmark_offsets=None if offsets is None else _like(offsets, offsets * _MIRROR),
        )


def mirrored_rotations(rotvecs: Floats) -> Floats:
    """(..., 3) rotation vectors of one hand -> (..., 3) those of the other one, its mirror image in x."""
    return _like(rotvecs, rotvecs * _MIRRORED_ROTATION)


def _keypoint_order() -> Int64s:
    """(21,) the row, among 16 joints and 5 tips, of each joint of skeleton.MANO."""
    tips = [name for name in MANO.joints if name.endswith("4")]
    rows = [HAND.size + tips.index(name) if name in tips else HAND.index(name) for name in MANO.joints]
    return np.array(rows, np.int64)


_KEYPOINTS = _keypoint_order()


def load_hand_model(path: Path, dtype: type[np.floating] = np.float32) -> HandModel:
    """Read an .npz file in MANO's schema: the open hand, or a licensed MANO (``hmr convert-smpl``), right or left.

    Raises ValueError for other files, missing keys or shapes, with what to do.
    """
    return read_model(path, "hand model", lambda file, sha256: _from_arrays(file, dtype, sha256))


def _from_arrays(file: Mapping[str, NDArray[np.generic]], dtype: type[np.floating], sha256: str) -> HandModel:
    fields = schema_fields(file, HAND_TREE, dtype, sha256)
    tips = _tips(file, len(fields["v_template"]))
    wrist = fields["J_regressor"][0] @ fields["v_template"]
    to_tips = fields["v_template"][tips].mean(0) - wrist
    return HandModel(
        **fields,
        side="right" if to_tips[0] < 0 else "left",
        tips=tips,
        mean_pose=file["hands_mean"].astype(dtype).reshape(-1, 3) if "hands_mean" in file else np.zeros((15, 3), dtype),
        fingers=FingerAxes(file["axes"][1:].astype(dtype), file["limits"].astype(dtype)) if "axes" in file else None,
        body_vertices=_body_vertices(file),
        landmark_offsets=file["landmark_offsets"].astype(dtype) if "landmark_offsets" in file else None,
    )


def _tips(file: Mapping[str, NDArray[np.generic]], vertex_count: int) -> Int64s:
    if "tips" in file:
        return file["tips"].astype(np.int64)
    if vertex_count != _MANO_VERTICES:
        raise ValueError(f"finger tips are known on {_MANO_VERTICES} vertices, this hand has {vertex_count}")
    return np.array(_MANO_TIPS, np.int64)


def _body_vertices(file: Mapping[str, NDArray[np.generic]]) -> Mapping[str, Int64s] | None:
    keys = {side: f"body_vertex_{side}" for side in SIDES}
    if not all(key in file for key in keys.values()):
        return None
    return {side: file[key].astype(np.int64) for side, key in keys.items()}


def _like(old: Floats, new: Floats) -> Floats:
    """``new``, contiguous and of the type of ``old``."""
    return np.ascontiguousarray(new, old.dtype)
