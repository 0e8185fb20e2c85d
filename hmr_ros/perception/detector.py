# SPDX-License-Identifier: Apache-2.0
"""Image -> people: boxes and 2D keypoints with scores. The interface that the pipeline needs."""

from __future__ import annotations

from typing import Protocol

from hmr_ros.core.arrays import Bools, Image
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.people import Detections
from hmr_ros.core.temporal.shedding import Shed


class Detector(Protocol):
    """Finds people in images. Yours gives a joint set of skeleton.py, and inherits the methods it does not need."""

    def detect(self, image: Image, shed: Shed = Shed.NOTHING) -> Detections:
        """People in ``image`` (H, W, 3) uint8 RGB; it may follow them from call to call. Ids stay UNTRACKED.

        ``shed`` is the work to leave out.
        """

    @property
    def skipped(self) -> Bools | None:
        """(P,) the rows of the last image's people whom it did not show: keypoints are of an earlier image.

        None: all were looked at.
        """
        return None

    def skip(self, rows: Bools) -> None:
        """Leave the ``rows`` (P,) of the last image's people out of the next one, where they are as they were.

        A detector that cannot looks at all people.
        """
        return

    def locate(self, image: Image, given: Detections | None) -> Detections:
        """The people of ``given``, who have boxes and no keypoints, with keypoints: the same rows in the same order.

        None: no boxes came for this image; those of earlier images are followed, and nobody is searched for.
        """
        raise ValueError("detections: this detector cannot locate keypoints in boxes: give keypoints as well")

    def reset(self) -> None:
        """Forget earlier images."""
        return

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        return

    def close(self) -> None:
        """Stop; it must not be called afterwards."""
        return
