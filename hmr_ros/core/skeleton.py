# SPDX-License-Identifier: Apache-2.0
"""Joint sets: names, bones, mirrors, and how one set is read from another.

Sources: Pose2Mesh's graphs (human36m, coco, smpl), the COCO and BlazePose specifications. Every set is in
the order its data files use; code refers to joints by name, never by number.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from hmr_ros.core.arrays import Float32s, Floats, Int64s


@dataclass(frozen=True)
class JointSet:
    """An ordered set of joints. ``edges`` are the bones; ``root`` is the joint 3D poses are relative to.

    ``neighbours`` are joints beside each other that no bone joins, as those of adjacent fingers: Pose2Mesh's graph
    links them, too.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    root: str | None
    neighbours: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Number of joints J."""
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of ``joint``; ValueError names the set when it has no such joint."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise ValueError(f"joint set {self.name!r} has no joint {joint!r}; it has {self.joints}") from None

    @cached_property
    def edge_indices(self) -> Int64s:
        """(E, 2) bones as indices."""
        return self._indices(self.edges)

    @cached_property
    def graph_indices(self) -> Int64s:
        """(L, 2) what Pose2Mesh's graph of the joints links: bones, left-right pairs and neighbours."""
        return np.concatenate([self.edge_indices, self.pairs.reshape(-1, 2), self._indices(self.neighbours)])

    def _indices(self, links: tuple[tuple[str, str], ...]) -> Int64s:
        return np.array([(self.index(a), self.index(b)) for a, b in links], np.int64).reshape(-1, 2)

    @cached_property
    def mirror(self) -> Int64s:
        """(J,) index of each joint's left-right partner (itself on the mid line); an involution."""
        swap = {"left_": "right_", "right_": "left_"}

        def partner(joint: str) -> str:
            for side, other in swap.items():
                if joint.startswith(side):
                    return other + joint.removeprefix(side)
            return joint

        return np.array([self.index(partner(j)) for j in self.joints], np.int64)

    @cached_property
    def pairs(self) -> Int64s:
        """(S, 2) left-right pairs, left first."""
        return np.array([(i, m) for i, m in enumerate(self.mirror) if self.joints[i].startswith("left_")], np.int64)


def _edges(text: str) -> tuple[tuple[str, str], ...]:
    """Parse "a-b-c d-e" into bones (a, b), (b, c), (d, e)."""
    chains = [chain.split("-") for chain in text.split()]
    return tuple((a, b) for chain in chains for a, b in pairwise(chain))


_LIMBS = (
    "left_shoulder-left_elbow-left_wrist right_shoulder-right_elbow-right_wrist "
    "left_hip-left_knee-left_ankle right_hip-right_knee-right_ankle "
)

SMPL = JointSet(
    "smpl",
    tuple(
        "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot "
        "right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hand right_hand".split()
    ),
    _edges(
        "pelvis-left_hip-left_knee-left_ankle-left_foot pelvis-right_hip-right_knee-right_ankle-right_foot "
        "pelvis-spine1-spine2-spine3-neck-head spine3-left_collar-left_shoulder-left_elbow-left_wrist-left_hand "
        "spine3-right_collar-right_shoulder-right_elbow-right_wrist-right_hand"
    ),
    "pelvis",
)
SMPL_PARENTS: Int64s = np.array(
    [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21], np.int64
)
"""(24,) parent of each SMPL joint, -1 for the root."""

_FINGERS = ("index", "middle", "pinky", "ring", "thumb")
"""Fingers in MANO's order."""

HAND = JointSet(
    "hand",
    ("wrist", *(f"{finger}{k}" for finger in _FINGERS for k in (1, 2, 3))),
    _edges(" ".join(f"wrist-{finger}1-{finger}2-{finger}3" for finger in _FINGERS)),
    "wrist",
)
"""The 16 joints of a hand that rotate, in MANO's order."""

MANO = JointSet(
    "mano",
    ("wrist", *(f"{finger}{k}" for finger in ("thumb", "index", "middle", "ring", "pinky") for k in (1, 2, 3, 4))),
    _edges(" ".join(f"wrist-{finger}1-{finger}2-{finger}3-{finger}4" for finger in _FINGERS)),
    "wrist",
    _edges(" ".join(f"thumb{k}-index{k}-middle{k}-ring{k}-pinky{k}" for k in (1, 2, 3, 4))),
)
"""A hand's joints and finger tips (4), in the order of FreiHAND, MediaPipe and Pose2Mesh."""

SMPL_HANDS = JointSet(
    "smpl_hands",
    (*SMPL.joints[:22], *(f"{side}_{joint}" for side in ("left", "right") for joint in HAND.joints[1:])),
    (
        *(edge for edge in SMPL.edges if not edge[1].endswith("hand")),
        *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in HAND.edges),
    ),
    "pelvis",
)
"""SMPL's joints with fingers in place of its two hand joints, in the order of SMPL-H: 52."""


def parents_of(joint_set: JointSet) -> Int64s:
    """(J,) the parent of each joint of a set whose bones make a tree from the first joint, -1 for that one."""
    above = {child: parent for parent, child in joint_set.edges}
    return np.array([-1, *(joint_set.index(above[joint]) for joint in joint_set.joints[1:])], np.int64)


HUMAN36M = JointSet(
    "human36m",
    tuple(
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle torso neck nose head_top "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist".split()
    ),
    _edges(
        _LIMBS + "pelvis-torso-neck-nose-head_top neck-left_shoulder neck-right_shoulder "
        "pelvis-left_hip pelvis-right_hip"
    ),
    "pelvis",
)
HUMAN36M_EVAL = tuple(j for j in HUMAN36M.joints if j not in ("pelvis", "torso", "nose"))
"""The 14 joints MPJPE is reported on (Pose2Mesh, section 1.2)."""

_COCO17 = tuple(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle".split()
)
_FACE = "left_eye-right_eye nose-left_eye-left_ear nose-right_eye-right_ear "
_TRUNK = "left_shoulder-right_shoulder left_hip-right_hip left_shoulder-left_hip right_shoulder-right_hip "

COCO17 = JointSet("coco17", _COCO17, _edges(_LIMBS + _FACE + _TRUNK), None)
COCO = JointSet(
    "coco",
    (*_COCO17, "pelvis", "neck"),
    _edges(
        _LIMBS + _FACE + "pelvis-left_hip pelvis-right_hip pelvis-neck neck-left_shoulder neck-right_shoulder neck-nose"
    ),
    "pelvis",
)
"""COCO's 17 with pelvis and neck as midpoints: Pose2Mesh's 19."""

COCO_FEET = JointSet(
    "coco_feet",
    (*_COCO17, "left_heel", "right_heel", "left_toe", "right_toe"),
    _edges(
        _LIMBS
        + _FACE
        + _TRUNK
        + "left_ankle-left_heel-left_toe left_ankle-left_toe right_ankle-right_heel-right_toe right_ankle-right_toe"
    ),
    None,
)
"""COCO's 17 with heels and big toes: what our default lifter reads, as they show which way the feet point."""

BLAZEPOSE = JointSet(
    "blazepose",
    tuple(
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
        "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
        "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
        "right_ankle left_heel right_heel left_toe right_toe".split()
    ),
    _edges(
        _LIMBS + _TRUNK + "nose-left_eye_inner-left_eye-left_eye_outer-left_ear "
        "nose-right_eye_inner-right_eye-right_eye_outer-right_ear "
        "left_mouth-right_mouth left_wrist-left_pinky-left_index-left_wrist left_wrist-left_thumb "
        "right_wrist-right_pinky-right_index-right_wrist right_wrist-right_thumb "
        "left_ankle-left_heel-left_toe-left_ankle right_ankle-right_heel-right_toe-right_ankle"
    ),
    None,
)

JOINT_SETS: dict[str, JointSet] = {s.name: s for s in (SMPL, HUMAN36M, COCO17, COCO, COCO_FEET, BLAZEPOSE)}


def joint_set_named(name: str) -> JointSet:
    """The joint set of a ``name``: of bodies, those of JOINT_SETS, or of a hand; KeyError for others."""
    return MANO if name == MANO.name else JOINT_SETS[name]


_MIDPOINTS = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}


def convert_keypoints(kp2d: Floats, score: Floats, source: JointSet, target: JointSet) -> tuple[Float32s, Float32s]:
    """Read joint set ``target`` from keypoints of ``source``, by name.

    ``kp2d`` (P, J, 2), ``score`` (P, J) -> (P, K, 2), (P, K). Pelvis and neck become the midpoints of hips and
    shoulders (score: the smaller of the two) where ``source`` lacks them; other absent joints get score 0.
    """
    conversion = _conversion(source, target)
    out, out_score = kp2d[:, conversion.first].astype(np.float32), score[:, conversion.first].astype(np.float32)
    for k, a, b in conversion.midpoints:
        out[:, k] = (kp2d[:, a] + kp2d[:, b]) / 2
        out_score[:, k] = np.minimum(score[:, a], score[:, b])
    if conversion.absent:
        out[:, conversion.absent], out_score[:, conversion.absent] = 0, 0
    return out, out_score


@dataclass(frozen=True, eq=False)
class _Conversion:
    """Where the K joints of a set are in another: ``first`` (K,), but for ``midpoints`` (k, a, b), ``absent`` ones."""

    first: Int64s
    midpoints: tuple[tuple[int, int, int], ...]
    absent: list[int]


@functools.cache
def _conversion(source: JointSet, target: JointSet) -> _Conversion:
    pairs = [(joint, joint) if joint in source.joints else _MIDPOINTS.get(joint, ("", "")) for joint in target.joints]
    known = {k: [source.index(j) for j in pair] for k, pair in enumerate(pairs) if set(pair) <= set(source.joints)}
    first = [known[k][0] if k in known else 0 for k in range(target.size)]
    midpoints = tuple((k, a, b) for k, (a, b) in known.items() if a != b)
    return _Conversion(np.array(first), midpoints, [k for k in range(target.size) if k not in known])
