# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS
from hmr_ros.training.motion import retarget as module
from hmr_ros.training.motion.bvh import read_bvh
from hmr_ros.training.motion.retarget import find_joint_map, retarget
from test.training.motion.bvh_files import OFFSET, PARENT, smooth_angles, write_bvh

UNIT = 0.0254 / 0.45
BONES = (("hip", "knee"), ("knee", "ankle"), ("collar", "shoulder"), ("shoulder", "elbow"), ("elbow", "wrist"))


def global_rotations(pose):
    rotations = rotvec_to_rotmat(pose.astype(np.float64))
    for j in range(1, 24):
        rotations[:, j] = rotations[:, SMPL_PARENTS[j]] @ rotations[:, j]
    return rotations


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def test_limbs_point_where_the_source_limbs_point(tmp_path):
    angles = smooth_angles(50, len(PARENT), scale=60)
    angles[:, [list(PARENT).index(n) for n in ("LeftHand", "RightHand")]] = 0  # no twist to share
    write_bvh(tmp_path / "x.bvh", angles)
    motion = read_bvh(tmp_path / "x.bvh")
    pose, _, _ = retarget(motion, UNIT)
    turns = global_rotations(pose)
    source = find_joint_map(motion.names).source
    for side in ("left", "right"):
        for start, end in BONES:
            a, b = (motion.index[source[f"{side}_{j}"][0]] for j in (start, end))
            expected = unit(motion.positions[:, b] - motion.positions[:, a])
            bone = module._STRAIGHT[SMPL.index(f"{side}_{end}")]
            actual = turns[:, SMPL.index(f"{side}_{start}")] @ unit(bone)
            np.testing.assert_allclose(actual, expected, atol=1e-4, err_msg=f"{side} {start}-{end}")


def test_the_same_skeleton_keeps_its_rotations(tmp_path):
    """A source with SMPL's own (straightened) bones: nothing to correct but the twist that the elbow shares."""
    joint_map = module.JOINT_MAPS[0]
    name = {j: joint_map.source[j][0] for j in joint_map.source}
    name_of_parent = {j: SMPL.joints[SMPL_PARENTS[SMPL.index(j)]] for j in name}
    parent = {n: None if j == "pelvis" else name[name_of_parent[j]] for j, n in name.items()}
    offset = {n: tuple(module._STRAIGHT[SMPL.index(j)]) for j, n in name.items()}
    parent["Neck1"], offset["Neck1"] = "Neck", (0, 0, 0)
    parent["Head"] = "Neck1"
    angles = smooth_angles(30, len(parent))
    still = [list(parent).index(n) for n in ("Neck1", "LeftHand", "RightHand")]
    angles[:, still] = 0
    position = np.random.default_rng(3).normal(size=(30, 3))
    write_bvh(tmp_path / "x.bvh", angles, position, parent, offset)
    motion = read_bvh(tmp_path / "x.bvh")
    pose, trans, leg = retarget(motion, 1.0)
    turns = global_rotations(pose)
    for joint, source in name.items():
        expected = motion.rotations[:, motion.index[source]]
        np.testing.assert_allclose(turns[:, SMPL.index(joint)], expected, atol=1e-5, err_msg=joint)
    np.testing.assert_allclose(trans, position, atol=0.01)  # straight legs are a little shorter than bent ones
    assert leg == pytest.approx(0.776, abs=0.01)


def test_rest_pose_stands_with_legs_apart_and_untwisted(tmp_path):
    write_bvh(tmp_path / "x.bvh", np.zeros((3, len(PARENT), 3)), np.full((3, 3), 10.0))
    pose, trans, leg = retarget(read_bvh(tmp_path / "x.bvh"), UNIT)
    trunk = [SMPL.index(j) for j in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")]
    np.testing.assert_allclose(pose[:, trunk], 0, atol=1e-6)
    left_hip = np.rad2deg(pose[0, SMPL.index("left_hip")])
    assert 12 < left_hip[2] < 25  # abducted as the source's rest pose is
    assert np.abs(left_hip[1]) < 3  # and not turned about its long axis
    np.testing.assert_allclose(
        np.rad2deg(pose[0, SMPL.index("left_knee")]), 0, atol=7
    )  # SMPL stands with knees a little bent
    assert np.all(np.abs(trans - 10 * UNIT) < 0.15)
    assert leg == pytest.approx(np.hypot(2.5, 6.9) * UNIT + np.hypot(2.6, 7.1) * UNIT, rel=1e-3)


def test_feet_keep_their_heading_and_flat_soles(tmp_path):
    offset = OFFSET | {"LeftToeBase": (1.4, 0.9, 2.1)}  # toes out, and far above the sole: only the heading counts
    write_bvh(tmp_path / "x.bvh", np.zeros((1, len(PARENT), 3)), offset=offset)
    ankle = global_rotations(retarget(read_bvh(tmp_path / "x.bvh"), UNIT)[0])[0, SMPL.index("left_ankle")]
    shin = unit(np.array(OFFSET["LeftFoot"], float))
    toes = module._across(ankle @ module._BONES[SMPL.index("left_foot")], shin)
    expected = module._across(np.array(offset["LeftToeBase"]), shin)
    assert unit(toes) @ unit(expected) > np.cos(np.deg2rad(0.1))
    assert (ankle @ (0, -1, 0)) @ shin > np.cos(np.deg2rad(7))


def test_half_of_the_wrist_twist_is_the_elbow_s(tmp_path):
    angles = np.zeros((1, len(PARENT), 3))
    angles[0, list(PARENT).index("LeftHand"), 2] = 60  # about x, the forearm
    write_bvh(tmp_path / "x.bvh", angles)
    pose, _, _ = retarget(read_bvh(tmp_path / "x.bvh"), UNIT)
    for joint in ("left_elbow", "left_wrist"):
        assert np.rad2deg(np.linalg.norm(pose[0, SMPL.index(joint)])) == pytest.approx(30, abs=2)


def test_name_space_is_ignored(tmp_path):
    angles = smooth_angles(4, len(PARENT))
    for name, prefix in (("plain", ""), ("prefixed", "mixamorig:")):
        write_bvh(tmp_path / f"{name}.bvh", angles, prefix=prefix)
    plain, prefixed = (retarget(read_bvh(tmp_path / f"{n}.bvh"), UNIT)[0] for n in ("plain", "prefixed"))
    np.testing.assert_array_equal(plain, prefixed)


def test_unusable_skeletons_are_explained(tmp_path):
    path = tmp_path / "x.bvh"
    angles = np.zeros((2, len(PARENT), 3))
    write_bvh(path, angles)
    with pytest.raises(ValueError, match=r"legs are 14.9 m long with 1 m per unit; set --bvh-unit"):
        retarget(read_bvh(path), 1.0)
    write_bvh(path, angles, offset={j: (x, z, y) for j, (x, y, z) in OFFSET.items()})
    with pytest.raises(ValueError, match="expected a rest pose that stands upright"):
        retarget(read_bvh(path), UNIT)
    renamed = {k.replace("Hand", "Paw"): v for k, v in PARENT.items()}
    write_bvh(path, angles, parent=renamed, offset={k.replace("Hand", "Paw"): v for k, v in OFFSET.items()})
    with pytest.raises(ValueError, match=r"needs \['LeftHand', 'RightHand'\], which the file lacks"):
        retarget(read_bvh(path), UNIT)


def test_every_known_hierarchy_names_a_source_for_each_joint_of_its_limbs():
    for joint_map in module.JOINT_MAPS:
        assert set(joint_map.source) >= {
            *module._TRUNK,
            *(f"{s}_{j}" for s in ("left", "right") for j in module._LIMBS),
        }
        assert find_joint_map((*joint_map.needed, "more")).needed <= joint_map.needed
    daz = module.JOINT_MAPS[2].source
    assert daz["left_foot"] == ()
    assert (daz["right_knee"], daz["spine2"]) == (("rShin",), ("abdomen", "chest"))


def test_sides_and_names_of_a_hierarchy_come_in_pairs():
    for sides, trunk in ((("Left",), "a b c d e f"), (("l", "r"), "a b c")):
        with pytest.raises(ValueError, match="zip"):
            module._joint_map("x", trunk, "{} " * 8, sides)


@pytest.mark.parametrize(("metres", "fits"), [(0.34, False), (0.36, True), (1.29, True), (1.31, False)])
def test_legs_are_between_a_childs_and_a_giants(tmp_path, metres, fits):
    write_bvh(tmp_path / "x.bvh", np.zeros((1, len(PARENT), 3)))
    motion = read_bvh(tmp_path / "x.bvh")
    unit = metres / (np.hypot(2.5, 6.9) + np.hypot(2.6, 7.1))
    if fits:
        assert retarget(motion, unit)[2] == pytest.approx(metres)
    else:
        with pytest.raises(ValueError, match="set --bvh-unit"):
            retarget(motion, unit)


def test_rotations_half_way():
    a, b = (rotvec_to_rotmat(np.array([[0, 0, angle]])) for angle in (0.2, 0.8))
    np.testing.assert_allclose(module._half_way(a, b), rotvec_to_rotmat(np.array([[0, 0, 0.5]])))


def test_a_foot_without_toes_cannot_be_turned(tmp_path):
    angles = np.zeros((1, len(PARENT), 3))
    write_bvh(tmp_path / "x.bvh", angles)
    motion = read_bvh(tmp_path / "x.bvh")
    source = module._Source(motion, find_joint_map(motion.names))
    motion.parents[motion.parents == motion.index["Head"]] = 0
    with pytest.raises(ValueError, match="joint 'Head' has no child"):
        source.rest_foot("head")
