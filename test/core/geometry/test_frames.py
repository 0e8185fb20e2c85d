# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.geometry.frames import FrameTree, NoTransformError, NotYetError, Pose, Transform
from hmr_ros.core.geometry.rotation import rotvec_to_quat, rotvec_to_rotmat

S = 1_000_000_000


def pose(xyz=(0, 0, 0), rotvec=(0, 0, 0)):
    return Pose(np.array(xyz, float), rotvec_to_quat(np.array(rotvec, float)))


@pytest.fixture
def tree():
    """Odom <- base (driving along x at 1 m/s, turning) <- camera (static); odom <- marker (static)."""
    tree = FrameTree()
    for k in range(11):
        tree.add("odom", "base", 100 * S + k * S // 10, pose((k / 10, 0, 0), (0, 0, k / 10)), is_static=False)
    tree.add("base", "camera", 0, pose((0, 0, 1), (0.5, 0, 0)), is_static=True)
    tree.add("odom", "marker", 0, pose((5, 0, 0)), is_static=True)
    return tree


def test_transforms_are_chained_and_interpolated(tree):
    at = 100 * S + S // 4
    point = np.array([[0.3, 0.2, 2.0]])
    in_base = point @ rotvec_to_rotmat(np.array([0.5, 0, 0])).T + [0, 0, 1]
    in_odom = in_base @ rotvec_to_rotmat(np.array([0, 0, 0.25])).T + [0.25, 0, 0]
    assert np.allclose(tree.lookup("odom", "camera", at)(point), in_odom)
    assert np.allclose(tree.lookup("marker", "camera", at)(point), in_odom - [5, 0, 0])
    assert np.allclose(tree.lookup("camera", "odom", at)(in_odom), point)
    assert np.allclose(tree.lookup("odom", "odom", at)(point), point)


def test_rotations_take_the_shorter_way():
    tree = FrameTree()
    tree.add("a", "b", 0, pose(rotvec=(0, 0, 3.0)), is_static=False)
    tree.add("a", "b", 2, pose(rotvec=(0, 0, -3.0)), is_static=False)
    assert np.allclose(tree.lookup("a", "b", 1).rotation, rotvec_to_rotmat(np.array([0, 0, np.pi])))


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [(101 * S + S // 2, r"base -> odom: .* 0.500 s after its newest"), (99 * S, "base -> odom: .* before its oldest")],
)
def test_nothing_is_extrapolated(tree, stamp, reason):
    with pytest.raises(NoTransformError, match=reason):
        tree.lookup("odom", "camera", stamp)


@pytest.mark.parametrize(("late_s", "likely"), [(0.05, True), (0.999, True), (1, False), (2, False)])
def test_only_what_is_a_little_late_is_likely_to_come(tree, late_s, likely):
    with pytest.raises(NoTransformError) as caught:
        tree.lookup("odom", "camera", 101 * S + int(late_s * S))
    assert isinstance(caught.value, NotYetError) == likely


def test_unknown_frames_are_named(tree):
    with pytest.raises(NoTransformError, match="camera and map are not connected"):
        tree.lookup("map", "camera", 100 * S)


def test_static_transforms_hold_at_any_time(tree):
    assert np.allclose(tree.lookup("base", "camera", 5 * S).translation, [0, 0, 1])


def test_samples_may_come_late_and_twice():
    tree = FrameTree()
    for k in (0, 2, 1, 1):
        tree.add("a", "b", k * S, pose((k, 0, 0)), is_static=False)
    assert np.allclose(tree.lookup("a", "b", S + S // 2).translation, [1.5, 0, 0])


def test_old_samples_are_forgotten():
    tree = FrameTree()
    for stamp in (0, S, 11 * S):
        tree.add("a", "b", stamp, pose(), is_static=False)
    tree.lookup("a", "b", S)
    with pytest.raises(NoTransformError):
        tree.lookup("a", "b", 0)


def test_time_may_start_anew(tree):
    tree.forget_moving()
    with pytest.raises(NoTransformError):
        tree.lookup("odom", "camera", 100 * S)
    tree.lookup("base", "camera", 100 * S)


def test_a_transform_from_long_before_starts_anew():
    tree = FrameTree()
    for stamp in (1000 * S, 1001 * S, 50 * S, 51 * S):
        tree.add("a", "b", stamp, pose((stamp / S, 0, 0)), is_static=False)
    assert np.allclose(tree.lookup("a", "b", 50 * S + S // 2).translation, [50.5, 0, 0])
    with pytest.raises(NoTransformError):
        tree.lookup("a", "b", 1000 * S)


def test_a_frame_may_change_its_parent(tree):
    tree.add("base", "marker", 0, pose((1, 0, 0)), is_static=True)
    assert np.allclose(tree.lookup("base", "marker", 0).translation, [1, 0, 0])


@pytest.mark.parametrize(("target", "source"), [("c", "a"), ("b", "a"), ("a", "b"), ("b", "camera"), ("camera", "c")])
def test_a_circle_is_named_and_leads_nowhere(target, source):
    """As with tf2: which of its ways is meant is not known, also between two of its frames."""
    tree = FrameTree()
    for parent, child in (("a", "b"), ("b", "a"), ("a", "camera")):
        tree.add(parent, child, 0, pose((1, 0, 0)), is_static=True)
    with pytest.raises(NoTransformError, match=r"circle.*(a -> b -> a|b -> a -> b)"):
        tree.lookup(target, source, 0)


def test_frames_far_below_the_root_are_found():
    tree = FrameTree()
    for k in range(300):
        tree.add(f"link{k}", f"link{k + 1}", 0, pose((1, 0, 0)), is_static=True)
    assert np.allclose(tree.lookup("link0", "link300", 0).translation, [300, 0, 0])


def test_a_frame_is_a_parent_while_others_are_given_in_it(tree):
    assert tree.is_parent("base")
    assert not tree.is_parent("camera")
    tree.add("odom", "camera", 0, pose(), is_static=True)
    assert not tree.is_parent("base")


def test_transforms_compose():
    first = Transform(rotvec_to_rotmat(np.array([0.1, 0.2, 0.3])), np.array([1.0, 2, 3]))
    then = Transform(rotvec_to_rotmat(np.array([-1.0, 0, 0.5])), np.array([0.0, 1, 0]))
    points = np.array([[0.5, -1, 2]])
    assert np.allclose(then.after(first)(points), then(first(points)))
    assert np.allclose(first.inverse()(first(points)), points)


def test_interpolation_is_as_near_as_its_time(tree):
    """A third of the way between two samples, whose rotations are about different axes."""
    tree = FrameTree()
    tree.add("a", "b", 0, pose((0, 3, 0), (0, 0, 0.2)), is_static=False)
    tree.add("a", "b", 30, pose((6, 0, 0), (0, 0, 0.8)), is_static=False)
    found = tree.lookup("a", "b", 10)
    assert np.allclose(found.translation, [2, 2, 0])
    assert np.allclose(found.rotation, rotvec_to_rotmat(np.array([0, 0, 0.4])))


def test_who_stands_still_keeps_the_rotation_to_the_last_digit():
    for rotvec in np.random.default_rng(0).normal(size=(60, 3)):  # of some the product with themselves exceeds 1
        tree = FrameTree()
        for stamp in (0, 10):
            tree.add("a", "b", stamp, pose(rotvec=rotvec), is_static=False)
        assert np.allclose(tree.lookup("a", "b", 3).rotation, rotvec_to_rotmat(rotvec))


@pytest.mark.parametrize("is_static", [True, False])
def test_of_two_samples_of_one_time_the_later_one_counts(is_static):
    tree = FrameTree()
    for x in (1.0, 2.0):
        tree.add("a", "b", S, pose((x, 0, 0)), is_static=is_static)
    tree.add("a", "b", 2 * S, pose((4, 0, 0)), is_static=is_static)
    assert tree.lookup("a", "b", S).translation[0] == (4 if is_static else 2)
    assert tree.lookup("a", "b", 2 * S).translation[0] == 4
    assert is_static or tree.lookup("a", "b", S + S // 2).translation[0] == 3


def test_a_sample_ten_seconds_late_is_of_the_same_time():
    tree = FrameTree()
    for stamp in (20 * S, 10 * S, 19 * S):
        tree.add("a", "b", stamp, pose((stamp / S, 0, 0)), is_static=False)
    assert tree.lookup("a", "b", 10 * S).translation[0] == 10
    assert tree.lookup("a", "b", 20 * S).translation[0] == 20


def test_a_frame_that_becomes_static_holds_at_any_time(tree):
    tree.add("odom", "base", 100 * S, pose((7, 0, 0)), is_static=True)
    assert tree.lookup("odom", "base", 5 * S).translation[0] == 7
    tree.add("odom", "base", 200 * S, pose((8, 0, 0)), is_static=False)
    with pytest.raises(NoTransformError):
        tree.lookup("odom", "base", 5 * S)
