# SPDX-License-Identifier: Apache-2.0
"""Places that a search takes for a person again and again, and a closer look does not."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.perception.similarity import box_iou

_SAME_PLACE = 0.7
"""Boxes that overlap more are of one place: a person who moves has left it."""
_SEARCHES = 4
"""Searches for which a place is left alone."""


class Refusals:
    """Remembers boxes in which nobody was seen, for some searches."""

    def __init__(self) -> None:
        self._search = 0
        self._boxes: Floats = np.zeros((0, 4))
        self._until: Floats = np.zeros(0)

    def are_new(self, boxes: Floats) -> Bools:
        """(C,) whether ``boxes`` (C, 4) px of the next search are worth a look."""
        self._search += 1
        waiting = self._until >= self._search
        self._boxes, self._until = self._boxes[waiting], self._until[waiting]
        return np.asarray(box_iou(boxes, self._boxes).max(1, initial=0) < _SAME_PLACE)

    def add(self, boxes: Floats) -> None:
        """Nobody was seen in ``boxes`` (C, 4) px."""
        self._boxes = np.concatenate([self._boxes, boxes])
        self._until = np.concatenate([self._until, np.full(len(boxes), self._search + _SEARCHES)])
