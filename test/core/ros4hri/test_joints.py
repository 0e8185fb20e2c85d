# SPDX-License-Identifier: Apache-2.0
"""SMPL's rotations as revolute joints: what must be exact is exact over thousands of poses, and the rest as near as
stated.
"""

import numpy as np
import pytest

from hmr_ros.core.body.skinning import chained_joints, world_rotations
from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotvec_to_rotmat
from hmr_ros.core.ros4hri.body_frame import ROS_FROM_SMPL
from hmr_ros.core.ros4hri.joints import HUMAN_JOINTS, REVOLUTE_JOINT_LIMITS, REVOLUTE_JOINTS, human_angles, wrapped
from hmr_ros.core.ros4hri.urdf import joint_origins, joint_rotations
from hmr_ros.core.skeleton import SMPL

BONES = {
    f"{s}_{link}": (f"{side}_{start}", f"{side}_{end}")
    for s, side in (("l", "left"), ("r", "right"))
    for link, start, end in (
        ("shoulder", "shoulder", "elbow"),
        ("elbow", "elbow", "wrist"),
        ("hip", "hip", "knee"),
        ("knee", "knee", "ankle"),
    )
}
"""Link -> the SMPL joints between which it points down."""

STOCK_LIMITS = {
    "waist": (-0.2, 1.0),
    "r_head": (-1.0, 1.0),
    "y_head": (-1.4, 1.4),
    "p_head": (-1.5, 1.5),
    "y_shoulder": (-1.1, 1.9),
    "p_shoulder": (-0.4, 3.3),
    "r_shoulder": (-1.7, 1.5),
    "elbow": (0.0, 2.5),
    "y_hip": (-0.1, 0.6),
    "p_hip": (-0.4, 3.3),
    "r_hip": (-0.4, 0.7),
    "knee": (-2.5, 0.0),
}
"""Of human_description."""


@pytest.fixture(scope="module")
def rest(exact_body):
    return exact_body.rest_joints(np.zeros((1, 10)))


def posed(pose, rest):
    """World rotations (P, 24, 3, 3) and joints (P, 24, 3) of ``pose`` (P, 24, 3)."""
    world = world_rotations(rotvec_to_rotmat(pose))
    return world, chained_joints(world, np.broadcast_to(rest, (len(pose), 24, 3)))


def angles_of(pose, rest, last=None):
    world, joints = posed(pose, rest)
    return human_angles(world, joints, np.broadcast_to(rest, joints.shape), last)


def one_pose(**rotations):
    pose = np.zeros((1, 24, 3))
    for joint, rotvec in rotations.items():
        pose[0, SMPL.index(joint)] = rotvec
    return pose


def named(angles):
    return dict(zip([revolute.name for revolute in REVOLUTE_JOINTS], angles, strict=True))


def link_rotations(angles, body):
    """World rotations (P, 3, 3) of every link."""
    local = quat_to_rotmat(joint_rotations(angles))
    world = {"body": body}
    for k, joint in enumerate(HUMAN_JOINTS):
        world[joint.child] = world[joint.parent] @ local[:, k]
    return world


def direction_errors(pose, rest, angles):
    """Angle (P,) rad between each bone of the description, from one joint to the next, and SMPL's."""
    world, joints = posed(pose, rest)
    links = link_rotations(angles, world[:, 0] @ ROS_FROM_SMPL.T)
    origins = {joint.parent: origin for joint, origin in zip(HUMAN_JOINTS, joint_origins(rest)[0], strict=True)}
    errors = {}
    for link, (start, end) in BONES.items():
        bone = joints[:, SMPL.index(end)] - joints[:, SMPL.index(start)]
        difference = (links[link] @ origins[link] - bone) / np.linalg.norm(bone, axis=-1, keepdims=True)
        errors[link] = 2 * np.arcsin(np.linalg.norm(difference, axis=-1) / 2)
    return errors


def bends(pose, rest):
    """Angle (P,) rad by which each distal bone is bent against its proximal one."""
    _, joints = posed(pose, rest)
    out = {}
    for s, side in (("l", "left"), ("r", "right")):
        for distal, chain in (("elbow", "shoulder elbow wrist"), ("knee", "hip knee ankle")):
            a, b, c = (joints[:, SMPL.index(f"{side}_{part}")] for part in chain.split())
            cosine = ((b - a) * (c - b)).sum(-1) / np.linalg.norm(b - a, axis=-1) / np.linalg.norm(c - b, axis=-1)
            out[f"{s}_{distal}"] = np.arccos(np.clip(cosine, -1, 1))
    return out


def random_poses(rng, count, joint_error=0.5):
    pose = rng.normal(0, joint_error, (count, 24, 3))
    pose[:, 0] = rng.normal(0, 2, (count, 3))
    return pose


def test_bones_and_head_are_exact_in_any_pose(rng, rest):
    pose = random_poses(rng, 5000)
    angles = angles_of(pose, rest)
    errors, bend = direction_errors(pose, rest, angles), bends(pose, rest)
    for link in ("l_shoulder", "r_shoulder", "l_hip", "r_hip"):
        assert errors[link].max() < 1e-7, link
    for link, bent in bend.items():
        assert errors[link][bent > 0.18].max() < 1e-7, link
        assert errors[link].max() < 0.19, link
    world, _ = posed(pose, rest)
    links = link_rotations(angles, world[:, 0] @ ROS_FROM_SMPL.T)
    assert np.abs(links["head"] - world[:, SMPL.index("head")] @ ROS_FROM_SMPL.T).max() < 1e-9


def test_nearly_straight_limbs_are_off_by_less_than_stated(rng, rest):
    pose = random_poses(rng, 5000, joint_error=0.06)
    pose[:, [SMPL.index(f"{side}_shoulder") for side in ("left", "right")]] = rng.normal(0, 1, (5000, 2, 3))
    errors = direction_errors(pose, rest, angles_of(pose, rest))
    worst = max(error.max() for error in errors.values())
    assert 0.01 < worst < 0.19


def test_signs_of_the_description(rest):
    """Angle zero is standing with hanging arms; T-pose lifts both; revolute joints bend as people do."""
    t_pose = named(angles_of(one_pose(), rest)[0])
    assert t_pose["l_p_shoulder"] == pytest.approx(np.pi / 2, abs=0.05)
    assert t_pose["r_p_shoulder"] == pytest.approx(np.pi / 2, abs=0.05)
    others = {name: angle for name, angle in t_pose.items() if "p_shoulder" not in name}
    assert max(abs(angle) for angle in others.values()) < 0.1

    nod = named(angles_of(one_pose(head=[0.3, 0, 0]), rest)[0])
    assert nod["p_head"] == pytest.approx(-0.3, abs=1e-6)  # about -y: looking down is negative
    turn = named(angles_of(one_pose(head=[0, 0.4, 0]), rest)[0])
    assert turn["y_head"] == pytest.approx(0.4, abs=1e-6)  # to the left
    lean = named(angles_of(one_pose(spine1=[0.5, 0, 0]), rest)[0])
    assert 0.3 < lean["waist"] < 0.6
    seat = one_pose(left_hip=[-1.5, 0, 0], right_hip=[-1.5, 0, 0], left_knee=[1.3, 0, 0], right_knee=[1.3, 0, 0])
    sitting = named(angles_of(seat, rest)[0])
    assert sitting["l_r_hip"] == pytest.approx(1.5, abs=0.1)
    assert sitting["l_knee"] == pytest.approx(-1.3, abs=0.1)
    curl = named(angles_of(one_pose(left_elbow=[0, -1.2, 0], right_elbow=[0, 1.2, 0]), rest)[0])
    assert curl["l_elbow"] == pytest.approx(1.2, abs=0.1)
    assert curl["r_elbow"] == pytest.approx(1.2, abs=0.1)


def test_mirrored_poses_have_mirrored_angles(rng, rest):
    """Equal angles left and right; roll and yaw of the head, and hip yaw, whose axes are not mirrored, change sign."""
    rest = (rest + rest[:, SMPL.mirror] * [-1, 1, 1]) / 2  # exactly symmetric
    pose = random_poses(rng, 500, joint_error=0.3)
    mirrored = (pose * [1, -1, -1])[:, SMPL.mirror]
    one, other = angles_of(pose, rest), angles_of(mirrored, rest)
    for k, revolute in enumerate(REVOLUTE_JOINTS):
        on_side = revolute.name.startswith(("l_", "r_")) and revolute.name != "r_head"
        partner = {"l": "r", "r": "l"}[revolute.name[0]] + revolute.name[1:] if on_side else revolute.name
        sign = -1 if revolute.name in ("r_head", "y_head") or "y_hip" in revolute.name else 1
        column = [h.name for h in REVOLUTE_JOINTS].index(partner)
        difference = np.abs(wrapped(one[:, k] - sign * other[:, column]))
        assert np.median(difference) < 1e-9, revolute.name
        assert (difference > 1e-6).mean() < 0.03, revolute.name  # ties between two solutions


def hanging(rng, count, noise):
    """A person whose arms hang, measured ``count`` times."""
    pose = np.zeros((count, 24, 3))
    for side, sign in (("left", -1), ("right", 1)):
        pose[:, SMPL.index(f"{side}_shoulder")] = [0.05, 0, sign * (np.pi / 2 - 0.03)]
        pose[:, SMPL.index(f"{side}_elbow")] = [0, sign * 0.3, 0]
    return pose + rng.normal(0, noise, pose.shape)


def test_hanging_arms_do_not_tremble(rng, rest):
    """The shoulder's first and third axis coincide there: alone, the angles jump from image to image."""
    poses = hanging(rng, 300, 0.02)
    alone = angles_of(poses, rest)
    followed, last = [], None
    for pose in poses:
        last = angles_of(pose[None], rest, last)
        followed.append(last[0])
    y = [k for k, revolute in enumerate(REVOLUTE_JOINTS) if revolute.name.endswith("y_shoulder")]
    steps_alone = np.abs(wrapped(np.diff(alone[:, y], axis=0))).mean()
    steps = np.abs(wrapped(np.diff(np.array(followed)[:, y], axis=0))).mean()
    assert steps < 0.35 * steps_alone
    errors = direction_errors(poses, rest, np.array(followed))
    for link in ("l_shoulder", "r_shoulder"):
        assert errors[link].max() < 0.036
    for link in ("l_elbow", "r_elbow"):
        assert errors[link].max() < 1e-7  # the forearm makes up for it


def test_a_resting_arm_settles_on_the_exact_direction(rng, rest):
    pose = hanging(rng, 1, 0)
    exact = angles_of(pose, rest)
    angles = exact + 0.4
    for _ in range(200):
        angles = angles_of(pose, rest, angles)
    assert np.allclose(direction_errors(pose, rest, angles)["l_shoulder"], 0, atol=1e-6)


def test_elbows_and_knees_pass_through_straight_without_a_flip(rest):
    """From a little overstretched to bent the angle changes its sign, and no other angle moves much."""
    bends = np.linspace(-0.18, 0.5, 200)
    pose = np.zeros((len(bends), 24, 3))
    pose[:, SMPL.index("left_elbow"), 1] = -bends
    pose[:, SMPL.index("right_knee"), 0] = bends
    angles = angles_of(pose, rest)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.05
    for revolute, sign in (("l_elbow", 1), ("r_knee", -1)):
        column = sign * angles[:, [h.name for h in REVOLUTE_JOINTS].index(revolute)]
        assert (np.diff(column) > 0).all()
        assert column[0] < -0.1
        assert column[-1] > 0.4


def test_no_people():
    assert human_angles(np.zeros((0, 24, 3, 3)), np.zeros((0, 24, 3)), np.zeros((0, 24, 3))).shape == (0, 20)


def test_the_joints_are_those_of_human_description():
    sides = ["y_shoulder", "p_shoulder", "r_shoulder", "elbow", "wrist", "y_hip", "p_hip", "r_hip", "knee", "ankle"]
    trunk = ["waist", "torso", "r_head", "y_head", "p_head", "head"]
    assert {joint.name for joint in HUMAN_JOINTS} == {*trunk, *(f"{s}_{part}" for s in "lr" for part in sides)}
    known = {"body"}
    for joint in HUMAN_JOINTS:
        assert joint.parent in known, joint.name
        known.add(joint.child)
    assert len(REVOLUTE_JOINTS) == 20


def test_limits_contain_those_of_human_description():
    for revolute, (low, high) in zip(REVOLUTE_JOINTS, REVOLUTE_JOINT_LIMITS, strict=True):
        stock_low, stock_high = STOCK_LIMITS.get(revolute.name) or STOCK_LIMITS[revolute.name[2:]]
        assert low <= stock_low <= stock_high <= high, revolute.name
