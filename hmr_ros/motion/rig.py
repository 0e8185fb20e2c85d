# SPDX-License-Identifier: Apache-2.0
"""What a track moves: the 24 joints of the body model, or 52 where fingers move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Float64s, Int64s
from hmr_ros.core.body.articulated_hands import pose_with_fingers, with_hands
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.body.skinned_model import SkinnedModel
from hmr_ros.core.hands import LEFT, RIGHT
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL, SMPL_HANDS
from hmr_ros.motion.track import Track


@dataclass(frozen=True, eq=False)
class Rig:
    """``model`` with its K ``joints`` by name, and their ``pose`` (T, K, 3) in the world with y up; ``pelvis`` (T, 3).

    ``rest`` (K, 3) m, the joints of this person's rest pose.
    """

    model: SkinnedModel
    joints: tuple[str, ...]
    rest: Float64s
    pose: Float64s
    pelvis: Float64s

    @property
    def parents(self) -> Int64s:
        """(K,) -1 for the root."""
        return self.model.tree.parents

    def children(self, joint: int) -> list[int]:
        """The joints whose parent is ``joint``."""
        children: list[int] = np.flatnonzero(self.parents == joint).tolist()
        return children


def rig_of(track: Track, body_model: BodyModel, axes: Float64s) -> Rig:
    """The rig of ``track`` in a world with other ``axes`` (3, 3), new from old.

    Raises ValueError where fingers move that are not those of ``body_model``, which is another than the open body.
    """
    pose, pelvis = track.rotated(axes)
    model: SkinnedModel = body_model
    joints = SMPL.joints
    if track.has_fingers:
        model, joints = with_hands(body_model, load_hand_model(models_dir() / "open_hand.npz")), SMPL_HANDS.joints
        fingers = pose_with_fingers(pose[:, 1:], track.fingers[:, LEFT], track.fingers[:, RIGHT])
        pose = np.concatenate([pose[:, :1], fingers], 1)
    return Rig(model, joints, model.rest_joints(track.betas[None])[0].astype(np.float64), pose, pelvis)
