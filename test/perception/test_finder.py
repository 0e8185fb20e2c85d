# SPDX-License-Identifier: Apache-2.0
"""The search of whole images: whom the second network adds to the first's people, in px of the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from hmr_ros.core.arrays import Array, Floats
from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.perception.finder import Finder
from test.perception.test_nanodet import person

SPEC = (TensorSpec("image", "uint8", ("N", "H", "W", 3)),)


@dataclasses.dataclass
class NanoDet:
    """A person in cell 2, 3 of the coarsest head, one cell to each side, if ``logit`` is high."""

    logit: float
    manifest = Manifest("painted", "person_boxes", "x.onnx", "0" * 64, SPEC, SPEC, "none")
    status = "painted"

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        height, width = inputs["image"].shape[1:3]
        heads: dict[str, Floats] = {f"stride{s}": np.full((1, height // s, width // s, 124), -9.0) for s in (8, 16, 32)}
        person(heads["stride32"], 2, 3, (1, 1, 1, 1), self.logit)
        return dict(heads)

    def close(self) -> None: ...


@dataclasses.dataclass
class MultiPose:
    """A person whose joints lie at two corners of ``box``, fractions of the image: x1, y1, x2, y2."""

    box: tuple[float, float, float, float]
    manifest = Manifest("painted", "multipose", "x.onnx", "0" * 64, SPEC, SPEC, "none")
    status = "painted"

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        height, width = (side // 4 for side in inputs["image"].shape[1:3])
        channels = {"centre": 1, "box_scale": 2, "box_offset": 2, "heatmaps": 17, "regression": 34, "offsets": 34}
        heads: dict[str, Floats] = {name: np.zeros((1, height, width, c)) for name, c in channels.items()}
        heads["centre"][:] = heads["heatmaps"][:] = -9
        x1, y1, x2, y2 = np.round(np.array(self.box) * (width, height, width, height)).astype(int)
        cy, cx = (y1 + y2) // 2, (x1 + x2) // 2
        heads["centre"][0, cy, cx], heads["box_scale"][0, cy, cx] = 9, 2 * max(height, width)
        for j in range(17):
            y, x = ((y1, x1), (y2, x2))[j % 2]
            heads["heatmaps"][0, y, x, j] = 9
            heads["regression"][0, cy, cx, 2 * j : 2 * j + 2] = y - cy, x - cx
        return dict(heads)

    def close(self) -> None: ...


IMAGE = np.zeros((512, 832, 3), np.uint8)  # twice the size of the first search


def test_boxes_are_in_px_of_the_image() -> None:
    found = Finder(NanoDet(3.0), MultiPose((0.1, 0.1, 0.1, 0.1))).find(IMAGE)
    np.testing.assert_allclose(found.boxes[0], [160, 96, 288, 224], atol=1)
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-3)))


def test_people_of_the_second_network_are_added_where_the_first_sees_nobody() -> None:
    beside, same = (0.6, 0.5, 0.8, 0.8), (0.2, 0.2, 0.34, 0.42)
    assert len(Finder(NanoDet(3.0), MultiPose(beside)).find(IMAGE)) == 2
    assert len(Finder(NanoDet(3.0), MultiPose(same)).find(IMAGE)) == 1
    alone = Finder(NanoDet(-9.0), MultiPose(beside)).find(IMAGE)
    assert len(alone) == 1
    middle = (alone.boxes[0, :2] + alone.boxes[0, 2:]) / 2
    np.testing.assert_allclose(middle, [0.7 * 832, 0.65 * 512], atol=16)
