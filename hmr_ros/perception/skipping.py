# SPDX-License-Identifier: Apache-2.0
"""What both of our detectors know of people whom they leave out of an image (``turns.py`` chooses them)."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Bools
from hmr_ros.perception.detector import Detector


class SkippingDetector(Detector):
    """A detector that can leave people whom it follows out of an image, where they are as they were."""

    def __init__(self) -> None:
        self._follow_all(0)

    @property
    def skipped(self) -> Bools | None:
        """(P,) the rows of the last image's people whom no network looked at."""
        return self._skipped if self._skipped.any() else None

    def skip(self, rows: Bools) -> None:
        """Do not look at the ``rows`` (P,) of the last image's people in the next one."""
        self._to_skip = rows

    def _follow_all(self, count: int, skipped: Bools | None = None) -> None:
        """Follow ``count`` people; ``skipped`` (P,) of them were left out of this image, so far none of the next."""
        self._skipped = np.zeros(count, np.bool_) if skipped is None else skipped
        self._to_skip = np.zeros(count, np.bool_)
