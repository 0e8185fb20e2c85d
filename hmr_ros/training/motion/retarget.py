# SPDX-License-Identifier: Apache-2.0
"""A captured skeleton's motion on SMPL's: the same rotations since rest, corrected for different rest poses.

With D the global rotation of a source joint since its rest pose and C the smallest rotation that lays SMPL's rest
bone onto the source's rest bone, the SMPL joint's global rotation is D C. C is built down each limb from its parent's,
so that legs apart, arms down or arms out at rest add no twist. The trunk and head take C = 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Float32s, Float64s
from hmr_ros.core.geometry.rotation import rotation_between, rotmat_to_quat, rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS
from hmr_ros.training.motion.bvh import BvhMotion

_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
_LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
_LEG_RANGE = (0.35, 1.3)
"""m. A thigh and shin outside of it mean a wrong unit."""


@dataclass(frozen=True)
class JointMap:
    """For each SMPL joint the source joint it follows; two mean half way between them, none means its parent."""

    name: str
    source: Mapping[str, tuple[str, ...]]

    @property
    def needed(self) -> set[str]:
        """Names that a file must have."""
        return {name for names in self.source.values() for name in names}


def _joint_map(name: str, trunk: str, limb: str, sides: tuple[str, str]) -> JointMap:
    source = {j: tuple(words.split("+")) for j, words in zip(_TRUNK, trunk.split(), strict=True)}
    for side, word in zip(("left", "right"), sides, strict=True):
        for joint, pattern in zip(_LIMBS, limb.split(), strict=True):
            source[f"{side}_{joint}"] = () if pattern == "-" else (pattern.format(word),)
    return JointMap(name, source)


JOINT_MAPS = (
    _joint_map(
        "CMU, MotionBuilder",
        "Hips LowerBack Spine Spine1 Neck+Neck1 Head",
        "{}UpLeg {}Leg {}Foot {}ToeBase {}Shoulder {}Arm {}ForeArm {}Hand",
        ("Left", "Right"),
    ),
    _joint_map(
        "CMU, 3ds Max",
        "Hips lowerback Chest Chest2 lowerneck+Neck Head",
        "{}Hip {}Knee {}Ankle {}Toe {}Collar {}Shoulder {}Elbow {}Wrist",
        ("Left", "Right"),
    ),
    _joint_map(
        "CMU, Daz",
        "hip abdomen abdomen+chest chest neck head",
        "{}Thigh {}Shin {}Foot - {}Collar {}Shldr {}ForeArm {}Hand",
        ("l", "r"),
    ),
    _joint_map(
        "Mixamo",
        "Hips Spine Spine1 Spine2 Neck Head",
        "{}UpLeg {}Leg {}Foot {}ToeBase {}Shoulder {}Arm {}ForeArm {}Hand",
        ("Left", "Right"),
    ),
)
"""Known hierarchies, tried in this order; a name space ("mixamorig:") before the joint names is ignored."""

REST = {
    "pelvis": (0.0, -0.223, 0.028),
    "left_hip": (0.068, -0.315, 0.021),
    "spine1": (0.0, -0.114, 0.002),
    "left_knee": (0.102, -0.690, 0.017),
    "spine2": (0.0, 0.021, 0.003),
    "left_ankle": (0.088, -1.088, -0.027),
    "spine3": (0.0, 0.074, 0.028),
    "left_foot": (0.115, -1.144, 0.093),
    "neck": (0.0, 0.288, -0.015),
    "left_collar": (0.080, 0.194, -0.008),
    "head": (0.0, 0.353, 0.037),
    "left_shoulder": (0.174, 0.226, -0.017),
    "left_elbow": (0.430, 0.213, -0.042),
    "left_wrist": (0.683, 0.221, -0.045),
    "left_hand": (0.767, 0.214, -0.058),
}
"""m. An average adult's joints in SMPL's rest pose, rounded; the right side is the mirror image."""


def _rest_joints() -> Float64s:
    flip = np.array([-1, 1, 1])
    joints: Float64s = np.array([REST[j] if j in REST else REST["left_" + j[6:]] * flip for j in SMPL.joints])
    return joints


_BONES: Float64s = _rest_joints() - _rest_joints()[SMPL_PARENTS.clip(0)]
"""(24, 3) m from each joint's parent to the joint."""


def _straightened_bones() -> Float64s:
    """Bones of which each leg and each arm is a straight line from the front.

    SMPL's knees and elbows lie a few degrees off the line in its rest pose. That is where its joints are, not how the
    body is bent, so it must not become a bend of the source's.
    """
    bones = _BONES.copy()
    for side in ("left", "right"):
        for (upper, lower), along, across in ((("knee", "ankle"), 1, 0), (("elbow", "wrist"), 0, 1)):
            pair = [SMPL.index(f"{side}_{upper}"), SMPL.index(f"{side}_{lower}")]
            whole = bones[pair].sum(0)
            bones[pair, across] = whole[across] / whole[along] * bones[pair, along]
    return bones


_STRAIGHT = _straightened_bones()


def find_joint_map(names: tuple[str, ...]) -> JointMap:
    """The first known hierarchy whose joints are all in ``names``; ValueError names what the closest one lacks."""
    for joint_map in JOINT_MAPS:
        if joint_map.needed <= set(names):
            return joint_map
    closest = min(JOINT_MAPS, key=lambda m: len(m.needed - set(names)))
    missing = sorted(closest.needed - set(names))
    raise ValueError(
        f"unknown skeleton: the closest known one ({closest.name}) needs {missing}, which the file lacks; "
        f"it has {list(names)}"
    )


@dataclass(frozen=True, eq=False)
class _Source:
    """A captured motion addressed by SMPL joint names."""

    motion: BvhMotion
    joint_map: JointMap

    def _number(self, joint: str) -> int:
        return self.motion.index[self.joint_map.source[joint][0]]

    def follows(self, joint: str) -> bool:
        """Whether the source has this joint."""
        return bool(self.joint_map.source[joint])

    def rotation(self, joint: str) -> Float64s:
        """(T, 3, 3) global rotation since rest."""
        rotations = [self.motion.rotations[:, self.motion.index[n]] for n in self.joint_map.source[joint]]
        return _half_way(rotations[0], rotations[-1])

    def rest(self, joint: str) -> Float64s:
        """(3,) position at rest, file units."""
        return np.asarray(self.motion.rest[self._number(joint)])

    def position(self, joint: str) -> Float64s:
        """(T, 3), file units."""
        return np.asarray(self.motion.positions[:, self._number(joint)])

    def rest_bone(self, start: str, end: str) -> Float64s:
        """(3,) from one joint to another at rest."""
        return np.asarray(self.rest(end) - self.rest(start))

    def rest_foot(self, ankle: str) -> Float64s:
        """(3,) from the ankle to whatever the file hangs on it: toes or an end site."""
        child = self.motion.first_child(self._number(ankle))
        if child is None:
            raise ValueError(f"joint {self.joint_map.source[ankle][0]!r} has no child: which way does the foot point?")
        return np.asarray(self.motion.rest[child] - self.rest(ankle))


def _half_way(a: Float64s, b: Float64s) -> Float64s:
    """(T, 3, 3) the rotations half way from ``a`` to ``b``."""
    return np.asarray(a @ rotvec_to_rotmat(0.5 * rotmat_to_rotvec(a.swapaxes(-1, -2) @ b)))


def _unprefixed(motion: BvhMotion) -> BvhMotion:
    names = tuple(name.rpartition(":")[2] for name in motion.names)
    return BvhMotion(names, motion.parents, motion.rest, motion.rotations, motion.positions, motion.fps)


def retarget(motion: BvhMotion, metres_per_unit: float) -> tuple[Float32s, Float32s, float]:
    """``pose`` (T, 24, 3) axis-angle, ``trans`` (T, 3) m pelvis position, and the length of thigh plus shin in m.

    ValueError when the skeleton is unknown, its rest pose does not stand upright facing +z, or the unit is wrong.
    """
    motion = _unprefixed(motion)
    source = _Source(motion, find_joint_map(motion.names))
    leg = _leg_length(source) * metres_per_unit
    _check_rest(source)
    if not _LEG_RANGE[0] < leg < _LEG_RANGE[1]:
        raise ValueError(f"legs are {leg:.3g} m long with {metres_per_unit:g} m per unit; set --bvh-unit")
    rotations = _global_rotations(source)
    bones = _BONES * leg / np.linalg.norm(_BONES[_numbers("left_knee", "left_ankle")], axis=1).sum()
    hips = (source.position("left_hip") + source.position("right_hip")) / 2 * metres_per_unit
    trans = hips - rotations[:, 0] @ bones[_numbers("left_hip", "right_hip")].mean(0)
    local = rotations.copy()
    local[:, 1:] = rotations[:, SMPL_PARENTS[1:]].swapaxes(-1, -2) @ rotations[:, 1:]
    return rotmat_to_rotvec(local).astype(np.float32), trans.astype(np.float32), leg


def _numbers(*joints: str) -> list[int]:
    return [SMPL.index(j) for j in joints]


def _leg_length(source: _Source) -> float:
    bones = [
        source.rest_bone(f"{s}_{a}", f"{s}_{b}")
        for s in ("left", "right")
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    return float(np.linalg.norm(bones, axis=1).sum() / 2)


def _check_rest(source: _Source) -> None:
    up = source.rest_bone("left_ankle", "head")
    across = source.rest_bone("right_hip", "left_hip")
    if up.argmax() != 1 or across.argmax() != 0:
        raise ValueError(
            "expected a rest pose that stands upright along +y and faces +z (left side at +x), got "
            f"ankle to head {up.round(2).tolist()}, right to left hip {across.round(2).tolist()}"
        )


def _global_rotations(source: _Source) -> Float64s:
    """(T, 24, 3, 3) global rotations of SMPL's joints."""
    rotations = np.zeros((len(source.motion.positions), SMPL.size, 3, 3))
    for joint in _TRUNK:
        rotations[:, SMPL.index(joint)] = source.rotation(joint)
    for side in ("left", "right"):
        _rotate_leg(source, side, rotations)
        _rotate_arm(source, side, rotations)
    return rotations


def _lay(correction: Float64s, joint: str, bone: Float64s) -> Float64s:
    """Carry ``correction`` (3, 3) on to the bone that ends in SMPL's ``joint`` and is ``bone`` in the source's rest."""
    return np.asarray(rotation_between(correction @ _STRAIGHT[SMPL.index(joint)], bone) @ correction)


def _rotate_leg(source: _Source, side: str, rotations: Float64s) -> None:
    """Hip, knee, ankle and foot of ``rotations``, in place.

    ``rotations`` (T, 24, 3, 3) global.
    """
    hip, knee, ankle, foot = (f"{side}_{j}" for j in _LIMBS[:4])
    correction = np.eye(3)
    for start, end in ((hip, knee), (knee, ankle)):
        correction = _lay(correction, end, source.rest_bone(start, end))
        rotations[:, SMPL.index(start)] = source.rotation(start) @ correction
    # Ankle joints lie at different heights above the sole, so the bone's pitch means nothing: only its heading counts.
    shin = source.rest_bone(knee, ankle)
    heading = rotation_between(
        _across(correction @ _BONES[SMPL.index(foot)], shin), _across(source.rest_foot(ankle), shin)
    )
    correction = heading @ correction
    rotations[:, SMPL.index(ankle)] = source.rotation(ankle) @ correction
    rotations[:, SMPL.index(foot)] = source.rotation(foot if source.follows(foot) else ankle) @ correction


def _across(v: Float64s, axis: Float64s) -> Float64s:
    """The part of ``v`` (3,) at right angles to ``axis`` (3,)."""
    return np.asarray(v - axis * (v @ axis) / (axis @ axis))


def _rotate_arm(source: _Source, side: str, rotations: Float64s) -> None:
    """Collar, shoulder, elbow, wrist and hand of ``rotations``, in place.

    ``rotations`` (T, 24, 3, 3) global.
    """
    collar, shoulder, elbow, wrist = (f"{side}_{j}" for j in _LIMBS[4:])
    correction = np.eye(3)
    for start, end in ((collar, shoulder), (shoulder, elbow), (elbow, wrist)):
        correction = _lay(correction, end, source.rest_bone(start, end))
        rotations[:, SMPL.index(start)] = source.rotation(start) @ correction
    rotations[:, SMPL.index(wrist)] = rotations[:, SMPL.index(f"{side}_hand")] = source.rotation(wrist) @ correction
    _halve_twist(rotations, SMPL.index(elbow), SMPL.index(wrist))


def _halve_twist(rotations: Float64s, elbow: int, wrist: int) -> None:
    """Give half of the wrist's twist about the forearm to the elbow, in place, as skin and bones do.

    ``rotations`` (T, 24, 3, 3) global; ``elbow`` and ``wrist`` are joint numbers.
    """
    axis = _BONES[wrist] / np.linalg.norm(_BONES[wrist])
    quat = rotmat_to_quat(rotations[:, elbow].swapaxes(-1, -2) @ rotations[:, wrist])
    twist = 2 * np.arctan2(quat[:, :3] @ axis, quat[:, 3])
    twist = (twist + np.pi) % (2 * np.pi) - np.pi
    rotations[:, elbow] = rotations[:, elbow] @ rotvec_to_rotmat(0.5 * twist[:, None] * axis)
