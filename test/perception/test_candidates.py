# SPDX-License-Identifier: Apache-2.0
"""Candidates of preset fast: where NanoDet's boxes put hips and head of a person."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.perception import blazepose_detector
from hmr_ros.perception.candidates import Candidates, find_candidates, regions_of_boxes
from hmr_ros.perception.nanodet import STRIDES
from test.perception.test_detector import SIZE, PaintedNetwork, Person, World, boxes_of, painted_world


class OneBox:
    """NanoDet with one person: the cell at (2, 3) of stride 32, whose box reaches ``reach`` cells to each side."""

    manifest = Manifest(
        "boxes",
        "person_boxes",
        "boxes.onnx",
        "0" * 64,
        (TensorSpec("image", "uint8", ("N", "H", "W", 3)),),
        (TensorSpec("stride32", "float32", ("N", "h", "w", 124)),),
        "none",
    )
    status = ""

    def __init__(self, logit: float, *reach: int) -> None:
        self._logit, self._reach = logit, reach
        self.size = (0, 0)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.size = inputs["image"].shape[1:3]
        heads = {}
        for stride in STRIDES:
            head = np.full((1, self.size[0] // stride, self.size[1] // stride, 124), -10, np.float32)
            if stride == 32:
                head[0, 3, 2, 0] = self._logit
                for side, cells in enumerate(self._reach):
                    head[0, 3, 2, 80 + 11 * side + cells] = 30
            heads[f"stride{stride}"] = head
        return heads

    def close(self) -> None: ...


def test_a_box_becomes_an_upright_region_in_px_of_the_image() -> None:
    network = OneBox(3.0, 1, 2, 1, 2)
    found = find_candidates(network, np.zeros((512, 512, 3), np.uint8), 256 * 256)
    assert network.size == (256, 256)
    middle = 2 * np.array([2.5 * 32, 3.5 * 32])  # the image is twice as large as the input
    np.testing.assert_allclose(found.boxes, [[*(middle - (64, 128)), *(middle + (64, 128))]], atol=1e-3)
    np.testing.assert_allclose(found.regions, [[middle, middle - (0, 0.65 * 256)]], atol=1e-3)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-3.0)), atol=1e-6)


def test_doubtful_boxes_are_no_candidates() -> None:
    assert len(find_candidates(OneBox(-1.0, 1, 2, 1, 2), np.zeros((256, 256, 3), np.uint8), SIZE * SIZE)) == 0


def test_regions_in_the_painted_world_are_of_hips_and_head() -> None:
    people = [Person(80, 100), Person(150, 90, height=33), Person(83, 170)]
    found = find_candidates(PaintedNetwork("person_boxes", people), painted_world(), 320 * 320)
    np.testing.assert_allclose(found.regions, [[(p.x, p.y), (p.x, p.y - p.height)] for p in people], atol=1e-3)


def test_the_smallest_boxes_have_regions_of_people() -> None:
    (hips, head), *_ = regions_of_boxes(np.array([[10.0, 10, 12, 12]]))
    np.testing.assert_allclose(hips, (11, 11))
    assert hips[1] - head[1] == pytest.approx(0.65 * 16)


@pytest.mark.parametrize(("shift", "runs"), [(0.0, 1), (6.0, 1), (60.0, 2)])
def test_a_followed_person_is_not_looked_at_again_for_a_box_around_them(
    shift: float, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box says less of hips and head than the landmarks do, so that the regions of one person may differ."""
    world = World(Person(80, 100), period=1)
    world.see()
    around = boxes_of(world.people[0]) + shift
    elsewhere = regions_of_boxes(around) + 20.0
    found = Candidates(around, elsewhere, np.ones(1))
    monkeypatch.setattr(blazepose_detector, "find_candidates", lambda network, image, pixels: found)
    before = world.landmarks.runs
    assert len(world.see()) == 1
    assert min(world.landmarks.runs - before, 2) == runs
