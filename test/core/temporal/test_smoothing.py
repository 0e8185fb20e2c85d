# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.one_euro import filter_rotations, rotations_at_rest
from hmr_ros.core.temporal.root_motion import RootMotion
from hmr_ros.core.temporal.shape import SHAPE_VIEWS
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.core.temporal.velocity import MAX_GAP_S
from hmr_ros.core.uncertainty import Covariances, grown
from test.core.conftest import random_parameters

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CONFIG = SmoothingConfig()
DT = np.full(1, 1 / 30)


def filtered_places(track: np.ndarray, dt: np.ndarray, config: SmoothingConfig = CONFIG) -> np.ndarray:
    """(T, N, 3) -> (T, N, 3), by the deviations that are assumed where none are stated."""
    unknown = np.full((track.shape[1], 3, 3), np.nan)
    state, noise = RootMotion.begun(track[0], unknown), config.root_noise
    return np.array([track[0]] + [(state := state.measured(raw, unknown, dt, noise)).value for raw in track[1:]])


def filtered_rotations(track: np.ndarray, config: SmoothingConfig = CONFIG) -> np.ndarray:
    """(T, N, J, 3, 3) -> the same."""
    state = rotations_at_rest(track[0])
    return np.array([track[0]] + [(state := filter_rotations(state, raw, DT, config)).value for raw in track[1:]])


def test_a_still_place_stops_trembling():
    rng = np.random.default_rng(0)
    noise = np.array([0.005, 0.005, 0.05]) * rng.normal(size=(300, 1, 3))
    out = filtered_places(np.array([0.3, 0, 4]) + noise, DT)[30:]
    assert (out.std(0) < [0.4, 0.4, 0.55] * noise.std(0)).all()
    assert_allclose(out.mean(0), [[0.3, 0, 4]], atol=0.01)


def test_depth_noise_does_not_shake_the_image_position():
    depth = 4 + 0.1 * np.random.default_rng(1).normal(size=(300, 1, 1))
    sight = np.array([0.5, 0.2, 1])  # the person's ray is known exactly
    out = filtered_places(depth * sight, DT)
    assert_allclose(out[..., :2] / out[..., 2:], np.broadcast_to(sight[:2], (300, 1, 2)), atol=1e-6)


def tremble(track: np.ndarray, noise: np.ndarray) -> float:
    """m: what ``noise`` (T, N, 3) m leaves of itself at the end of the filtered ``track`` (T, 1, 3) m, over N tries."""
    off = (filtered_places(track + noise, DT) - filtered_places(track, DT))[-1]
    return float(np.sqrt(np.square(off).sum(-1).mean()))


@pytest.mark.parametrize(("velocity", "trembling"), [((0, 0, 2), (0.005, 0, 0)), ((2, 0, 0), (0, 0, 0.02))])
def test_walking_along_the_line_of_sight_frees_no_noise_across_it_nor_the_reverse(velocity, trembling):
    noise = np.random.default_rng(3).normal(size=(45, 400, 1)) * trembling
    t = np.arange(-44, 1)[:, None, None] / 30
    standing = np.array([0.0, 0, 20]) + 0 * t  # so far away that the line of sight hardly turns
    assert tremble(standing + velocity * t, noise) == pytest.approx(tremble(standing, noise), rel=0.1)


@pytest.mark.parametrize("speed", [0.5, 1.5, 3.0])
def test_a_moving_place_lags_by_centimetres(speed: float):
    t = np.arange(60)[:, None, None] / 30
    track = np.array([-1.0, 0, 4]) + speed * t * np.array([1.0, 0, 0])
    lag = np.linalg.norm(filtered_places(track, DT) - track, axis=-1)[-1, 0]
    assert lag < 0.065


def test_the_frame_rate_makes_no_difference_to_a_movement():
    """What is left behind of a person who starts to walk and turns is the same at 60, 20 and 10 Hz."""

    def place(t: np.ndarray) -> np.ndarray:
        walked = 1.2 * np.maximum(t - 1, 0)
        return np.stack([walked, 0 * t, 4 + 0.3 * np.sin(2 * t)], -1)[:, None]

    behind = []
    for rate_hz in (60, 20, 10):
        track = place(np.arange(0, 3, 1 / rate_hz))
        off = np.linalg.norm(filtered_places(track, np.full(1, 1 / rate_hz)) - track, axis=-1)
        behind.append(float(off[:: rate_hz // 10].mean()))
    assert max(behind) < 0.05
    assert max(behind) < 2 * min(behind)


@pytest.mark.parametrize("speed", [0.2, 0.65, 1.5])
def test_a_steady_walk_does_not_trail(speed: float):
    t = np.arange(90) / 30
    track = np.array([0.0, 0, 4]) + (speed * t)[:, None, None] * np.array([0.3, 0, 1])
    behind = np.linalg.norm(track[-1] - filtered_places(track, DT)[-1])
    assert 1000 * behind / speed < 10


@pytest.mark.parametrize(("speed", "lag_ms"), [(0.2, 76), (0.65, 46), (1.5, 27)])
def test_the_lag_of_a_steady_rotation_is_that_of_its_cutoff(speed: float, lag_ms: float):
    """As docs/tracking.md states it: 1 / (2 pi (min_cutoff + beta * speed))."""
    turns = rotvec_to_rotmat(np.array([0, 0, speed]) * (np.arange(90) / 30)[:, None, None, None])
    turned = rotmat_to_rotvec(filtered_rotations(turns)[-1].swapaxes(-1, -2) @ turns[-1])[0, 0, 2]
    assert 1000 * turned / speed == pytest.approx(lag_ms, rel=0.06)


def test_rotations_stop_trembling_and_do_not_lag():
    rng = np.random.default_rng(2)
    base = rotvec_to_rotmat(rng.normal(size=(1, 24, 3)))
    noise = rotvec_to_rotmat(0.05 * rng.normal(size=(300, 1, 24, 3)))
    out = filtered_rotations(base @ noise)[30:]
    off = np.linalg.norm(rotmat_to_rotvec(base.swapaxes(-1, -2) @ out), axis=-1)
    assert off.mean() < 0.6 * np.linalg.norm(rotmat_to_rotvec(noise), axis=-1).mean()
    assert_allclose(out @ out.swapaxes(-1, -2), np.broadcast_to(np.eye(3), out.shape), atol=1e-9)

    turning = rotvec_to_rotmat(np.array([0, 0, 5.0]) * np.arange(60)[:, None, None, None] / 30)  # through half turns
    lag = rotmat_to_rotvec(filtered_rotations(turning).swapaxes(-1, -2) @ turning)[-1]
    assert np.linalg.norm(lag) < 0.15


def test_a_cutoff_of_zero_filters_nothing():
    off = SmoothingConfig(min_cutoff=0.0)
    track = np.random.default_rng(3).normal(size=(5, 2, 3))
    assert_allclose(filtered_places(track, np.full(2, 0.1), off), track, atol=1e-12)
    turns = rotvec_to_rotmat(np.random.default_rng(4).normal(size=(5, 1, 24, 3)))
    assert_allclose(filtered_rotations(turns, off), turns, atol=1e-12)


def someone(ids: list[int], seed: int = 0) -> tuple[np.ndarray, Estimates]:
    """Ids and what was estimated of them."""
    p = random_parameters(len(ids), seed, bend=0.2)
    known = dataclasses.replace(Estimates.unknown(len(ids)), **vars(p), valid=np.ones(len(ids), bool))
    return np.array(ids, np.int64), known


def assert_same(a: Estimates, b: Estimates, atol: float = 1e-6) -> None:
    assert_allclose(a.cam_t, b.cam_t, atol=atol)
    assert_allclose(a.betas, b.betas, atol=atol)
    assert_allclose(rotvec_to_rotmat(a.global_orient), rotvec_to_rotmat(b.global_orient), atol=atol)
    assert_allclose(rotvec_to_rotmat(a.body_pose), rotvec_to_rotmat(b.body_pose), atol=atol)


def test_the_first_image_passes():
    first = someone([3, 5])
    assert_same(BodySmoother(BODY_MODEL)(*first, 0.0), first[1])


def test_people_are_known_by_their_ids_not_their_rows():
    ids, there = someone([3, 5], seed=1)
    in_order, crossed = BodySmoother(BODY_MODEL), BodySmoother(BODY_MODEL)
    in_order(*someone([3, 5]), 0.0)
    crossed(*someone([3, 5]), 0.0)
    expected = in_order(ids, there, 0.03)
    swapped = crossed(ids[::-1], there.take(np.array([1, 0])), 0.03)
    assert_same(swapped.take(np.array([1, 0])), expected)
    assert np.abs(expected.cam_t - there.cam_t).max() > 0.1  # it did filter


def test_newcomers_and_untracked_people_are_not_filtered():
    smoother = BodySmoother(BODY_MODEL)
    smoother(*someone([3, -1]), 0.0)
    now = someone([-1, -1, 7], seed=1)
    assert_same(smoother(*now, 0.03), now[1])


@pytest.mark.parametrize(("gap", "known"), [(0.9 * MAX_GAP_S, True), (1.1 * MAX_GAP_S, False)])
def test_short_absence_is_bridged_and_after_long_absence_a_pose_starts_anew(gap: float, known: bool):
    smoother, back = BodySmoother(BODY_MODEL, SmoothingConfig(min_cutoff=0.1)), someone([3], seed=1)
    smoother(*someone([3]), 0.0)
    smoother(*someone([]), gap / 2)
    out = smoother(*back, gap)
    assert (np.abs(out.body_pose - back[1].body_pose).max() > 1e-3) == known


def test_a_forgotten_track_starts_again():
    smoother, back = BodySmoother(BODY_MODEL), someone([3], seed=1)
    smoother(*someone([3]), 0.0)
    smoother.forget([3, 7])
    assert_same(smoother(*back, 0.03), back[1])


def test_earlier_stamps_and_reset_start_anew():
    smoother, now = BodySmoother(BODY_MODEL), someone([3], seed=1)
    smoother(*someone([3]), 10.0)
    assert_same(smoother(*now, 9.0), now[1])
    smoother(*someone([3]), 10.0)
    smoother.reset()
    assert_same(smoother(*now, 10.03), now[1])


def test_a_stamp_that_comes_twice_starts_the_filters_anew_but_keeps_the_shape():
    smoother, (ids, now) = BodySmoother(BODY_MODEL), someone([3], seed=1)
    first = smoother(*someone([3]), 10.0)
    again = smoother(ids, now, 10.0)
    assert_allclose(rotvec_to_rotmat(again.body_pose), rotvec_to_rotmat(now.body_pose), atol=1e-6)
    assert_allclose(again.betas, (first.betas + now.betas) / 2, atol=1e-6)


def seen_with(betas: float, error: float = np.nan) -> tuple[np.ndarray, Estimates]:
    """Somebody with a shape, and how good the view was."""
    ids, estimates = someone([3])
    shape, joint_error = np.full((1, 10), betas), np.full((1, 24), error)
    return ids, dataclasses.replace(estimates, betas=shape, joint_error=joint_error)


def test_the_shape_is_averaged():
    smoother, betas = BodySmoother(BODY_MODEL), np.arange(1.0, 5)
    for k, beta in enumerate(betas):
        out = smoother(*seen_with(beta), k / 30)
    assert_allclose(out.betas, betas.mean(), atol=1e-6)


def test_the_shape_never_changes_once_it_is_known():
    smoother, rng = BodySmoother(BODY_MODEL), np.random.default_rng(0)
    shapes = [smoother(*seen_with(rng.normal()), k / 30).betas for k in range(3 * int(SHAPE_VIEWS))]
    known = shapes[int(SHAPE_VIEWS) - 1]
    assert np.ptp(shapes[: int(SHAPE_VIEWS)]) > 0.1
    assert all(np.array_equal(shape, known) for shape in shapes[int(SHAPE_VIEWS) :])
    assert np.array_equal(smoother.coasted(np.array([3]), 10.0).betas, known.astype(np.float32))
    back = smoother(*seen_with(2.0), 60.0)  # after whatever gap, as long as the id lives
    assert np.array_equal(back.betas, known)
    smoother.forget([3])
    assert_allclose(smoother(*seen_with(2.0), 60.1).betas, 2.0)


def test_bones_keep_their_lengths(exact_body):
    smoother = BodySmoother(BODY_MODEL)
    lengths = []
    for k in range(2 * int(SHAPE_VIEWS)):
        p = random_parameters(1, seed=k, bend=0.3)
        known = dataclasses.replace(Estimates.unknown(1), **vars(p), valid=np.ones(1, bool))
        out = smoother(np.array([3]), known, k / 30)
        joints = exact_body.posed_joints(
            *(getattr(out, n).astype(float) for n in ("global_orient", "body_pose", "betas"))
        )
        lengths.append([np.linalg.norm(joints[0, a] - joints[0, b]) for a, b in SMPL.edge_indices])
    settled = np.array(lengths[int(SHAPE_VIEWS) :])
    assert np.ptp(lengths, axis=0).max() > 1e-3
    assert np.ptp(settled, axis=0).max() < 1e-6


@pytest.mark.parametrize("measured", [False, True])
def test_a_person_of_another_size_was_at_another_distance(measured: bool):
    smoother = BodySmoother(BODY_MODEL, SmoothingConfig(min_cutoff=0))
    for k in range(int(SHAPE_VIEWS)):
        smoother(*seen_with(0.0), k / 30)
    ids, small = seen_with(-2.0)
    out = smoother(ids, small, 2.0, np.array([measured]))

    def joint_error(e: Estimates) -> np.ndarray:
        """How large the body is in the image, seen from afar."""
        joints = BODY_MODEL.rest_joints(e.betas.astype(float))[0]
        bones = joints[SMPL.edge_indices[:, 0]] - joints[SMPL.edge_indices[:, 1]]
        return np.linalg.norm(bones, axis=-1).sum() / np.linalg.norm(e.cam_t[0])

    assert abs(joint_error(dataclasses.replace(small, betas=out.betas)) / joint_error(small) - 1) > 0.02
    assert (abs(joint_error(out) / joint_error(small) - 1) < 1e-4) == (not measured)
    assert_allclose(out.cam_t[0] / np.linalg.norm(out.cam_t), small.cam_t[0] / np.linalg.norm(small.cam_t), atol=1e-6)
    assert np.array_equal(out.cam_t, small.cam_t) == measured


def test_a_bad_view_counts_for_little():
    smoother = BodySmoother(BODY_MODEL)
    smoother(*seen_with(0.0, error=0.05), 0.0)
    out = smoother(*seen_with(1.0, error=0.55), 0.03)
    assert 0.005 < out.betas.mean() < 0.015
    unseen = [smoother(*seen_with(0.0, error=0.55), k) for k in range(1, 100)]
    assert smoother(*seen_with(1.0, error=0.05), 100).betas.mean() > unseen[-1].betas.mean()  # not yet settled


def test_a_person_who_turns_away_keeps_size_and_distance():
    """Half a second with the face, then two from behind, in which people look larger."""
    smoother, without = BodySmoother(BODY_MODEL), BodySmoother(BODY_MODEL)
    for k in range(25):
        ids, seen = seen_with(0.0 if k < 5 else 3.0)
        faces = np.array([k < 5])
        out, mean = smoother(ids, seen, k / 10, faces=faces), without(ids, seen, k / 10)
    assert 0 < out.betas.mean() < 0.6
    assert mean.betas.mean() > 2
    size, usual = (BODY_MODEL.rest_joints(np.full((1, 10), beta))[0] for beta in (3.0, 0.0))
    ratio = np.linalg.norm(usual[1:] - usual[0]) / np.linalg.norm(size[1:] - size[0])
    moved = np.linalg.norm(out.cam_t) / np.linalg.norm(seen.cam_t)
    assert abs(moved - ratio) < 0.3 * abs(1 - ratio)


def test_who_was_never_seen_from_the_front_is_shaped_by_what_there_is():
    smoother = BodySmoother(BODY_MODEL)
    for k in range(10):
        out = smoother(*seen_with(2.0), k / 10, faces=np.array([False]))
    assert_allclose(out.betas, 2.0)
    turned = smoother(*seen_with(0.0), 1.0, faces=np.array([True]))
    assert turned.betas.mean() < 1.0, "ten views from behind count half as much as one of the face"


def walking(smoother: BodySmoother, speed: float, images: int = 60) -> tuple[float, Estimates]:
    """After somebody walked to the right for some time: the last stamp, and the last smoothed estimate."""
    ids, estimates = someone([3])
    for k in range(images):
        out = smoother(ids, dataclasses.replace(estimates, cam_t=np.array([[speed * k / 30, 0.0, 4.0]])), k / 30)
    return (images - 1) / 30, out


def test_a_hidden_person_coasts_to_a_stop_and_grows_uncertain():
    smoother = BodySmoother(BODY_MODEL)
    last_s, last = walking(smoother, 1.2)
    rest = [smoother.coasted(np.array([3]), last_s + age) for age in (0.0, 0.1, 0.5, 1.0, 9.0)]
    way = np.array([e.cam_t[0, 0] for e in rest]) - last.cam_t[0, 0]
    assert_allclose(way, 1.2 * 0.5 * -np.expm1(-np.array([0, 0.1, 0.5, 1, 9]) / 0.5), atol=0.02)
    assert all(np.allclose(e.body_pose, last.body_pose, atol=1e-6) and e.valid.all() for e in rest)
    assert np.isnan(rest[1].disagreement).all()

    smoother(*seen_with(0.0, error=0.05), last_s + 0.03)
    joint_error = [
        smoother.coasted(np.array([3]), last_s + 0.03 + age).joint_error.mean() for age in (0.0, 0.2, 0.5, 1.0)
    ]
    assert joint_error[0] == pytest.approx(0.05)
    assert (np.diff(joint_error) > 0.01).all()


def test_a_hidden_person_moves_along_the_ground():
    ground = Ground.stated(np.array([0.6, -0.8, 0.0]), 4.0, 0.01, 0.01)
    smoother = BodySmoother(BODY_MODEL)
    last_s, last = walking(smoother, 1.2)
    free, held = (smoother.coasted(np.array([3]), last_s + 0.5, given).cam_t for given in (None, ground))
    assert ground.elevation(free) > ground.elevation(last.cam_t) + 0.1
    assert_allclose(ground.elevation(held), ground.elevation(last.cam_t), atol=1e-6)
    assert_allclose(ground.along(held), ground.along(free), atol=1e-6)


def test_the_covariance_of_a_hidden_person_grows():
    smoother, (ids, now) = BodySmoother(BODY_MODEL), someone([3])
    known = Covariances(np.tile(1e-3 * np.eye(3), (1, 24, 1, 1)), np.diag([1e-4, 1e-4, 0.04])[None])
    now = dataclasses.replace(now, joint_covariance=known.joints, root_covariance=known.root)
    assert_allclose(smoother(ids, now, 0.0).root_covariance, known.root)
    expected, later = grown(known, np.array([0.4])), smoother.coasted(ids, 0.4)
    assert_allclose(later.root_covariance, expected.root, rtol=1e-5)
    assert_allclose(later.joint_covariance, expected.joints, rtol=1e-5)


def test_nothing_is_expected_of_strangers():
    smoother = BodySmoother(BODY_MODEL)
    walking(smoother, 1.0)
    expected = smoother.coasted(np.array([7, 3, -1]), 3.0)
    assert expected.valid.tolist() == [False, True, False]
    assert np.isnan(expected.cam_t[[0, 2]]).all()
    assert len(smoother.coasted(np.zeros(0, np.int64), 3.0)) == 0


def test_invalid_rows_pass_and_keep_their_filters():
    smoother, (ids, now) = BodySmoother(BODY_MODEL), someone([3, 5], seed=1)
    smoother(*someone([3, 5]), 0.0)
    unknown = dataclasses.replace(now, valid=np.array([True, False]), cam_t=now.cam_t * [[1], [np.nan]])
    out = smoother(ids, unknown, 0.03)
    assert np.isnan(out.cam_t[1]).all()
    assert_allclose(out.body_pose[1], now.body_pose[1])
    assert not np.allclose(out.cam_t[0], now.cam_t[0])
    again = smoother(ids, now, 0.06)
    assert not np.allclose(again.cam_t[1], now.cam_t[1])  # still known from the first image


def test_what_is_said_of_the_error_passes():
    smoother, (ids, now) = BodySmoother(BODY_MODEL), someone([3])
    out = smoother(ids, dataclasses.replace(now, joint_error=np.full((1, 24), 0.04)), 0.0)
    assert_allclose(out.joint_error, 0.04)
    assert np.isnan(out.disagreement).all()


def test_no_people_are_a_normal_value():
    assert len(BodySmoother(BODY_MODEL)(*someone([]), 0.0)) == 0


def test_what_was_seen_is_carried_along_with_the_camera():
    """Coasting people, their covariances and their pose stay in the world while the camera turns and drives."""
    (ids, seen), bearing = someone([3]), np.array([0.6, 0.0, 0.8])
    covariance = np.outer(bearing, bearing)
    seen = dataclasses.replace(
        seen,
        joint_covariance=np.tile(covariance, (1, 24, 1, 1)),
        root_covariance=covariance[None],
        joint_error=DT[:, None] * np.ones(24),
    )
    turn = Transform(rotvec_to_rotmat(np.array([0.1, 0.4, -0.2])), np.array([0.3, 0.1, -0.5]))
    back = turn.inverse()
    smoother = BodySmoother(BODY_MODEL)
    smoother(ids, seen, 0.0, pose=CameraPose(Transform.identity(), 0))
    nobody = seen.take(np.zeros(0, np.int64))
    smoother(ids[:0], nobody, 0.1, pose=None)
    smoother(ids[:0], nobody, 0.2, pose=CameraPose(turn, 0))
    there = smoother.coasted(ids, 0.2)
    assert_allclose(there.cam_t, back(seen.cam_t), atol=1e-6)
    assert_allclose(
        rotvec_to_rotmat(there.global_orient), back.rotation @ rotvec_to_rotmat(seen.global_orient), atol=1e-6
    )
    assert_allclose(there.body_pose, seen.body_pose, atol=1e-6)
    still = grown(Covariances(seen.joint_covariance, seen.root_covariance), np.array([0.2]))
    assert_allclose(there.root_covariance, back.rotation @ still.root @ back.rotation.T, atol=1e-6)
    assert_allclose(there.joint_covariance, back.rotation @ still.joints @ back.rotation.T, atol=1e-6)
    assert smoother.root_depths()[3] == pytest.approx(float(there.cam_t[0, 2]), abs=1e-6)


def test_a_walk_before_a_camera_that_drives_along_is_no_lag():
    """The root's velocity is that in the world: the camera drives beside a walker, who stands still in its images."""
    (ids, seen), step = someone([3]), np.array([0.15, 0.0, 0.0])
    smoother = BodySmoother(BODY_MODEL)
    for k in range(20):
        smoother(ids, seen, 0.1 * k, pose=CameraPose(Transform(np.eye(3), k * step), 0))
    nobody = seen.take(np.zeros(0, np.int64))
    smoother(ids[:0], nobody, 2.0, pose=CameraPose(Transform(np.eye(3), 19 * step), 0))  # the robot stops, they do not
    assert 0.08 < (smoother.coasted(ids, 2.0).cam_t - seen.cam_t)[0, 0] < 0.15
