# SPDX-License-Identifier: Apache-2.0
"""What a tracker knows after an image: all tracks, where they were seen or are predicted."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.people import Detections
from hmr_ros.core.records import join_rows
from hmr_ros.perception.track import Track, expected

DOUBT_S = 1.0
"""Time constant at which the score of an unseen track falls."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """All tracks after an image, one row each: first its detections, in their order, then the others.

    ``people`` have ids; coasting tracks have predicted boxes and keypoints, keypoint scores 0, and a score that falls
    with time. ``states`` (P,) of State; ``unseen_s`` (P,) s since the last image that showed the person: above 0
    for those who are coasting, and those TRACKED who were skipped (Detector.skip). ``lost`` are
    the ids of the tracks that ended with this image, which have no row any more; one comes back when the person is
    known again, until it is among the ``forgotten`` ids.
    """

    people: Detections
    states: Ints
    unseen_s: Floats
    lost: tuple[int, ...] = ()
    forgotten: tuple[int, ...] = ()

    @cached_property
    def seen(self) -> Detections:
        """The people who were seen in this image."""
        return self.people.take(self.unseen_s == 0)

    @property
    def unseen(self) -> Detections:
        """The tracks that were not seen in this image, and are not given up, where they are predicted."""
        return self.people.take(self.unseen_s > 0)


def with_unseen(detections: Detections, shown: list[Track], unseen: list[Track], stamp_s: float) -> Detections:
    """``detections`` with the ids of their tracks, then the ``unseen`` ones where they are predicted at ``stamp_s``."""
    seen = dataclasses.replace(detections, ids=np.array([track.id for track in shown], np.int64))
    if not unseen:
        return seen
    unseen_s, boxes, kp2d = expected(unseen, stamp_s)
    coasting = Detections(
        boxes=boxes,
        scores=np.array([track.score for track in unseen]) * np.exp(-unseen_s / DOUBT_S),
        kp2d=kp2d,
        kp2d_score=np.zeros(kp2d.shape[:2]),
        joint_set=detections.joint_set,
        ids=np.array([track.id for track in unseen], np.int64),
    )
    return join_rows([seen, coasting])
