# SPDX-License-Identifier: Apache-2.0
"""Heads of MoveNet -> keypoints, against slow references, and the crops of its refining network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hmr_ros.core.arrays import Floats
from hmr_ros.core.skeleton import COCO17
from hmr_ros.perception import blazepose
from hmr_ros.perception.movenet import decode_crops, decode_people, image_from_square, joints_of_body

RNG = np.random.default_rng(0)


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def heads(people: int, height: int, width: int, boxes: bool) -> dict[str, Floats]:
    """Random heads; ``boxes``: MultiPose's, too."""
    channels = {"centre": 1, "heatmaps": 17, "regression": 34, "offsets": 34, **({"box_scale": 2} if boxes else {})}
    found = {name: RNG.normal(size=(people, height, width, c)) for name, c in channels.items()}
    if boxes:
        found |= {"box_offset": RNG.normal(size=(people, height, width, 2)) / 4}
        found["box_scale"] = 6 + 6 * RNG.random((people, height, width, 2))
    return found


def test_the_person_in_the_middle_as_by_the_loop() -> None:
    outputs = heads(2, 16, 16, boxes=False)
    points, scores = decode_crops(outputs)
    for p in range(2):
        best = max(
            ((sigmoid(outputs["centre"][p, y, x, 0]) / (np.hypot(y - 8, x - 8) + 1.8), y, x))
            for y in range(16)
            for x in range(16)
        )
        for j in range(17):
            dy, dx = outputs["regression"][p, best[1], best[2], 2 * j : 2 * j + 2]
            ey, ex = best[1] + dy, best[2] + dx
            cells = [(y, x) for y in range(16) for x in range(16)]
            heat = outputs["heatmaps"][p, ..., j]
            y, x = max(cells, key=lambda c: sigmoid(heat[c]) / (np.hypot(c[0] - ey, c[1] - ex) + 1.8))
            oy, ox = outputs["offsets"][p, y, x, 2 * j : 2 * j + 2]
            np.testing.assert_allclose(points[p, j], [4 * (x + ox) + 0.25, 4 * (y + oy) + 0.25])
            assert scores[p, j] == pytest.approx(sigmoid(heat[y, x]))


def test_several_people_as_by_the_loop() -> None:
    outputs = heads(1, 12, 20, boxes=True)
    people = decode_people(outputs, 0.5, 4)
    centre = sigmoid(outputs["centre"][0, ..., 0])
    peaks = [
        (centre[y, x], y, x)
        for y in range(12)
        for x in range(20)
        if centre[y, x] >= 0.5 and centre[y, x] == centre[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].max()
    ]
    peaks = sorted(peaks, reverse=True)[:4]
    assert len(people) == len(peaks) == 4
    for p, (score, cy, cx) in enumerate(peaks):
        assert people.centres[p] == pytest.approx(score)
        size, offset = outputs["box_scale"][0, cy, cx], outputs["box_offset"][0, cy, cx]
        low = np.clip((cy, cx) + offset - size / 2, 0, (12, 20))
        high = np.clip((cy, cx) + offset + size / 2, 0, (12, 20))
        np.testing.assert_allclose(people.boxes[p], 4 * np.array([low[1], low[0], high[1], high[0]]))
        for j in (0, 16):
            dy, dx = outputs["regression"][0, cy, cx, 2 * j : 2 * j + 2]
            best = (-1.0, 0, 0)
            for y in range(12):
                for x in range(20):
                    if low[0] <= y < high[0] and low[1] <= x < high[1]:
                        away = (y - cy - dy) ** 2 + (x - cx - dx) ** 2
                        best = max(best, (sigmoid(outputs["heatmaps"][0, y, x, j]) * np.exp(-away / 3.6), y, x))
            oy, ox = outputs["offsets"][0, best[1], best[2], 2 * j : 2 * j + 2]
            np.testing.assert_allclose(people.points[p, j], [4 * (best[2] + ox), 4 * (best[1] + oy)])
            assert people.scores[p, j] == pytest.approx(best[0])


def test_an_image_without_people() -> None:
    outputs = heads(1, 12, 20, boxes=True)
    outputs["centre"][:] = -9
    people = decode_people(outputs, 0.1, 6)
    assert len(people) == 0
    assert people.points.shape == (0, 17, 2)


def test_crops_are_upright_squares_about_their_boxes() -> None:
    maps = image_from_square(np.array([[10, 20, 50, 120.0], [0, 0, 2, 2]]), 1.25, 16)
    corners = maps @ np.array([[0, 256], [0, 256], [1, 1]])
    np.testing.assert_allclose(corners[0], [[30 - 62.5, 30 + 62.5], [70 - 62.5, 70 + 62.5]])
    np.testing.assert_allclose(corners[1], [[1 - 8, 1 + 8], [1 - 8, 1 + 8]])


def test_a_crop_shows_what_its_map_says() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    cv2.rectangle(image, (60, 80), (69, 89), (255, 255, 255), -1)  # its middle is at 64.5, 84.5
    maps = image_from_square(np.array([[30, 40, 110, 140.0]]), 1.25, 16)
    y, x = np.nonzero(blazepose.crop(image, maps)[0, ..., 0] > 127)
    middle = maps[0] @ np.array([x.mean() + 0.5, y.mean() + 0.5, 1])
    np.testing.assert_allclose(middle, [64.5, 84.5], atol=0.3)


def test_shoulders_and_hips_of_the_body_are_lower_along_the_trunk() -> None:
    points = np.zeros((1, 17, 2))
    shoulders, hips = ([COCO17.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("shoulder", "hip"))
    points[0, shoulders] = (120, 50), (80, 50)
    points[0, hips] = (210, 50), (190, 50)  # they lie: hips are to the right
    lower = joints_of_body(points)
    np.testing.assert_allclose(lower[0, shoulders], [(122.3, 50), (82.3, 50)])
    np.testing.assert_allclose(lower[0, hips], [(212.7, 50), (192.7, 50)])
    others = np.setdiff1d(np.arange(17), shoulders + hips)
    assert (lower[0, others] == 0).all()
    assert points[0, hips[0], 0] == 210, "the points given are left alone"
