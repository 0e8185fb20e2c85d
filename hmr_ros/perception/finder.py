# SPDX-License-Identifier: Apache-2.0
"""Search of whole images for people: NanoDet's boxes, and those of MoveNet MultiPose that NanoDet misses.

NanoDet finds small people, crowds and people cut off; MultiPose close-ups and inverted poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.geometry.crop import boxes_of_keypoints
from hmr_ros.core.records import Record, join_rows
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.movenet import decode_people
from hmr_ros.perception.nanodet import BOX_IOU, find_boxes, non_maximum_suppression
from hmr_ros.perception.search_input import search_input
from hmr_ros.perception.similarity import box_iou

BOXES_PIXELS = 416 * 256
"""Size of NanoDet's search, px; people of a tenth of a 16:9 image's height are found."""
PEOPLE_PIXELS = 256 * 160
"""Size of MultiPose's search, px."""
_PERSON_SCORE = 0.2
"""Minimum product of a person's centre and the mean of their seen joints' scores, of MultiPose."""
_CENTRE_SCORE = 0.05
_SEEN = 0.127
"""Minimum score of a joint that counts as seen (MultiPose's own)."""
_FRAMED = 0.1
"""Minimum score of a joint that a person's box goes around."""
_SAME_PERSON = 0.45
"""Boxes of MultiPose that overlap one of NanoDet more are of the same person."""
_MAX_CANDIDATES = 32


@dataclass(frozen=True, eq=False)
class Boxes(Record):
    """Where people may be: ``boxes`` (C, 4) px of the image, ``scores`` (C,) 0..1."""

    boxes: Floats
    scores: Floats


class Finder:
    """Finds the boxes of people in whole images."""

    def __init__(self, person_boxes: Engine, multipose: Engine, scale: float = 1.0) -> None:
        """The networks of these kinds; ``scale``: pixels of both searches, as a multiple of the default."""
        self._person_boxes = person_boxes
        self._multipose = multipose
        self._scale = scale

    def find(self, image: Image) -> Boxes:
        """People in ``image`` (H, W, 3) uint8 RGB: NanoDet's, best first, then MultiPose's."""
        boxes, people = self._find_boxes(image), self._find_people(image)
        new = box_iou(people.boxes, boxes.boxes).max(1, initial=0) < _SAME_PERSON
        return join_rows([boxes, people.take(new)])

    def _find_boxes(self, image: Image) -> Boxes:
        pixels, scale = search_input(image, self._scale * BOXES_PIXELS)
        boxes, scores = find_boxes(self._person_boxes, pixels)
        return Boxes(boxes * np.tile(scale, 2), scores)

    def _find_people(self, image: Image) -> Boxes:
        pixels, scale = search_input(image, self._scale * PEOPLE_PIXELS)
        people = decode_people(self._multipose.run({"image": pixels}), _CENTRE_SCORE, _MAX_CANDIDATES)
        seen = people.scores >= _SEEN
        mean = np.where(seen, people.scores, 0).sum(1) / np.maximum(seen.sum(1), 1)
        likely = people.centres * mean >= _PERSON_SCORE
        people = people.take(likely)
        size = np.array(pixels.shape[2:0:-1])
        around = boxes_of_keypoints(people.points, people.scores >= _FRAMED, size)
        framed = ((people.scores >= _FRAMED).sum(1) > 2)[:, None]
        boxes = np.where(framed, around, people.boxes)
        scores = people.centres * mean[likely]
        order = np.argsort(-scores, kind="stable")
        order = order[non_maximum_suppression(boxes[order], BOX_IOU)]
        return Boxes(boxes[order] * np.tile(scale, 2), scores[order])
