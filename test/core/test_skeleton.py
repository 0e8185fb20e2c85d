# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.skeleton import (
    BLAZEPOSE,
    COCO,
    COCO17,
    COCO_FEET,
    HUMAN36M,
    HUMAN36M_EVAL,
    JOINT_SETS,
    SMPL,
    SMPL_PARENTS,
    convert_keypoints,
)


@pytest.mark.parametrize("joint_set", JOINT_SETS.values(), ids=JOINT_SETS)
def test_mirrors_are_involutions_between_sides(joint_set):
    mirror = joint_set.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(joint_set.size))
    for joint, partner in zip(joint_set.joints, mirror, strict=True):
        assert joint.replace("left_", "").replace("right_", "") in joint_set.joints[partner]
        assert (joint == joint_set.joints[partner]) == (not joint.startswith(("left_", "right_")))


@pytest.mark.parametrize("joint_set", JOINT_SETS.values(), ids=JOINT_SETS)
def test_bones_connect_trunk_and_limbs(joint_set):
    reached, previous = {"left_shoulder"}, set()
    while reached != previous:
        previous = set(reached)
        reached |= {joint for edge in joint_set.edges if reached & set(edge) for joint in edge}
    assert {
        j for j in joint_set.joints if j.endswith(("shoulder", "hip", "knee", "ankle", "elbow", "wrist"))
    } <= reached


def test_smpl_parents_are_its_bones():
    bones = {(SMPL.joints[SMPL_PARENTS[j]], SMPL.joints[j]) for j in range(1, SMPL.size)}
    assert bones == set(SMPL.edges)


def test_sizes_and_the_papers_subset():
    assert [s.size for s in (SMPL, HUMAN36M, COCO17, COCO, COCO_FEET, BLAZEPOSE)] == [24, 17, 17, 19, 21, 33]
    assert [HUMAN36M.index(j) for j in HUMAN36M_EVAL] == [1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16]


def test_an_unknown_joint_names_the_set():
    with pytest.raises(ValueError, match="'coco17' has no joint 'tail'"):
        COCO17.index("tail")


def test_conversion_goes_by_name(rng):
    kp2d, score = rng.random((2, 33, 2)), rng.random((2, 33))
    out, out_score = convert_keypoints(kp2d, score, BLAZEPOSE, COCO_FEET)
    for joint in COCO_FEET.joints:
        np.testing.assert_allclose(out[:, COCO_FEET.index(joint)], kp2d[:, BLAZEPOSE.index(joint)], rtol=1e-6)
        np.testing.assert_allclose(out_score[:, COCO_FEET.index(joint)], score[:, BLAZEPOSE.index(joint)], rtol=1e-6)


def test_conversion_makes_midpoints_and_leaves_holes(rng):
    kp2d, score = rng.random((1, 17, 2)), rng.random((1, 17))
    out, out_score = convert_keypoints(kp2d, score, COCO17, COCO)
    hips = [COCO17.index("left_hip"), COCO17.index("right_hip")]
    np.testing.assert_allclose(out[:, COCO.index("pelvis")], kp2d[:, hips].mean(1), rtol=1e-6)
    np.testing.assert_allclose(out_score[:, COCO.index("pelvis")], score[:, hips].min(1), rtol=1e-6)
    _, feet = convert_keypoints(kp2d, score, COCO17, COCO_FEET)
    assert feet[0, COCO_FEET.index("left_toe")] == 0
    assert (convert_keypoints(kp2d, score, COCO17, COCO_FEET)[0][0, -4:] == 0).all()


@pytest.mark.parametrize("joint_set", JOINT_SETS.values(), ids=JOINT_SETS)
def test_pairs_and_bones_are_joints_by_number(joint_set):
    names = joint_set.joints
    left = [name for name in names if name.startswith("left_")]
    assert [(names[a], names[b]) for a, b in joint_set.pairs] == [(n, n.replace("left", "right")) for n in left]
    assert tuple((names[a], names[b]) for a, b in joint_set.edge_indices) == joint_set.edges
    assert joint_set.pairs.dtype == joint_set.edge_indices.dtype == joint_set.mirror.dtype == np.int64


def test_a_midpoint_needs_both_sides_and_an_own_joint_goes_before_it(rng):
    kp2d, score = rng.random((1, 24, 2)), rng.random((1, 24))
    out, out_score = convert_keypoints(kp2d, score, SMPL, COCO)
    np.testing.assert_allclose(out[:, COCO.index("pelvis")], kp2d[:, SMPL.index("pelvis")], rtol=1e-6)
    np.testing.assert_allclose(out_score[:, COCO.index("neck")], score[:, SMPL.index("neck")], rtol=1e-6)
    assert (out_score[:, COCO.index("left_eye")] == 0).all()


def by_name(kp2d, score, source, target):
    """The slow reference of convert_keypoints: joint by joint."""
    out, out_score = np.zeros((len(kp2d), target.size, 2)), np.zeros((len(kp2d), target.size))
    for k, joint in enumerate(target.joints):
        sides = {"pelvis": "hip", "neck": "shoulder"}.get(joint)
        midpoint = [f"left_{sides}", f"right_{sides}"]
        parts = [joint] if joint in source.joints else midpoint
        if set(parts) <= set(source.joints):
            rows = [source.index(part) for part in parts]
            out[:, k], out_score[:, k] = kp2d[:, rows].mean(1), score[:, rows].min(1)
    return out.astype(np.float32), out_score.astype(np.float32)


@pytest.mark.parametrize("source", JOINT_SETS.values(), ids=JOINT_SETS)
@pytest.mark.parametrize("target", JOINT_SETS.values(), ids=JOINT_SETS)
@pytest.mark.parametrize("people", [0, 3])
def test_conversion_is_that_of_one_joint_after_the_other(source, target, people, rng):
    kp2d, score = rng.normal(0, 300, (people, source.size, 2)), rng.random((people, source.size))
    kp2d[:, ::5] = np.nan
    converted, expected = convert_keypoints(kp2d, score, source, target), by_name(kp2d, score, source, target)
    for actual, wanted in zip(converted, expected, strict=True):
        assert actual.dtype == np.float32
        np.testing.assert_array_equal(actual, wanted)
