# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.geometry.virtual_camera import FARTHEST_OFF_AXIS, LEAST_BODY, to_upright_camera, to_virtual_camera
from hmr_ros.core.skeleton import JOINT_SETS


def person(rng, joints=21):
    """A cloud of joints 3 m before the camera, and its rays."""
    points = rng.normal(0, 0.4, (1, joints, 3)) + [0, 0, 3]
    return points, points[..., :2] / points[..., 2:]


def test_rotating_the_camera_changes_nothing_but_the_rotation(rng):
    """The same people seen by a camera that was turned: same input to the network, another way back."""
    points, normalized = person(rng)
    score = np.ones(normalized.shape[:2])
    straight = to_virtual_camera(normalized, score)
    for angle in (-0.5, 0.2, 0.6):
        turned = points @ rotvec_to_rotmat(np.array([0.3 * angle, angle, 0.0])).T
        view = to_virtual_camera(turned[..., :2] / turned[..., 2:], score)
        np.testing.assert_allclose(view.context, straight.context, atol=1e-6)
        radius = [np.linalg.norm(v.keypoints[..., :2], axis=-1) for v in (view, straight)]
        np.testing.assert_allclose(*radius, atol=1e-5)


def test_normalized_coordinates_come_back(rng):
    _, normalized = person(rng)
    normalized = normalized + [0.7, -0.4]
    view = to_virtual_camera(normalized, np.ones(normalized.shape[:2]))
    xy = view.keypoints[..., :2] * np.exp(view.context)[:, None]
    directions = np.concatenate([xy, np.ones_like(xy[..., :1])], -1) @ view.optical_from_virtual.transpose(0, 2, 1)
    np.testing.assert_allclose(directions[..., :2] / directions[..., 2:], normalized, atol=1e-5)


def test_a_centred_person_has_unit_size(rng):
    _, normalized = person(rng)
    view = to_virtual_camera(normalized, np.ones(normalized.shape[:2]))
    assert np.sqrt((view.keypoints[..., :2] ** 2).sum(-1).mean()) == pytest.approx(1, abs=1e-5)


def test_missing_keypoints_are_zero_and_do_not_count(rng):
    _, normalized = person(rng)
    score = np.ones(normalized.shape[:2])
    score[:, 5] = 0
    spoilt = normalized.copy()
    spoilt[:, 5] = np.nan
    with_nan, without = to_virtual_camera(spoilt, score), to_virtual_camera(normalized, score)
    np.testing.assert_array_equal(with_nan.keypoints[:, 5], 0)
    np.testing.assert_array_equal(with_nan.keypoints, without.keypoints)


def test_too_few_keypoints_are_not_ok(rng):
    _, normalized = person(rng)
    score = np.zeros(normalized.shape[:2])
    score[:, : MIN_KEYPOINTS - 1] = 1
    view = to_virtual_camera(normalized, score)
    assert not view.ok.any()
    np.testing.assert_array_equal(view.keypoints, 0)
    np.testing.assert_array_equal(view.context, 0)
    np.testing.assert_array_equal(view.optical_from_virtual, np.eye(3)[None])
    score[:, MIN_KEYPOINTS - 1] = 1
    assert to_virtual_camera(normalized, score).ok.all()


def test_no_people():
    view = to_virtual_camera(np.zeros((0, 21, 2)), np.zeros((0, 21)))
    assert view.keypoints.shape == (0, 21, 3)
    assert view.optical_from_virtual.shape == (0, 3, 3)


def test_a_person_far_off_the_axis_is_seen_as_one_on_it():
    """81 degrees to the side, as a fisheye sees them: the same person, on the axis of their own camera."""
    points = np.random.default_rng(0).normal(0, 0.2, (1, 21, 3)) + [0, 0, 3]
    angle = np.deg2rad(81)
    turned = points @ rotvec_to_rotmat(np.array([0.0, angle, 0.0])).T
    assert (turned[..., 2] > 0).all()
    far, near = (to_virtual_camera(p[..., :2] / p[..., 2:], np.ones((1, 21))) for p in (turned, points))
    np.testing.assert_allclose(far.context, near.context, atol=1e-4)
    np.testing.assert_allclose(far.optical_from_virtual[0, :, 2], [np.sin(angle), 0, np.cos(angle)], atol=0.05)


def test_a_keypoint_beside_the_virtual_camera_stays_finite_and_on_its_side(rng):
    """A keypoint of somebody else, 120 degrees from the person's direction, has no x/z there."""
    points, _ = person(rng)
    points = points @ rotvec_to_rotmat(np.array([0.0, np.deg2rad(60), 0.0])).T
    normalized = points[..., :2] / np.maximum(points[..., 2:], 0.3)
    normalized[0, 3] = [np.tan(np.deg2rad(-60)), 0.0]
    view = to_virtual_camera(normalized, np.ones((1, 21)))
    xy = view.keypoints[..., :2] * np.exp(view.context)[:, None]
    assert np.isfinite(xy).all()
    assert np.abs(xy).max() <= 1 / FARTHEST_OFF_AXIS + 1e-4
    assert xy[0, 3, 0] == xy[0, :, 0].min() < -5


def test_bodies_far_away_look_as_large_as_those_that_networks_know_but_hands_do_not(rng):
    points, _ = person(rng)
    far = points + [0, 0, 30]
    view = to_virtual_camera(far[..., :2] / far[..., 2:], np.ones((1, 21)))
    np.testing.assert_allclose(np.exp(view.context), LEAST_BODY, rtol=1e-6)
    assert np.sqrt((view.keypoints[..., :2] ** 2).sum(-1).mean()) == pytest.approx(1, abs=1e-5)
    hand = to_virtual_camera(far[..., :2] / far[..., 2:], np.ones((1, 21)), least_size=0)
    assert np.exp(hand.context) < LEAST_BODY / 2


def standing():
    """(1, J, 2) keypoints of a person who stands with the arms half raised, normalized image coordinates."""
    rows = JOINT_SETS["coco_feet"]
    points = np.zeros((1, rows.size, 2))
    points[0, rows.index("nose"), 1] = -0.6
    parts = {"ear": (0.07, -0.62), "eye": (0.03, -0.65), "shoulder": (0.18, -0.5), "elbow": (0.35, -0.3)}
    parts |= {"wrist": (0.5, -0.4), "hip": (0.1, 0.0), "knee": (0.15, 0.4), "ankle": (0.2, 0.85)}
    parts |= {"heel": (0.19, 0.9), "big_toe": (0.25, 0.95)}
    for side, sign in (("left", 1), ("right", -1)):
        for part, (x, y) in parts.items():
            if (name := f"{side}_{part}") in rows.joints:
                points[0, rows.index(name)] = [sign * x, y]
    return points / 3


def about_axis(degrees):
    """(3, 3) rotation that turns the image clockwise."""
    return rotvec_to_rotmat(np.array([0.0, 0.0, np.deg2rad(degrees)]))


@pytest.mark.parametrize("degrees", [135, 160, 180, -140, -175])
def test_whose_head_is_below_the_hips_is_shown_upright_and_turned_back(degrees):
    """The network sees what it sees of those who stand, and its outputs come back turned."""
    upright, turn = standing(), about_axis(degrees)
    score = np.ones(upright.shape[:2])
    score[:, [JOINT_SETS["coco_feet"].index(f"{side}_wrist") for side in ("left", "right")]] = 0
    straight = to_upright_camera(upright, score, "coco_feet")
    turned = to_upright_camera(upright @ turn[:2, :2].T, score, "coco_feet")
    np.testing.assert_allclose(turned.keypoints, straight.keypoints, atol=1e-5)
    np.testing.assert_allclose(turned.context, straight.context, atol=1e-6)
    np.testing.assert_allclose(turned.optical_from_virtual[0], turn @ straight.optical_from_virtual[0], atol=1e-5)


@pytest.mark.parametrize("degrees", [0, 30, -60, 89, -89])
def test_who_lies_is_shown_as_the_camera_sees_them(degrees):
    points = standing() @ about_axis(degrees)[:2, :2].T
    score = np.ones(points.shape[:2])
    shown, seen = to_upright_camera(points, score, "coco_feet"), to_virtual_camera(points, score)
    np.testing.assert_array_equal(shown.keypoints, seen.keypoints)
    np.testing.assert_array_equal(shown.optical_from_virtual, seen.optical_from_virtual)


def test_no_body_jumps_as_people_turn_over():
    """A degree more or less moves keypoints by little more than that degree does, at any tilt."""
    degrees = np.arange(-190, 190)
    points = np.concatenate([standing() @ about_axis(angle)[:2, :2].T for angle in degrees])
    view = to_upright_camera(points, np.ones(points.shape[:2]), "coco_feet")
    step = np.abs(np.diff(view.keypoints[..., :2], axis=0)).max(2)
    farthest = np.linalg.norm(view.keypoints[..., :2], axis=2)[0].max()
    assert step.max() < 4 * np.deg2rad(1) * farthest
    back = np.concatenate(
        [view.keypoints[..., :2] * np.exp(view.context)[..., None], np.ones((*points.shape[:2], 1))], 2
    )
    back = back @ view.optical_from_virtual.transpose(0, 2, 1)
    np.testing.assert_allclose(back[..., :2] / back[..., 2:], points, atol=1e-5)
