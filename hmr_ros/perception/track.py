# SPDX-License-Identifier: Apache-2.0
"""One track: a person as last seen, how they look, and where they are expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.temporal.velocity import filtered_velocity
from hmr_ros.perception.appearance import Look
from hmr_ros.perception.carrying import View, carried_people

_VELOCITY_MEMORY_S = 0.3
"""Time constant of the velocity: long enough to average the detector's noise, and its slip from a person about to be
hidden to the one in front; short enough for people who turn round."""


@dataclass(eq=False)
class Track:
    """A person as last seen, at ``stamp_s`` s.

    ``box`` (4,) and ``kp2d`` (J, 2) px, ``kp2d_score`` (J,); ``velocity`` (2,) px/s of the whole body; ``hits`` is the
    number of images that showed the person; ``is_kept``: the id is that of another detector; ``pose`` of the camera, in
    whose image all this is, None: not known; ``look`` (1 row) over all images; ``begun`` (4,) px: the box of the first
    one, at ``begun_s`` s. While the track ``is_new`` (seen in every image since, in a few, not known again), ``apart``
    are the ids of others who were elsewhere in the same image.
    """

    id: int
    box: Floats
    score: float
    kp2d: Floats
    kp2d_score: Floats
    stamp_s: float
    velocity: Floats
    hits: int = 1
    is_kept: bool = False
    pose: CameraPose | None = None
    look: Look = field(default_factory=lambda: Look.unknown(1))
    apart: set[int] = field(default_factory=set)
    is_new: bool = True
    begun: Floats = field(init=False)
    begun_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun, self.begun_s = self.box, self.stamp_s

    def follow(self, box: Floats, score: float, kp2d: Floats, kp2d_score: Floats, stamp_s: float) -> None:
        """Update the track with a detection at ``stamp_s``: box (4,), keypoints (J, 2) px and their scores (J,)."""
        elapsed = stamp_s - self.stamp_s
        if elapsed > 0:
            weight = self.kp2d_score * kp2d_score
            moved = _mean_shift(self.kp2d, kp2d, weight) if weight.any() else _box_shift(self.box, box)
            self.velocity = filtered_velocity(self.velocity, moved, elapsed, _VELOCITY_MEMORY_S)
        self.box, self.score, self.kp2d, self.kp2d_score, self.stamp_s = box, score, kp2d, kp2d_score, stamp_s
        self.hits += 1


def carry(tracks: Iterable[Track], view: View | None) -> None:
    """Move ``tracks`` into the image of ``view``, as far as the camera's motion is known.

    All tracks of one earlier image at once.
    """
    if view is None:
        return
    together: dict[tuple[int, int], list[Track]] = {}
    for track in tracks:
        together.setdefault((id(track.pose), len(track.kp2d)), []).append(track)
    for same in together.values():
        motion = view.pose.motion_from(same[0].pose)
        if motion is not None:
            _carry_by(same, motion, view)


def _carry_by(tracks: Sequence[Track], motion: Transform, view: View) -> None:
    boxes = np.stack([[track.begun, track.box] for track in tracks])
    depths_m = np.array([view.depths.get(track.id, np.inf) for track in tracks])
    kp2d = np.stack([track.kp2d for track in tracks])
    boxes, kp2d = carried_people(boxes, kp2d, depths_m, motion, view.camera)
    for track, (begun, box), points in zip(tracks, boxes, kp2d, strict=True):
        track.begun, track.box, track.kp2d, track.pose = begun, box, points, view.pose


def expected(tracks: Sequence[Track], stamp_s: float) -> tuple[Floats, Floats, Floats]:
    """Predict N > 0 tracks: (N,) s since they were seen, boxes (N, 4) and keypoints (N, J, 2) px at ``stamp_s``."""
    unseen_s = np.array([stamp_s - track.stamp_s for track in tracks])
    moved = unseen_s[:, None] * np.stack([track.velocity for track in tracks])
    boxes = np.stack([track.box for track in tracks]) + np.tile(moved, 2)
    return unseen_s, boxes, np.stack([track.kp2d for track in tracks]) + moved[:, None]


def _mean_shift(before: Floats, after: Floats, weight: Floats) -> Floats:
    """(2,) mean movement of keypoints (J, 2) px with weights (J,); 0 when all weights are."""
    return np.asarray(weight @ (after - before) / max(float(weight.sum()), 1e-9))


def _box_shift(before: Floats, after: Floats) -> Floats:
    """(2,) movement of the middle of a box (4,) px: of a person without keypoints."""
    return np.asarray((after - before).reshape(2, 2).mean(0))
