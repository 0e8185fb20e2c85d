# SPDX-License-Identifier: Apache-2.0
"""The steps of measuring people by depth, one by one, against plain loops and values worked out by hand."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.fitting.depth import DepthImage, ScaleFit, fit_scale, front_samples, scaled
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Camera, Estimates
from hmr_ros.core.temporal.sizes import Size
from hmr_ros.core.temporal.sizing import Evidence, Sizing

CAMERA = Camera(np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]), 640, 480)
BODY = load_body_model(models_dir() / "open_body.npz", np.float64)


def seen_from_the_front(pixels, z, person, camera):
    """``front_samples`` in plain words: of each cell the nearest vertex, if all cells around it are the person's."""
    shown = [
        (p, v)
        for p in range(len(pixels))
        for v in range(pixels.shape[1])
        if z[p, v] > 0 and 0 <= pixels[p, v, 0] <= camera.width - 1 and 0 <= pixels[p, v, 1] <= camera.height - 1
    ]
    own = np.array([pixels[p, v] for p, v in shown if p == person])
    low, high = own.min(0), own.max(0)
    cell = max(max(high - low) / 50, 1.0)
    nearest = {}
    for p, v in shown:
        if (pixels[p, v] >= low).all() and (pixels[p, v] <= high).all():
            at = tuple(int(i) for i in (pixels[p, v] - low) // cell)
            if at not in nearest or z[p, v] < z[nearest[at]]:
                nearest[at] = (p, v)
    mine = {at: v for at, (p, v) in nearest.items() if p == person}
    around = ((1, 0), (-1, 0), (0, 1), (0, -1))
    return {v for (x, y), v in mine.items() if all((x + dx, y + dy) in mine for dx, dy in around)}


@pytest.mark.parametrize(("width", "height"), [(20, 40), (40, 15), (300, 30), (30, 460)])
def test_samples_are_those_of_a_plain_loop(width, height):
    rng = np.random.default_rng(width)
    pixels = rng.uniform(0, (width, height), (3, 1500, 2)) + [[[-9.0, -6]], [[3, 2]], [[0, 5]]]
    z = rng.uniform(-0.1, 1, (3, 1500)) + [[2.0], [1.8], [0.4]]
    z[2, ::2] = -1
    for person in range(3):
        expected = seen_from_the_front(pixels, z, person, CAMERA)
        found = front_samples(pixels, z, person, CAMERA)
        assert len(found) == len(set(found.tolist()))
        assert set(found.tolist()) == expected
        assert len(expected) > 5 or person != 2  # the nearest


def test_a_body_on_the_border_of_the_image_is_seen_to_its_last_pixel():
    grid = np.stack(np.meshgrid(np.arange(637.0, 643), np.arange(-3.0, 3)), -1).reshape(1, -1, 2)  # to 639 and from 0
    found = grid[0, front_samples(grid, np.ones((1, 36)), 0, CAMERA)]
    assert found.tolist() == [[638, 1]]


def test_who_is_outside_the_image_has_no_samples():
    assert len(front_samples(np.full((1, 8, 2), -5.0), np.ones((1, 8)), 0, CAMERA)) == 0


def agreed(measured, surface):
    """``fit_scale`` in plain words."""
    scales = sorted((m / s, s) for m, s in zip(measured, surface, strict=True) if np.isfinite(m))
    if len(scales) < 20:
        return None
    reach = 0.05 / np.median([s for _, s in scales])
    near = [[other for other in scales if abs(other[0] - scale) <= reach] for scale, _ in scales]
    enough = [i for i, (s, _) in enumerate(scales) if 0.4 <= s <= 1.8 and len(near[i]) / len(scales) >= 0.25]
    if not enough:
        return None
    far = [i for i in enough if scales[i][0] >= scales[enough[-1]][0] - 2 * reach]
    best = max(far, key=lambda i: len(near[i]))
    if sum(s > scales[best][0] + 2 * reach for s, _ in scales) / len(scales) > 0.2:
        return None
    return np.median(near[best], axis=0)


@pytest.mark.parametrize("seed", range(12))
def test_the_scale_is_that_of_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    surface = rng.uniform(2.8, 3.2, 90)
    measured = surface * rng.choice([0.3, 0.8, 0.83, 0.87, 1.1, 2.0], 90, p=[0.1, 0.3, 0.2, 0.2, 0.1, 0.1])
    measured += 0.02 * rng.normal(size=90)
    measured[rng.random(90) < 0.1] = np.nan
    fit, expected = fit_scale(measured, surface), agreed(measured, surface)
    assert (fit is None) == (expected is None)
    if fit:
        assert_allclose([fit.scale, fit.surface_z], expected)


def quotients(*counts, surface=4.0):
    """Measured and expected m: so many points of each quotient."""
    scale = np.concatenate([np.full(count, value) for value, count in counts])
    return scale * surface, np.full(len(scale), surface)


@pytest.mark.parametrize(
    ("counts", "scale"),
    [
        ([(1.0, 20)], 1.0),
        ([(1.0, 19)], None),  # too few points
        ([(0.5, 75), (1.0, 25)], 1.0),
        ([(0.5, 76), (1.0, 24)], None),  # too few agree on the farther one
        ([(1.0, 80), (1.5, 20)], 1.0),
        ([(1.0, 79), (1.5, 21)], None),  # too much is seen behind it
        ([(0.4, 40)], 0.4),
        ([(0.399, 40)], None),
        ([(1.8, 40)], 1.8),
        ([(1.801, 40)], None),
        ([(1.0, 75), (1.02, 25)], 1.0),  # as near as that, the better supported one
    ],
)
def test_limits_of_a_scale(counts, scale):
    fit = fit_scale(*quotients(*counts))
    assert (fit and fit.scale) == (scale and pytest.approx(scale))


def test_a_size_is_the_mean_of_its_views_and_later_of_about_thirty():
    view, limit = 4.0, 120.0
    size = Size()
    for seen in (1.0, 2.0, 0.0):
        size = size.with_measurement(seen, view, limit)
    assert (size.mean, size.information) == (1.0, 3 * view)
    for _ in range(27):
        size = size.with_measurement(1.0, view, limit)
    assert (size.mean, size.information) == (pytest.approx(1.0), limit)
    later = size.with_measurement(4.0, view, limit)
    assert (later.mean, later.information) == (pytest.approx(1.1), limit)


def about_the_pelvis(vertices):
    return vertices - BODY.J_regressor[0] @ vertices


def test_size_is_the_scale_that_fits_the_template_best():
    growth, template = Growth.of(BODY), about_the_pelvis(BODY.v_template).ravel()
    for betas in np.random.default_rng(0).normal(size=(5, 10)):
        shape = about_the_pelvis(BODY.v_template + BODY.shapedirs @ betas).ravel()
        assert growth.size(betas) == pytest.approx(np.linalg.lstsq(template[:, None], shape, rcond=None)[0][0])


def test_betas_that_grow_by_one_do_so_with_the_least_change():
    """The direction minimises the unevenness and, weakly, its length, among those that grow by 1."""
    growth, template = Growth.of(BODY), about_the_pelvis(BODY.v_template)
    shapes = np.stack([about_the_pelvis(BODY.shapedirs[..., i]).ravel() for i in range(10)], 1)

    def cost(direction):
        uneven = shapes @ direction / np.linalg.norm(template)
        return uneven @ uneven + 0.03 * growth.rate @ growth.rate * direction @ direction

    assert growth.rate @ growth.direction == pytest.approx(1)
    for change in np.random.default_rng(1).normal(size=(10, 10)):
        sideways = change - change @ growth.rate / (growth.rate @ growth.rate) * growth.rate
        assert cost(growth.direction + 1e-2 * sideways) > cost(growth.direction)


@pytest.mark.parametrize("beta", [0.0, -1.0, 6.0])
def test_betas_grow_by_a_scale_of_their_own_size_as_far_as_the_model_goes(beta):
    growth, betas = Growth.of(BODY), np.zeros(10, np.float32)
    betas[0] = beta
    grown = growth.grown(betas, 0.97)
    assert grown.dtype == np.float32
    assert growth.size(grown) == pytest.approx(0.97 * growth.size(betas), rel=1e-6)
    limit = np.maximum(5, np.abs(betas))
    for scale in (0.4, 1.8):
        assert np.abs(growth.grown(betas, scale)).max() <= limit.max()
    assert np.abs(growth.grown(betas, 0.2 if beta <= 0 else 3)).max() == limit.max()


@pytest.mark.parametrize("scale", [0.9, 1.7])
def test_the_surface_comes_to_lie_where_it_was_measured(scale):
    """Its pelvis lies behind the surface by 10 cm, times what the body grew, which is less than asked for at 1.7."""
    growth = Growth.of(BODY)
    cam_t, betas = np.array([0.6, -0.3, 3.0]), np.eye(10)[0]
    moved, grown = scaled(growth, cam_t, betas, ScaleFit(scale, 2.9))
    ratio = growth.size(grown) / growth.size(betas)
    assert (ratio < 0.99 * scale) == (scale == 1.7)
    assert_allclose(moved, cam_t / 3.0 * (2.9 * scale + 0.1 * ratio))


def people(count):
    return dataclasses.replace(
        Estimates.unknown(count),
        global_orient=np.tile([np.pi, 0, 0], (count, 1)),
        body_pose=np.zeros((count, 23, 3)),
        betas=np.zeros((count, 10)),
        cam_t=np.stack([np.linspace(-0.7, 0.7, count), np.zeros(count), np.full(count, 3.0)], 1),
        valid=np.ones(count, np.bool_),
    )


def measure(sizing, ids, given, depth):
    no_feet = np.zeros((len(ids), 2), np.bool_)
    return sizing(np.array(ids), given, CAMERA, no_feet, Evidence(0.0, depth))


def test_sizes_belong_to_tracks_not_to_rows():
    """A wall at 2.6 m through all bodies' fronts: rows change places, and one is without a position."""
    sizing, given = Sizing(BODY), people(3)
    given.valid[0] = False
    wall = DepthImage(np.full((480, 640), 2.6))
    measured = measure(sizing, [7, 8, 9], given, wall)
    assert measured.by_depth.tolist() == [False, True, True]
    assert_allclose(measured.estimates.cam_t[1:, 2], 2.7, atol=0.09)
    sizing.forget([9, 5])
    later = measure(sizing, [9, 7, 8], people(3), None)
    assert not later.by_depth.any()
    assert_allclose(later.estimates.cam_t[:2], people(3).cam_t[:2])
    assert later.estimates.cam_t[2, 2] == pytest.approx(measured.estimates.cam_t[1, 2], rel=0.01)
    sizing.reset()
    assert_allclose(measure(sizing, [9, 7, 8], people(3), None).estimates.cam_t, people(3).cam_t)


def test_a_size_seen_twice_is_the_mean_of_both():
    sizing, given = Sizing(BODY), people(1)
    scales = []
    for z in (2.6, 2.8):
        measured = measure(sizing, [4], given, DepthImage(np.full((480, 640), z)))
        scales.append(Growth.of(BODY).size(measured.estimates.betas[0]))
    known = measure(sizing, [4], given, None).estimates
    assert Growth.of(BODY).size(known.betas[0]) == pytest.approx(np.mean(scales), rel=1e-3)


@pytest.mark.parametrize("shape", [(2, 2, 1), (0, 4), (4,)])
def test_a_depth_image_has_two_axes_and_pixels(shape):
    with pytest.raises(ValueError, match=r"expected shape \(h, w\), got"):
        DepthImage(np.zeros(shape))


@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 4), (3, 1)])
def test_depth_of_another_resolution_is_read_where_the_image_shows_the_same(across, down):
    small = np.arange(12.0 * 16).reshape(12, 16) + 1
    camera = Camera(CAMERA.K, 16 * across, 12 * down)
    pixels = np.stack(np.meshgrid(np.arange(16 * across), np.arange(12 * down)), -1).astype(float)
    expected = np.repeat(np.repeat(small, down, 0), across, 1)
    np.testing.assert_array_equal(DepthImage(small).at(pixels, camera), expected)
