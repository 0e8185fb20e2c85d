# SPDX-License-Identifier: Apache-2.0
"""Regions, crops and heatmaps of BlazePose against slow, obvious versions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.core.records import join_rows
from hmr_ros.perception import blazepose
from hmr_ros.perception.blazepose import CROP_SIZE, Poses

RNG = np.random.default_rng(0)


def test_a_person_stands_upright_in_the_middle_of_the_crop() -> None:
    regions = np.array([[[100, 200], [100, 100]], [[300, 50], [380, 50]]], float)  # standing; lying, head to the right
    maps = blazepose.image_from_crop(regions)
    half = CROP_SIZE / 2
    for region, affine in zip(regions, maps, strict=True):
        head = half - half / blazepose.REGION_SCALE
        np.testing.assert_allclose(affine @ (half, half, 1), region[0])
        np.testing.assert_allclose(affine @ (half, head, 1), region[1])
    np.testing.assert_allclose(maps[0] @ (0, 0, 1), [100 - 125, 200 - 125])
    np.testing.assert_allclose(blazepose.region_sides(regions), [250, 200])
    assert (np.linalg.det(maps[:, :, :2]) > 0).all()  # never mirrored


def test_crop_shows_the_region_and_continues_the_border() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[:, 159] = 200
    image[40:60, 70:90] = (10, 20, 30)
    regions = np.array([[[80, 50], [80, 0]], [[200, 60], [200, 20]]], float)
    maps = blazepose.image_from_crop(regions)
    crops = blazepose.crop(image, maps)
    assert crops.shape == (2, CROP_SIZE, CROP_SIZE, 3)
    np.testing.assert_array_equal(crops[0, 128, 128], (10, 20, 30))
    np.testing.assert_array_equal(crops[1, 128, 128], 200)


def test_crop_and_map_agree_to_a_fraction_of_a_pixel() -> None:
    ramp = np.zeros((200, 200, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(200), np.arange(200)[:, None]
    maps = blazepose.image_from_crop(np.array([[[100, 110], [115, 80]]], float))
    crops = blazepose.crop(ramp, maps)
    rows, columns = np.mgrid[20:240:20, 20:240:20]
    middles = np.stack([columns + 0.5, rows + 0.5, np.ones_like(rows)])
    seen = crops[0, rows, columns, :2].astype(float)
    np.testing.assert_allclose(seen.mean((0, 1)), np.einsum("ij,jrc->rci", maps[0], middles).mean((0, 1)), atol=0.1)


def refine_slowly(points: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """One point at a time, as MediaPipe's RefineLandmarksFromHeatmap describes it."""
    out, size = points.copy(), heatmaps.shape[-1]
    scale = CROP_SIZE / size
    for p, j in np.ndindex(points.shape[:2]):
        column, row = int(np.floor(points[p, j, 0] / scale)), int(np.floor(points[p, j, 1] / scale))
        if not (0 <= column < size and 0 <= row < size):
            continue
        cells = [(y, x) for y in range(row - 3, row + 4) for x in range(column - 3, column + 4)]
        cells = [(y, x) for y, x in cells if 0 <= y < size and 0 <= x < size]
        mass = {cell: 1 / (1 + np.exp(-float(heatmaps[p, j][cell]))) for cell in cells}
        if max(mass.values()) >= 0.5:
            total = sum(mass.values())
            out[p, j, 0] = sum(m * x for (_, x), m in mass.items()) / total * scale
            out[p, j, 1] = sum(m * y for (y, _), m in mass.items()) / total * scale
    return out


@pytest.mark.parametrize("people", [0, 1, 3])
def test_refine_equals_the_slow_version(people: int) -> None:
    points = RNG.uniform(-20, CROP_SIZE + 20, (people, 39, 2)).astype(np.float32)
    heatmaps = RNG.normal(-3, 2.0, (people, 39, 64, 64)).astype(np.float32)
    heatmaps[:, 10:20] -= 20  # nothing to see
    fast = blazepose.refine(points, heatmaps)
    np.testing.assert_allclose(fast, refine_slowly(points, heatmaps), atol=1e-3)
    assert people == 0 or (fast != points).any(-1).sum() > 10 * people


def test_decoded_poses_lie_in_the_image() -> None:
    regions = np.array([[[320, 240], [400, 180]]], float)
    maps = blazepose.image_from_crop(regions)
    landmarks = np.zeros((1, 39, 5), np.float32)
    landmarks[..., :2] = RNG.uniform(0, 256, (39, 2))
    landmarks[..., 3], landmarks[..., 4] = 1.0, 2.0
    poses = blazepose.decode_poses(
        landmarks, np.array([[0.9]], np.float32), np.full((1, 39, 64, 64), -50, np.float32), maps
    )
    back = cv2.invertAffineTransform(maps[0])
    expected = np.concatenate([poses.points, poses.next_regions], 1)[0] @ back[:, :2].T + back[:, 2]
    np.testing.assert_allclose(expected, landmarks[0, :35, :2], atol=1e-2)
    np.testing.assert_allclose(poses.visibility, 1 / (1 + np.exp(-1)), rtol=1e-6)
    np.testing.assert_allclose(poses.inside, 1 / (1 + np.exp(-2)), rtol=1e-6)
    np.testing.assert_allclose(poses.presence, [0.9])


def test_empty_poses_join_others() -> None:
    empty = Poses.empty()
    assert len(empty) == len(join_rows([empty, empty])) == len(empty.take(slice(None))) == 0


def test_empty_poses_join_those_of_a_network() -> None:
    maps = blazepose.image_from_crop(np.array([[[100, 100], [100, 50]]], float))
    landmarks, heatmaps = np.zeros((1, 39, 5), np.float32), np.zeros((1, 39, 64, 64), np.float32)
    one = blazepose.decode_poses(landmarks, np.ones((1, 1), np.float32), heatmaps, maps)
    assert len(join_rows([Poses.empty(), one])) == 1


def test_crops_are_as_large_as_the_shipped_network_reads_them() -> None:
    (image,) = load_manifest(models_dir() / "blazepose_landmarks.json").inputs
    assert image.shape[1:] == (CROP_SIZE, CROP_SIZE, 3)


def test_points_at_the_rim_of_the_heatmap_and_at_its_lowest_peak() -> None:
    """A cell is 4 px; the last one is 63. A peak of 0.5 is a logit of 0."""
    heatmaps = np.full((1, 4, 64, 64), -80, np.float32)
    heatmaps[0, 0, 62, 61] = heatmaps[0, 1, 0, 2] = heatmaps[0, 2, 30, 30] = 0
    heatmaps[0, 3, 30, 30] = -0.01
    points = np.array([[[255.9, 255.9], [0, 0], [132, 108], [120, 120]]], np.float32)
    refined = blazepose.refine(points, heatmaps)
    np.testing.assert_allclose(refined[0], [[244, 248], [8, 0], [120, 120], [120, 120]], atol=1e-3)
    outside = np.array([[[256, 255], [-0.1, 0], [136, 120], [120, 120]]], np.float32)
    np.testing.assert_array_equal(blazepose.refine(outside, heatmaps), outside)
