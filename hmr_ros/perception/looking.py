# SPDX-License-Identifier: Apache-2.0
"""The first step of a pipeline: who is in an image, where their hands are, and who is not looked at in the next one."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.people import Detections, State
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.external import within_limit
from hmr_ros.perception.hands import HandDetector, Hands
from hmr_ros.perception.tracks import Tracks
from hmr_ros.perception.turns import Turns

_NO_BOXES = np.zeros((0, 4))


class Looking:
    """Looks at images in the order of their stamps: at ``people``, at their ``hands``, then ``plan`` the next image."""

    def __init__(self, detector: Detector, hand_detector: HandDetector | None) -> None:
        self._detector = detector
        self._hand_detector = hand_detector
        self._turns = Turns()
        self._boxes: Floats = _NO_BOXES
        self._settings = PerceptionSettings()

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self._detector.configure(settings)
        self._settings = settings

    def reset(self) -> None:
        """Forget all people."""
        self.forget_image()
        self._boxes = _NO_BOXES

    def forget_image(self) -> None:
        """Forget where people and hands were in the last image: the next one is searched."""
        self._detector.reset()
        self._turns.reset()
        if self._hand_detector is not None:
            self._hand_detector.reset()

    def people(self, image: Image, given: Detections | None, shed: Shed) -> Detections:
        """Those in ``image``: of another detector, where it has ``given`` people, else those of the search."""
        if given is None:
            is_external = self._settings.detections.is_external
            return self._detector.locate(image, None) if is_external else self._detector.detect(image, shed)
        given = within_limit(given, self._boxes, self._settings.max_people)
        return given if given.has_keypoints else self._detector.locate(image, given)

    def hands(self, image: Image, seen: Detections, shed: Shed) -> Hands | None:
        """The hands of people who are ``seen``; left out with the views, while fingers hold, then relax."""
        if self._hand_detector is None:
            return None
        if shed >= Shed.VIEWS:
            self._hand_detector.reset()
            return None
        return self._hand_detector(image, seen)

    def plan(self, tracks: Tracks, stamp_s: float, in_turns: bool) -> int:
        """Tell the detector whom to skip in the next image; how many it skipped in this one, which gave ``tracks``.

        ``in_turns``: whether people who hardly move may be skipped with ``detector.still_people`` auto. Hands move
        while a person stands still.
        """
        self._boxes = tracks.people.boxes
        still = self._settings.detector.still_people
        if self._hand_detector is None and (still == "in_turns" or (still == "auto" and in_turns)):
            self._detector.skip(self._turns(tracks, stamp_s))
        else:
            self._turns.reset()
        return int(((tracks.unseen_s > 0) & (tracks.states == State.TRACKED)).sum())
