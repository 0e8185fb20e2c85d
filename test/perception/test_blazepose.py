# SPDX-License-Identifier: Apache-2.0
"""Anchors, regions, crops and heatmaps against slow, obvious versions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.core.records import join_rows
from hmr_ros.perception import blazepose
from hmr_ros.perception.blazepose import CROP_SIZE, Candidates, Poses

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("image", "expected"),
    [((1280, 720), (640, 352)), ((720, 1280), (352, 640)), ((512, 512), (480, 480)), ((4000, 20), (6720, 32))],
)
def test_input_size_keeps_the_aspect(image: tuple[int, int], expected: tuple[int, int]) -> None:
    assert blazepose.input_size(*image, 640 * 352) == expected


@pytest.mark.parametrize("size", [(224, 224), (64, 96), (72, 104)])
def test_anchors_are_cell_centres(size: tuple[int, int]) -> None:
    width, height = size
    expected = [
        ((column + 0.5) * cell, (row + 0.5) * cell)
        for cell, repeats in ((8, 2), (16, 2), (32, 6))
        for row in range(height // cell)
        for column in range(width // cell)
        for _ in range(repeats)
    ]
    np.testing.assert_allclose(blazepose.anchors(width, height), expected)


def test_candidates_count_from_their_anchors() -> None:
    count = len(blazepose.anchors(64, 64))
    regressions, logits = np.zeros((count, 12), np.float32), np.full((count, 1), -9, np.float32)
    regressions[5] = (1, 2, 10, 20, 3, 4, 5, 6, 0, 0, 0, 0)
    logits[5], logits[7] = 2.0, 3.0
    found = blazepose.decode_candidates(regressions, logits, (64, 64), 0.5)
    x, y = blazepose.anchors(64, 64)[5]
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-3)), 1 / (1 + np.exp(-2))], rtol=1e-6)
    np.testing.assert_allclose(found.boxes[1], [x + 1 - 5, y + 2 - 10, x + 1 + 5, y + 2 + 10])
    np.testing.assert_allclose(found.regions[1], [[x + 3, y + 4], [x + 5, y + 6]])


def test_overlapping_candidates_become_their_weighted_mean() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], float)
    regions = np.stack([boxes[:, :2], boxes[:, 2:]], 1)
    merged = blazepose.merge_overlapping(Candidates(boxes, regions, np.array([0.9, 0.3, 0.5])), 0.3)
    np.testing.assert_allclose(merged.boxes, [[0.25, 0, 10.25, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(merged.regions[0], [[0.25, 0], [10.25, 10]])
    np.testing.assert_allclose(merged.scores, [0.9, 0.5])


def test_no_candidates_stay_none() -> None:
    nothing = Candidates(np.zeros((0, 4)), np.zeros((0, 2, 2)), np.zeros(0))
    assert len(blazepose.merge_overlapping(nothing, 0.3)) == 0


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


def test_resize_does_not_alias() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    small = blazepose.resize(stripes, (96, 64))
    assert small.shape == (64, 96, 3)
    assert abs(small.astype(float) - 127.5).max() < 3
    np.testing.assert_array_equal(blazepose.resize(stripes[:64, :96], (96, 64)), stripes[:64, :96])


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


def test_a_candidate_at_the_threshold_counts_and_equal_ones_keep_their_order() -> None:
    count = len(blazepose.anchors(32, 32))
    logits = np.full((count, 1), -1000, np.float32)
    logits[[3, 8]], logits[5] = 0, 1000
    found = blazepose.decode_candidates(np.zeros((count, 12), np.float32), logits, (32, 32), 0.5)
    np.testing.assert_array_equal(found.scores, [1, 0.5, 0.5])
    np.testing.assert_array_equal(found.boxes[:, :2], blazepose.anchors(32, 32)[[5, 3, 8]])
    assert len(blazepose.decode_candidates(np.zeros((count, 12), np.float32), logits, (32, 32), 0.51).scores) == 1


@pytest.mark.parametrize(("min_iou", "groups"), [(50 / 150, 1), (0.34, 2)])
def test_candidates_that_overlap_just_enough_are_one(min_iou: float, groups: int) -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], float)
    pair = Candidates(boxes, np.stack([boxes[:, :2], boxes[:, 2:]], 1), np.array([0.5, 0.5]))
    assert len(blazepose.merge_overlapping(pair, min_iou)) == groups


def test_empty_boxes_stay_apart() -> None:
    boxes = np.array([[5, 5, 5, 5], [5, 5, 5, 5]], float)
    pair = Candidates(boxes, np.zeros((2, 2, 2)), np.array([0.5, 0.4]))
    np.testing.assert_allclose(blazepose.merge_overlapping(pair, 0.3).scores, [0.5, 0.4])


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
