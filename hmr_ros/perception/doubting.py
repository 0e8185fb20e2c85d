# SPDX-License-Identifier: Apache-2.0
"""Tracks whose skeletons are believed: a person whose body contradicts the track counts as hidden in this image."""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.people import Estimates, State
from hmr_ros.core.temporal.sizing import Sizing
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.similarity import box_area, box_overlap
from hmr_ros.perception.tracks import DOUBT_S, Tracks

_COVERED = 0.2
"""Fraction of a box in that of another person from which on their limbs may mix."""


def believed(
    tracks: Tracks,
    estimates: Estimates,
    sizing: Sizing,
    smoother: BodySmoother,
    stamp_s: float,
    pose: CameraPose | None,
) -> tuple[Tracks, Estimates]:
    """``tracks``, in which those are coasting whose ``estimates`` contradict them, and the estimates of the others."""
    ids, growth = tracks.seen.ids, sizing.growth(tracks.seen.ids, estimates)
    unseen_s = smoother.doubted(ids, estimates, growth, covered_people(tracks), stamp_s, pose)
    if not unseen_s.any():
        return tracks, estimates
    since_s = np.zeros(len(tracks.states))
    since_s[tracks.unseen_s == 0] = unseen_s
    return _hidden(tracks, since_s), estimates.take(unseen_s == 0)


def covered_people(tracks: Tracks) -> Bools:
    """(P,): whom of the people who are seen another one covers in part, who may be coasting.

    Of two whose skeletons mix, one is often not found at all.
    """
    return np.asarray(covered(tracks.people.boxes)[tracks.unseen_s == 0])


def covered(boxes: Floats) -> Bools:
    """(P,): whether the box of another person covers a part of each of ``boxes`` (P, 4) px."""
    common = box_overlap(boxes, boxes)
    np.fill_diagonal(common, 0)
    return np.asarray((common > _COVERED * box_area(boxes)[:, None]).any(1))


def _hidden(tracks: Tracks, since_s: Floats) -> Tracks:
    """``tracks`` of which those with ``since_s`` (P,) above 0 were last seen so long ago, s."""
    rows, people = since_s > 0, tracks.people
    unseen = dataclasses.replace(
        people,
        scores=people.scores * np.exp(-since_s / DOUBT_S),
        kp2d_score=np.where(rows[:, None], 0, people.kp2d_score),
    )
    return dataclasses.replace(
        tracks,
        people=unseen,
        states=np.where(rows, State.COASTING, tracks.states).astype(tracks.states.dtype),
        unseen_s=np.where(rows, since_s, tracks.unseen_s),
    )
