# SPDX-License-Identifier: Apache-2.0
"""The open body with fingers that move: 52 joints, SMPL's 24 less its two hand joints plus 15 of each hand.

Template, faces and shapes stay the body's, so that the size of the hands follows its betas, and with the fingers at
rest the vertices are those of the body. Skinning and pose correctives of the fingers are the open hand's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import HAND_TREE, SIDES, HandModel
from hmr_ros.core.body.skinned_model import SkinnedModel
from hmr_ros.core.body.skinning import Tree
from hmr_ros.core.skeleton import SMPL, SMPL_HANDS, parents_of

_BODY_JOINTS = 22
"""SMPL's joints without its hands."""

_FINGER_JOINTS = HAND_TREE.size - 1
_SAME_M = 1e-4
"""Distance up to which a vertex of the hand is the body's."""


def with_hands(body: BodyModel, hand: HandModel) -> SkinnedModel:
    """The ``body`` with the joints of skeleton.SMPL_HANDS; ``hand`` is either hand of the open hand's file.

    Raises ValueError unless all vertices of the hand that belong to a body are those of this ``body``.
    """
    right = hand if hand.side == "right" else hand.mirrored()
    sides = [_on_body(body, side, right if side == "right" else right.mirrored()) for side in SIDES]
    return SkinnedModel(
        v_template=body.v_template,
        faces=body.faces,
        shapedirs=body.shapedirs,
        posedirs=np.concatenate([body.posedirs[..., : 9 * (_BODY_JOINTS - 1)], *(s.posedirs for s in sides)], -1),
        J_regressor=np.concatenate([body.J_regressor[:_BODY_JOINTS], *(s.J_regressor for s in sides)]),
        weights=_weights(body, sides),
        sha256=body.sha256,
        tree=Tree(parents_of(SMPL_HANDS)),
    )


def pose_with_fingers(body_pose: Floats, left: Floats, right: Floats) -> Floats:
    """(P, 51, 3) the pose of a body with hands: of ``body_pose`` (P, 23, 3) and each hand's (P, 15, 3).

    The body's own rotations of its hand joints, which are zero for the open body, are left out.
    """
    return np.concatenate([body_pose[:, : _BODY_JOINTS - 1], left, right], 1)


@dataclass(frozen=True, eq=False)
class _HandOnBody:
    """What one hand gives to the body's V vertices.

    ``wrist`` and ``hand``: the body's joints; ``vertices`` (N,) of the body, and their ``shares`` (N, 16) of those
    joints' weights; ``posedirs`` (V, 3, 135), ``J_regressor`` (15, V).
    """

    wrist: int
    hand: int
    vertices: Int64s
    shares: Floats
    posedirs: Floats
    J_regressor: Floats


def _on_body(body: BodyModel, side: str, hand: HandModel) -> _HandOnBody:
    on_body = _shared_vertices(body, side, hand)
    known = np.flatnonzero(on_body >= 0)
    vertices = on_body[known]
    posedirs = np.zeros((body.vertex_count, 3, 9 * _FINGER_JOINTS), body.posedirs.dtype)
    posedirs[vertices] = hand.posedirs[known]
    regressor = np.zeros((_FINGER_JOINTS, body.vertex_count), body.J_regressor.dtype)
    regressor[:, vertices] = hand.J_regressor[1:, known]
    wrist, own = SMPL.index(f"{side}_wrist"), SMPL.index(f"{side}_hand")
    weights = hand.weights[known].astype(np.float64)
    shares = weights / weights.sum(1, keepdims=True)  # float32 rows sum to 1 within 1e-7, which is 5e-5 mm
    return _HandOnBody(wrist, own, vertices, shares, posedirs, regressor)


def _shared_vertices(body: BodyModel, side: str, hand: HandModel) -> Int64s:
    """(778,) the body's vertex that is each of the hand's, -1 for none."""
    if hand.body_vertices is None:
        raise ValueError("the hand model does not say which vertices the body has too: use the shipped open_hand.npz")
    on_body = hand.body_vertices[side]
    known = on_body >= 0
    wrist = body.rest_joints(np.zeros((1, body.shapedirs.shape[-1])))[0, SMPL.index(f"{side}_wrist")]
    inside = known & (on_body < body.vertex_count)
    apart = np.abs(body.v_template[on_body[inside]] - wrist - hand.v_template[inside])
    if not inside[known].all() or apart.max() > _SAME_M:
        raise ValueError("the hand's vertices are not those of this body: the open hand belongs to open_body.npz")
    return on_body


def _weights(body: BodyModel, sides: list[_HandOnBody]) -> Floats:
    """(V, 52): what the body's wrist and hand joint hold of a vertex is shared among the hand's joints as in the hand.

    As long as the fingers rest they move with the wrist, so that any share gives the same vertices.
    """
    fingers = np.zeros((body.vertex_count, len(sides) * _FINGER_JOINTS), body.weights.dtype)
    weights = np.concatenate([body.weights[:, :_BODY_JOINTS], fingers], 1)
    for k, side in enumerate(sides):
        first = _BODY_JOINTS + k * _FINGER_JOINTS
        weights[:, side.wrist] += body.weights[:, side.hand]
        shared = weights[side.vertices, side.wrist][:, None] * side.shares
        weights[side.vertices, side.wrist] = shared[:, 0]
        weights[side.vertices, first : first + _FINGER_JOINTS] = shared[:, 1:]
    return weights
