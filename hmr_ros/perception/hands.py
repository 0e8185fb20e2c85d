# SPDX-License-Identifier: Apache-2.0
"""The hands of tracked people: found by the body's keypoints, then followed by their own landmarks.

A hand that is too small, or that the landmark network is not sure of, is absent; none is ever made up. Networks:
MediaPipe's hand landmarks and hand recrop (Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", 2020).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Floats, Image, Ints
from hmr_ros.core.body.hand_model import SIDES
from hmr_ros.core.people import Detections
from hmr_ros.core.records import Record, check_shape
from hmr_ros.core.skeleton import BLAZEPOSE, JOINT_SETS, MANO, convert_keypoints
from hmr_ros.engines.runtime import Engine, require_kind
from hmr_ros.perception.hand_regions import (
    LANDMARKS_SIZE,
    RECROP_SIZE,
    HandLandmarks,
    crops,
    decode_landmarks,
    hand_sizes,
    region_sides,
    regions_of_body,
    regions_of_landmarks,
    regions_of_recrop,
)

_PRESENCE = 0.5
"""Minimum presence, by the landmark network, of a hand."""
_KEYPOINT = 0.1
"""Minimum score of the body's keypoints at the hand, which only say where to look."""
_SMALLEST_PX = 25.0
"""Smaller hands are absent: their points would be more than 4 % of the hand off (docs/hands.md)."""
_HAND_IN_REGION = 0.5
"""Size of a hand as a fraction of the side of its region by the body, about."""
_AWAY = 0.75
"""A followed hand whose wrist is farther from the body's, by its size, has slipped to another place."""
_CROSSED = 0.3
"""Hands are each other's where that brings them nearer to the body's wrists by this, of their mean size."""
_SAME = 0.2
"""Two hands whose points lie closer than this on average, by their size, are one."""
_WRIST = MANO.index("wrist")


@dataclass(frozen=True, eq=False)
class Hands(Record):
    """The hands of P people, left and right.

    ``ids`` (P,) of the people; ``points`` (P, 2, 21, 2) px of the full image, in the order of skeleton.MANO, and
    ``world`` (P, 2, 21, 3) m about the middle of the hand, the network's own estimate, x right, y down, z away: NaN
    where a hand is absent; ``scores`` (P, 2) 0..1, 0 absent; ``side_scores`` (P, 2) 0..1, that it looks like a hand of
    its side.
    """

    ids: Ints
    points: Floats
    world: Floats
    scores: Floats
    side_scores: Floats

    def __post_init__(self) -> None:
        people = len(self.ids)
        for name, shape in {
            "points": (2, MANO.size, 2),
            "world": (2, MANO.size, 3),
            "scores": (2,),
            "side_scores": (2,),
        }.items():
            check_shape(self, name, (people, *shape))

    @property
    def seen(self) -> Bools:
        """(P, 2) whether the left and the right hand are seen."""
        return np.asarray(self.scores > 0)

    def with_hands(self, places: Bools, found: HandLandmarks, scores: Floats) -> Hands:
        """These hands with those ``found`` at ``places`` (P, 2), N true, in order; ``scores`` (N,) of 0 are absent."""
        rows, sides = np.nonzero(places)
        side_scores = np.where(sides == SIDES.index("right"), found.right, 1 - found.right)
        values = {"points": found.points, "world": found.world, "scores": scores, "side_scores": side_scores}
        columns = {name: getattr(self, name).copy() for name in values}
        present = scores > 0
        for name, value in values.items():
            columns[name][rows[present], sides[present]] = value[present]
        return dataclasses.replace(self, **columns)

    def without(self, absent: Bools) -> Hands:
        """These hands where those of the mask ``absent`` (P, 2) are not seen."""
        hidden = absent[..., None, None]
        return Hands(
            self.ids,
            np.where(hidden, np.nan, self.points),
            np.where(hidden, np.nan, self.world),
            np.where(absent, 0, self.scores),
            np.where(absent, 0, self.side_scores),
        )

    def exchanged(self, people: Bools) -> Hands:
        """These hands where the left and the right one of ``people`` (P,) are each other's."""
        if not people.any():
            return self
        columns = {name: getattr(self, name).copy() for name in ("points", "world", "scores", "side_scores")}
        columns["side_scores"][people] = 1 - columns["side_scores"][people]
        for column in columns.values():
            column[people] = column[people][:, ::-1]
        return dataclasses.replace(self, **columns)

    @staticmethod
    def unseen(ids: Ints) -> Hands:
        """The people ``ids`` (P,) without hands."""
        people = len(ids)
        return Hands(
            ids,
            np.full((people, 2, MANO.size, 2), np.nan, np.float32),
            np.full((people, 2, MANO.size, 3), np.nan, np.float32),
            np.zeros((people, 2), np.float32),
            np.zeros((people, 2), np.float32),
        )


@dataclass(frozen=True, eq=False)
class HandPlaces(Record):
    """Where the body of each of P people says that its hands are, left and right.

    ``wrists`` (P, 2, 2) px; ``rough`` (P, 2, 2, 2) px regions; ``known`` (P, 2) whether its keypoints are seen.
    """

    wrists: Floats
    rough: Floats
    known: Bools


class HandDetector:
    """Locates the hands of people whose keypoints include index and little finger (joint set "blazepose").

    Call it with images in their order. It keeps the region of each hand by the person's id.
    """

    def __init__(self, recrop: Engine, landmarks: Engine) -> None:
        """``recrop`` and ``landmarks``: MediaPipe's networks of these kinds."""
        require_kind(recrop, "hand_recrop")
        require_kind(landmarks, "hand_landmarks")
        self._recrop = recrop
        self._landmarks = landmarks
        self.reset()

    def reset(self) -> None:
        """Forget all hands: the next image begins with the bodies."""
        self._regions: dict[tuple[int, int], Float32s] = {}

    def __call__(self, image: Image, people: Detections) -> Hands:
        """The hands in ``image`` (H, W, 3) uint8 RGB of tracked ``people``, in their order."""
        places = hand_places(people)
        regions, wanted = self._wanted(image, people.ids, places)
        found = self._look(image, regions[wanted])
        scores = np.where(_plausible(found, places, wanted), found.presence, 0)
        hands = Hands.unseen(people.ids).with_hands(wanted, found, scores)
        hands = hands.exchanged(_crossed(hands, places))
        hands = hands.without(_repeated(hands, places))
        self._remember(hands)
        return hands

    def _wanted(self, image: Image, ids: Ints, places: HandPlaces) -> tuple[Floats, Bools]:
        """Regions (P, 2, 2, 2) px to look at, and which (P, 2): those of the last image, else those of the bodies."""
        regions = places.rough.astype(np.float64)
        followed = np.zeros(places.known.shape, np.bool_)
        for row, side in np.ndindex(*followed.shape):
            if (region := self._regions.get((int(ids[row]), side))) is not None:
                regions[row, side], followed[row, side] = region, True
        new = ~followed & places.known
        new[new] = _HAND_IN_REGION * region_sides(regions[new]) >= _SMALLEST_PX
        if new.any():
            regions[new] = self._recropped(image, regions[new])
        return regions, followed | new

    def _recropped(self, image: Image, regions: Floats) -> Floats:
        answers = self._recrop.run({"image": crops(image, regions, RECROP_SIZE)})["crop"]
        return regions_of_recrop(answers, regions)

    def _look(self, image: Image, regions: Floats) -> HandLandmarks:
        """What the landmark network sees in ``regions`` (N, 2, 2) px."""
        if len(regions) == 0:
            return HandLandmarks.empty()
        outputs = self._landmarks.run({"image": crops(image, regions, LANDMARKS_SIZE)})
        landmarks, world = outputs["landmarks"], outputs["world"]
        return decode_landmarks(landmarks, world, outputs["presence"], outputs["handedness"], regions)

    def _remember(self, hands: Hands) -> None:
        rows, sides = np.nonzero(hands.seen)
        regions = regions_of_landmarks(hands.points[rows, sides].astype(np.float64))
        keys = zip(hands.ids[rows].tolist(), sides.tolist(), strict=True)
        self._regions = dict(zip(keys, regions.astype(np.float32), strict=True))


def hand_places(people: Detections) -> HandPlaces:
    """Where ``people`` have their hands; unknown where their joint set has no fingers."""
    pixels, score = convert_keypoints(people.kp2d, people.kp2d_score, JOINT_SETS[people.joint_set], BLAZEPOSE)
    rows = [[BLAZEPOSE.index(f"{side}_{joint}") for side in SIDES] for joint in ("wrist", "index", "pinky")]
    wrist, index, pinky = (pixels[:, row].reshape(-1, 2).astype(np.float64) for row in rows)
    known = np.stack([score[:, row] >= _KEYPOINT for row in rows]).all(0)
    return HandPlaces(
        wrist.reshape(-1, 2, 2), regions_of_body(wrist, index, pinky).reshape(-1, 2, 2, 2), np.asarray(known)
    )


def _plausible(found: HandLandmarks, places: HandPlaces, wanted: Bools) -> Bools:
    """(N,) which hands are present, large enough, and at the wrists (P, 2) of the N ``wanted`` ones."""
    size = hand_sizes(found.points)
    away = np.linalg.norm(found.points[:, _WRIST] - places.wrists[wanted], axis=1)
    at_wrist = ~places.known[wanted] | (away <= _AWAY * size)
    return np.asarray((found.presence >= _PRESENCE) & (size >= _SMALLEST_PX) & at_wrist)


def _crossed(hands: Hands, places: HandPlaces) -> Bools:
    """(P,) people both of whose hands are nearer to the body's wrist of the other side: they were followed across."""
    both = (hands.seen & places.known).all(1)
    apart = np.linalg.norm(hands.points[:, :, None, _WRIST] - places.wrists[:, None], axis=-1)
    straight, crossed = apart[:, 0, 0] + apart[:, 1, 1], apart[:, 0, 1] + apart[:, 1, 0]
    size = hand_sizes(hands.points).mean(1)
    return np.asarray(both & (straight - crossed > _CROSSED * size))


def _repeated(hands: Hands, places: HandPlaces) -> Bools:
    """(P, 2) hands that are another one, too, whose body's wrist is nearer."""
    rows, sides = np.nonzero(hands.seen)
    points = hands.points[rows, sides]
    size = hand_sizes(points)
    away = np.linalg.norm(points[:, _WRIST] - places.wrists[rows, sides], axis=1) / size
    away[~places.known[rows, sides]] = np.inf
    apart = np.linalg.norm(points[:, None] - points, axis=-1).mean(-1)
    same = apart < _SAME * np.minimum(size[:, None], size)
    order = np.lexsort((np.arange(len(away)), away)).argsort()
    repeated = np.zeros(hands.seen.shape, np.bool_)
    repeated[rows, sides] = (same & (order < order[:, None])).any(1)
    return repeated
