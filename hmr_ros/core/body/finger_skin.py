# SPDX-License-Identifier: Apache-2.0
"""Fingers on bodies that are posed already: only the vertices that fingers move are skinned again.

The body with hands (articulated_hands.py) has the vertices of the body with 24 joints but for these, so a body whose
hands rest is not touched at all.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.articulated_hands import pose_with_fingers, with_hands
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import SIDES, HandModel, load_hand_model
from hmr_ros.core.body.skinned_model import SkinnedModel
from hmr_ros.core.body.skinning import Skin, chained_joints, transformed, world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.hands import LEFT, RIGHT, BodyHands
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies
from hmr_ros.core.skeleton import HAND, MANO, SMPL_HANDS

_FIRST_FINGER = SMPL_HANDS.index("left_index1")
_HANDS = [[SMPL_HANDS.index(f"{side}_{joint}") for joint in HAND.joints] for side in SIDES]
"""The 16 joints of each hand among the body's 52."""
_JOINTS = [MANO.index(joint) for joint in HAND.joints]
_TIPS = [MANO.index(joint) for joint in MANO.joints if joint.endswith("4")]


class FingerSkin:
    """Moves the fingers of the bodies of one model."""

    def __init__(self, body: BodyModel, hand: HandModel) -> None:
        """``hand``: either hand of the open hand. Raises ValueError unless it is a hand of this ``body``."""
        model = with_hands(body, hand)
        assert hand.body_vertices is not None, "with_hands checks it"
        tips = np.stack([hand.body_vertices[side][hand.tips] for side in SIDES])
        self._rest_joints = model.rest_joints
        self._tree = model.tree
        self._rows = _moved_vertices(model)
        self._tips = np.searchsorted(self._rows, tips)
        self._skin = _skin_of(model, self._rows)

    def posed(self, bodies: Bodies, hands: BodyHands) -> Bodies:
        """``bodies``, posed by the 24-joint model, with the fingers of their ``hands``, whose ``joints`` are filled in.

        Meshes of people of whom no hand is known are those that they are now.
        """
        rows = np.flatnonzero(bodies.valid)
        vertices, joints = self._skinned(bodies.take(rows), hands.take(rows))
        all_joints = hands.joints.copy()
        all_joints[rows] = joints
        moved = hands.known[rows].any(1)
        mesh = self._with_fingers(bodies.vertices, rows[moved], vertices[moved])
        return dataclasses.replace(bodies, vertices=mesh, hands=dataclasses.replace(hands, joints=all_joints))

    def _with_fingers(self, meshes: Floats, rows: Ints, vertices: Floats) -> Floats:
        """``meshes`` (P, V, 3) with the ``vertices`` (N, M, 3) of fingers in N ``rows``."""
        if len(rows) == 0:
            return meshes
        meshes = meshes.copy()
        meshes[rows[:, None], self._rows] = vertices
        return meshes

    def _skinned(self, bodies: Bodies, hands: BodyHands) -> tuple[Floats, Floats]:
        """Vertices (P, M, 3) that fingers move, and joints and tips (P, 2, 21, 3), m, of valid bodies."""
        dtype = self._skin.template.dtype
        pose = pose_with_fingers(bodies.body_pose, hands.pose[:, LEFT], hands.pose[:, RIGHT])
        rotations = rotvec_to_rotmat(np.concatenate([bodies.global_orient[:, None], pose], 1).astype(dtype))
        betas = bodies.betas.astype(dtype)
        rest, world = self._rest_joints(betas), world_rotations(rotations, self._tree)
        joints = chained_joints(world, rest, self._tree) + bodies.cam_t[:, None].astype(dtype)
        unposed = self._skin.unposed(betas, rotations)
        vertices = transformed(self._skin.blended(world, joints, rest), unposed).transpose(0, 2, 1)
        points = np.empty((len(bodies), len(SIDES), MANO.size, 3), dtype)
        points[:, :, _JOINTS] = joints[:, _HANDS]
        points[:, :, _TIPS] = vertices[:, self._tips]
        return vertices, points


@functools.lru_cache(maxsize=2)
def finger_skin(body_model: BodyModel) -> FingerSkin | None:
    """What moves the fingers of ``body_model``; None: it has other hands than the open body."""
    try:
        return FingerSkin(body_model, load_hand_model(models_dir() / "open_hand.npz"))
    except ValueError:
        return None


def with_fingers(bodies: Bodies, body_model: BodyModel) -> Bodies:
    """``bodies``, whose meshes are those of ``body_model``, with the fingers of their hands, if they have any."""
    skin = None if bodies.hands is None else finger_skin(body_model)
    return bodies if skin is None or bodies.hands is None else skin.posed(bodies, bodies.hands)


def _moved_vertices(model: SkinnedModel) -> Ints:
    """(M,) the vertices of ``model`` that fingers move, those of their tips among them, ascending."""
    moved: Bools = (model.weights[:, _FIRST_FINGER:] != 0).any(1)
    moved |= (model.posedirs[..., 9 * (_FIRST_FINGER - 1) :] != 0).any((1, 2))
    return np.flatnonzero(moved)


def _skin_of(model: SkinnedModel, rows: Ints) -> Skin:
    """The skin of the vertices ``rows`` (M,), without laying out that of the others."""
    directions = np.concatenate([model.shapedirs[rows], model.posedirs[rows]], -1)
    planar = (model.v_template[rows].T, directions.transpose(2, 1, 0), model.weights[rows].T)
    template, directions, weights = (np.ascontiguousarray(part) for part in planar)
    return Skin(template, directions, weights, model.tree)
