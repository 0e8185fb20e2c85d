# SPDX-License-Identifier: Apache-2.0
"""People in rendered depth, guessed from their keypoints alone as the networks' people are, then measured."""

import dataclasses
from functools import cache

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.fitting.depth import DepthImage, fit_scale
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Camera, Estimates
from hmr_ros.core.temporal.sizing import Evidence, Sizing
from hmr_ros.perception.raster import rasterise

CAMERA = Camera(np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]), 640, 480)
WALL_M = 7.0
BODY = load_body_model(models_dir() / "open_body.npz")
ADULT, CHILD = 0.0, -1.6
"""First beta of the open body: the child is 1.3 m tall."""


@cache
def placement():
    return Placement(BODY, "coco_feet")


def measure(people, depth, sizing=None):
    no_feet = np.zeros((len(people), 2), np.bool_)
    return (sizing or Sizing(BODY))(np.arange(len(people)), people, CAMERA, no_feet, Evidence(0.0, depth))


def posed(people):
    return BODY.posed(people.global_orient, people.body_pose, people.betas, people.cam_t).vertices


def random_people(count, size, seed=0):
    """Upright people 2 to 4.5 m ahead, arms down, turned any way."""
    rng = np.random.default_rng(seed)
    turned = np.stack([np.zeros(count), rng.uniform(-np.pi, np.pi, count), np.zeros(count)], 1)
    upright = rotvec_to_rotmat(np.array([np.pi, 0, 0])) @ rotvec_to_rotmat(turned)
    pose = 0.2 * rng.normal(size=(count, 23, 3))
    pose[:, [21, 22]] = 0
    pose[:, 15, 2] -= 1.0
    pose[:, 16, 2] += 1.0
    betas = 0.7 * rng.normal(size=(count, 10))
    betas[:, 0] = size + 0.3 * rng.normal(size=count)
    z = rng.uniform(2, 4.5, count)
    cam_t = np.stack([rng.uniform(-0.2, 0.2, count) * z, np.zeros(count), z], 1)
    return dataclasses.replace(
        Estimates.unknown(count),
        global_orient=rotmat_to_rotvec(upright),
        body_pose=pose,
        betas=betas,
        cam_t=cam_t,
        valid=np.ones(count, np.bool_),
    )


def guessed(people, seed=1):
    """What a network would make of their keypoints: adults, turned by 0.12 rad per joint, then fitted to 1 cm."""
    rng = np.random.default_rng(seed)
    count = len(people)
    rotations = rotvec_to_rotmat(np.concatenate([people.global_orient[:, None], people.body_pose], 1))
    rotations = rotations @ rotvec_to_rotmat(0.12 * rng.normal(size=(count, 24, 3)))
    betas = 0.4 * rng.normal(size=(count, 10))
    keypoints = BODY.regressor("coco_feet") @ posed(people)
    normalized = (keypoints[..., :2] + 0.01 * rng.normal(size=keypoints[..., :2].shape)) / keypoints[..., 2:]
    taken_for_adults = people.cam_t * (1 / (1 + 0.14 * people.betas[:, :1]))
    return placement().of_parameters(rotations, betas, taken_for_adults, normalized, np.ones(normalized.shape[:2]))


def rendered(vertices):
    """(480, 640) m: the people of ``vertices`` (P, V, 3) before a wall."""
    z = np.full((CAMERA.height, CAMERA.width), WALL_M)
    for body in vertices.astype(np.float64):
        seen = rasterise(project(body, CAMERA), body[:, 2], BODY.faces, CAMERA.height, CAMERA.width)
        depth = seen.interpolate(BODY.faces, body[:, 2:])[:, 0]
        z[seen.rows, seen.columns] = np.minimum(z[seen.rows, seen.columns], depth)
    return z


def clean(z, person, rng):
    return z


def noise_and_holes(z, person, rng):
    """As of a structured-light camera: noise that grows with the square of the distance, speckle, blobs of nothing."""
    z = z + 0.0025 * z**2 * rng.normal(size=z.shape)
    z[rng.random(z.shape) < 0.3] = 0
    for _ in range(10):
        row, column = rng.integers(0, 420), rng.integers(0, 560)
        z[row : row + 50, column : column + 70] = np.nan
    return z


def table(z, person, rng):
    """The lower half is hidden by something 60 cm in front."""
    z = noise_and_holes(z, person, rng)
    row = int(project(person.cam_t, CAMERA)[0, 1])
    z[row:] = np.fmin(z[row:], person.cam_t[0, 2] - 0.6)
    return z


def pole(z, person, rng):
    """The middle is hidden by something 12 cm wide and 70 cm in front."""
    z = noise_and_holes(z, person, rng)
    x, half = project(person.cam_t, CAMERA)[0, 0], 600 * 0.06 / person.cam_t[0, 2]
    z[:, int(x - half) : int(x + half)] = person.cam_t[0, 2] - 0.7
    return z


@pytest.mark.parametrize(
    ("size", "spoil", "before_m", "after_m", "least_used"),
    [
        (ADULT, clean, 0.1, 0.03, 0.9),
        (ADULT, noise_and_holes, 0.1, 0.03, 0.9),
        (ADULT, table, 0.1, 0.05, 0.7),
        (ADULT, pole, 0.1, 0.05, 0.6),
        (CHILD, clean, 0.5, 0.03, 0.9),
        (CHILD, noise_and_holes, 0.5, 0.03, 0.9),
        (CHILD, table, 0.5, 0.05, 0.7),
    ],
)
def test_depth_puts_people_where_they_are_and_finds_their_size(size, spoil, before_m, after_m, least_used):
    ground_truth, rng = random_people(15, size), np.random.default_rng(2)
    guess = guessed(ground_truth)
    rows = np.flatnonzero(guess.valid)
    assert len(rows) >= 12
    errors = np.zeros((len(rows), 3))
    for i, row in enumerate(rows):
        person = ground_truth.take(slice(row, row + 1))
        depth = DepthImage(spoil(rendered(posed(person)), person, rng).astype(np.float32))
        measured = measure(guess.take(slice(row, row + 1)), depth)
        for column, found in ((0, guess.take(slice(row, row + 1))), (1, measured.estimates)):
            errors[i, column] = abs(found.cam_t[0, 2] - person.cam_t[0, 2])
        errors[i, 2] = measured.by_depth[0]
        if measured.by_depth[0]:
            assert errors[i, 1] < 0.15
            height = [np.ptp(posed(dataclasses.replace(p, **AT_REST))[0, :, 1]) for p in (person, measured.estimates)]
            assert height[1] == pytest.approx(height[0], rel=0.1)
    used = errors[:, 2] > 0
    assert used.mean() >= least_used
    before, after = np.median(errors[used, :2], axis=0)
    assert before > before_m
    assert after < after_m


AT_REST = {"global_orient": np.zeros((1, 3)), "body_pose": np.zeros((1, 23, 3))}


def test_moved_people_stay_where_they_are_seen():
    ground_truth = random_people(4, CHILD)
    guess = guessed(ground_truth)
    for row in np.flatnonzero(guess.valid):
        depth = DepthImage(rendered(posed(ground_truth.take(slice(row, row + 1)))))
        measured = measure(guess.take(slice(row, row + 1)), depth)
        assert measured.by_depth.all()
        before, after = (project(posed(p)[0], CAMERA) for p in (guess.take(slice(row, row + 1)), measured.estimates))
        assert np.linalg.norm(after - before, axis=1).mean() < 0.03 * np.ptp(before[:, 1])  # it shrank by a third


def test_people_who_hide_each_other_are_distinguished():
    ground_truth = random_people(2, ADULT, seed=5)
    ground_truth = dataclasses.replace(ground_truth, cam_t=np.array([[0.0, 0, 2.5], [0.25, 0, 4.0]]))
    guess = guessed(ground_truth)
    assert guess.valid.all()
    measured = measure(guess, DepthImage(rendered(posed(ground_truth))))
    assert measured.by_depth.all()
    np.testing.assert_allclose(measured.estimates.cam_t[:, 2], ground_truth.cam_t[:, 2], atol=0.06)


def test_a_measured_distance_is_more_certain_than_a_guessed_one():
    ground_truth = random_people(1, ADULT)
    guess = guessed(ground_truth)
    guess = dataclasses.replace(guess, root_covariance=0.04 * np.eye(3)[None])
    measured = measure(guess, DepthImage(rendered(posed(ground_truth)))).estimates
    ray = measured.cam_t[0] / np.linalg.norm(measured.cam_t[0])
    deviations = np.sqrt(np.linalg.eigvalsh(measured.root_covariance[0]))
    np.testing.assert_allclose(deviations, [0.05, 0.2, 0.2], atol=1e-6)
    assert np.sqrt(ray @ measured.root_covariance[0] @ ray) == pytest.approx(0.05, abs=1e-6)
    unmeasured = measure(guess, DepthImage(np.zeros((4, 4)))).estimates
    np.testing.assert_array_equal(unmeasured.root_covariance, guess.root_covariance)


def test_a_person_measured_once_keeps_that_size_without_depth():
    ground_truth = random_people(4, CHILD)
    guess = guessed(ground_truth)
    row = np.flatnonzero(guess.valid)[:1]
    ground_truth, guess, sizing = ground_truth.take(row), guess.take(row), Sizing(BODY)
    measured = measure(guess, DepthImage(rendered(posed(ground_truth))), sizing)
    for depth in (None, DepthImage(np.zeros((480, 640)))):
        unmeasured = measure(guess, depth, sizing)
        assert not unmeasured.by_depth.any()
        np.testing.assert_allclose(unmeasured.estimates.cam_t, measured.estimates.cam_t, rtol=1e-3)
        np.testing.assert_allclose(unmeasured.estimates.betas, measured.estimates.betas, atol=1e-3)
    sizing.forget([0])
    np.testing.assert_array_equal(measure(guess, None, sizing).estimates.cam_t, guess.cam_t)


@pytest.mark.parametrize("z", [np.zeros((480, 640)), np.full((480, 640), np.nan), np.full((480, 640), 0.3)])
def test_without_depth_on_them_people_stay_as_they_are(z):
    guess = guessed(random_people(2, ADULT))
    measured = measure(guess, DepthImage(z))
    assert not measured.by_depth.any()
    np.testing.assert_array_equal(measured.estimates.cam_t, guess.cam_t)
    np.testing.assert_array_equal(measured.estimates.betas, guess.betas)


def test_no_people_and_people_without_a_position_are_normal():
    depth = DepthImage(np.ones((4, 4)))
    for people in (0, 2):
        measured = measure(Estimates.unknown(people), depth)
        assert len(measured.estimates) == len(measured.by_depth) == people
        assert not measured.by_depth.any()


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_depth_is_read_where_the_colour_image_shows_the_same(factor):
    small = np.arange(12.0 * 16).reshape(12, 16) + 1
    camera = Camera(CAMERA.K, 16 * factor, 12 * factor)
    pixels = np.stack(np.meshgrid(np.arange(16 * factor), np.arange(12 * factor)), -1).astype(float)
    expected = np.repeat(np.repeat(small, factor, 0), factor, 1)
    np.testing.assert_array_equal(DepthImage(small).at(pixels, camera), expected)


def test_what_is_outside_or_unmeasured_has_no_depth():
    z = np.array([[1.0, 0.0, np.nan], [np.inf, -1.0, 2.0]])
    pixels = np.array([[0.0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1], [-1, 0], [3, 0], [0, 2], [np.nan, 0]])
    depth = DepthImage(z).at(pixels, Camera(CAMERA.K, 3, 2))
    np.testing.assert_array_equal(depth, [1, *[np.nan] * 4, 2, *[np.nan] * 4])


def test_a_depth_image_has_two_axes():
    with pytest.raises(ValueError, match=r"expected shape \(h, w\), got \(2, 2, 1\)"):
        DepthImage(np.zeros((2, 2, 1)))


def test_of_two_surfaces_the_farther_one_is_the_body():
    expected = np.full(100, 3.0)
    near, body, wall = np.full(60, 2.0), np.full(30, 2.7), np.full(10, 6.0)
    assert fit_scale(np.concatenate([near, body, wall]), expected).scale == pytest.approx(0.9)
    assert fit_scale(np.concatenate([near, wall, wall, wall, wall]), expected) is None  # two walls, nobody
    assert fit_scale(np.full(100, np.nan), expected) is None
    assert fit_scale(np.full(10, 3.0), np.full(10, 3.0)) is None  # too few places


def test_a_body_grows_more_evenly_than_by_the_shape_of_tall_people_alone():
    def unevenness(betas):
        """m, root mean square, by which the body differs from the average one made 1.2 times as large."""
        bodies = BODY.v_template, BODY.v_template + BODY.shapedirs @ betas
        average, grown = (v - BODY.J_regressor[0] @ v for v in bodies)
        return np.sqrt(np.square(grown - 1.2 * average).sum(1).mean())

    growth, tall = Growth.of(BODY), np.eye(10)[0]
    grown = growth.grown(np.zeros(10), 1.2)
    assert growth.size(grown) == pytest.approx(1.2)
    assert unevenness(grown) < 0.95 * unevenness(0.2 / growth.rate[0] * tall)
    assert np.linalg.norm(grown) < 1.1 * 0.2 / growth.rate[0]  # and stays a likely one
