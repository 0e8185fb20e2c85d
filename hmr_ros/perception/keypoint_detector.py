# SPDX-License-Identifier: Apache-2.0
"""People and keypoints from four networks: two search the image, one refines each person, one follows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hmr_ros.core import tracepoints
from hmr_ros.core.arrays import Bools, Floats, Image
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.geometry.crop import boxes_of_keypoints
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import BLAZEPOSE
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.confidence import MIN_BEST, landmark_confidence
from hmr_ros.perception.finder import Boxes, Finder
from hmr_ros.perception.given import are_inside, fraction_inside, matched, with_keypoints_of
from hmr_ros.perception.pace import SearchPace
from hmr_ros.perception.person_networks import PRESENCE, PersonNetworks, in_image
from hmr_ros.perception.refusals import Refusals
from hmr_ros.perception.search import Search
from hmr_ros.perception.similarity import box_iou
from hmr_ros.perception.skeletons import (
    IN_BLAZEPOSE,
    STEADY,
    Skeletons,
    best_joints,
    claimed,
    distinct,
    distinct_rows,
    followed,
    gone_on,
    renewed,
)
from hmr_ros.perception.skipping import SkippingDetector

_SURELY_NOBODY = 0.2
"""Places where it is lower are left alone by the next searches."""
_FOLLOWED_IOU = 0.45
"""Found boxes that overlap a followed person's more, and ..."""
_HELD = 0.8
"""... hold more of their joints, by score, are that person; if fewer, the skeleton may be two people's."""
_REST = 8
"""Preset balanced: images between two looks of the refining network at one person, half as many at one who may have
slipped, ..."""
_PAUSE = 2
"""... and between two looks at any person who is followed."""
_SEEN = 0.3
"""Minimum score of a joint that a person's box goes around."""


@dataclass(frozen=True)
class KeypointDetectorOptions:
    """How KeypointDetector works.

    ``every_image``: the refining network looks at every person in every image; otherwise at new and lost ones at once,
    and at the others now and then. ``period``: the image is searched in every n-th call. ``max_people``: followed at
    once. ``min_score``: 0..1, of a person.
    """

    every_image: bool = False
    period: int = 5
    max_people: int = 8
    min_score: float = 0.5

    @staticmethod
    def of(settings: PerceptionSettings) -> KeypointDetectorOptions:
        """The options that ``settings`` ask for."""
        return KeypointDetectorOptions(
            settings.detector.preset == "accurate",
            settings.detector.period,
            settings.max_people,
            settings.detection_threshold,
        )


class KeypointDetector(SkippingDetector):
    """Finds people with NanoDet and MoveNet MultiPose, refines them with MoveNet Thunder, follows with BlazePose.

    ``follow`` and ``join`` share the work of an image. Joint set "blazepose"; scores of keypoints are
    the probability that they are right, those of people a half where the refining network is just sure enough.
    """

    def __init__(
        self,
        finder: Finder,
        keypoints: Engine,
        landmarks: Engine,
        options: KeypointDetectorOptions | None = None,
        *,
        background_search: bool = False,
    ) -> None:
        """``keypoints``: the network of this kind (MoveNet Thunder); ``landmarks``: BlazePose's.

        ``background_search``: images do not wait for the ``finder`` while people are followed (see ``Search``).
        """
        self.options = options or KeypointDetectorOptions()
        self._search = Search(finder.find, background=background_search)
        self._networks = PersonNetworks(keypoints, landmarks)
        self.reset()

    def reset(self) -> None:
        """Forget all people: the next image is searched as a whole."""
        self._search.reset()
        self._people = Skeletons.empty()
        self._follow_all(0)
        self._pace = SearchPace()
        self._refusals = Refusals()
        self._until_look = 0

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self.options = KeypointDetectorOptions.of(settings)

    def close(self) -> None:
        """End the search in the background."""
        self._search.close()

    def detect(self, image: Image, shed: Shed = Shed.NOTHING) -> Detections:
        """People in ``image`` (H, W, 3) uint8 RGB, those followed longest first; joint set "blazepose"."""
        before = len(self._people)
        people, skipped = self.follow(image)
        tracepoints.mark("following")
        is_due = self._pace.is_due(len(people) == 0 or len(people) < before, self.options.period, shed)
        found = self._search(image, is_due=is_due, must_wait=len(people) == 0)
        tracepoints.mark("search")
        if found is not None:
            known, people = people, self.join(image, people, found)
            skipped = _still_skipped(skipped, known, people)
        rows = np.flatnonzero(distinct_rows(people))[: self.options.max_people]
        self._keep(claimed(people.take(rows)), skipped[rows])
        return _detections(self._people, image)

    def locate(self, image: Image, given: Detections | None) -> Detections:
        """The people of ``given`` with keypoints; without scores where the refining network sees nobody in the box.

        None: those of the last image, without a search.
        """
        self._follow_all(len(self._people))
        people, _ = self.follow(image)
        if given is None:
            self._keep(distinct(people))
            return _detections(self._people, image)
        rows = matched(given.boxes, _boxes(people, image))
        new = self._networks.people_in(image, given.boxes[rows < 0])
        rows[rows < 0] = len(people) + np.arange(len(new))
        people = join_rows([people, new]).take(rows)
        seen = (people.sure >= self.options.min_score) & are_inside(people.points, people.scores, given.boxes)
        seen[seen] = distinct_rows(people.take(seen))
        self._keep(distinct(people.take(seen)))
        return with_keypoints_of(given, _detections(people, image), seen)

    def follow(self, image: Image) -> tuple[Skeletons, Bools]:
        """The people of the last image, in ``image``, and (P,) who of them were skipped, and are as they were.

        Those who are not there any more are left out.
        """
        before, skipped = self._people, self._to_skip
        if skipped.any():
            people = before.with_rows(~skipped, self._followed(image, before.take(~skipped)))
        else:
            people = self._followed(image, before)
        sure = people.sure >= self.options.min_score
        return people.take(sure), skipped[sure]

    def _keep(self, people: Skeletons, skipped: Bools | None = None) -> None:
        """Follow ``people`` in the next image, in which no one is to be left out so far."""
        self._people = people
        self._follow_all(len(people), skipped)

    def _followed(self, image: Image, before: Skeletons) -> Skeletons:
        """The people ``before``, in ``image``; however sure they are."""
        if len(before) == 0:
            return before
        poses = self._networks.look(image, before.regions)
        present = poses.presence >= PRESENCE
        people = followed(poses, before, landmark_confidence(poses.visibility[:, IN_BLAZEPOSE]))
        people = gone_on(people, before)
        due = self._due(people, present)
        boxes = np.where(present[:, None], _boxes(people, image), _boxes(before, image))
        looked = self._networks.refine(image, poses.take(due), present[due], boxes[due])
        kept = people.take(present & ~due)
        order = np.argsort(np.concatenate([np.flatnonzero(present & ~due), np.flatnonzero(due)]), kind="stable")
        return gone_on(join_rows([kept, looked]).take(order), before)

    def join(self, image: Image, known: Skeletons, boxes: Boxes) -> Skeletons:
        """The ``known`` people, renewed where the search sees them otherwise, and other people in ``image``.

        ``boxes``: what the search has found, in this image or in one shortly before.
        """
        found = boxes.boxes
        found = found[self._refusals.are_new(found) & ~_frames_one_of(known, found, image)]
        found = found[: max(self.options.max_people - len(known), 0)]
        if len(found) == 0:
            return known
        points, raw = self._networks.joints(image, found)
        best = best_joints(raw)
        self._refusals.add(found[best < _SURELY_NOBODY])
        seen = (best >= MIN_BEST) & are_inside(points, raw, found)
        people = self._networks.with_landmarks(image, points[seen], raw[seen])
        return renewed(known, _sure_enough(people, self.options.min_score))

    def _due(self, people: Skeletons, present: Bools) -> Bools:
        """(P,) whom the refining network looks at: who is not ``present``, and the one who needs it most."""
        if self.options.every_image:
            return np.ones(len(people), np.bool_)
        due = ~present
        self._until_look -= 1
        need = people.age * np.where(people.steady < STEADY, 2, 1)
        neediest = int(need.argmax())
        if self._until_look <= 0 and need[neediest] >= _REST:
            due[neediest] = True
            self._until_look = _PAUSE
        return due


def _still_skipped(skipped: Bools, known: Skeletons, people: Skeletons) -> Bools:
    """(P,) who of ``people`` is ``skipped`` (K,) of those ``known``, whom a search has renewed in part, or not."""
    as_known = (people.points[: len(known)] == known.points).all((1, 2))
    return np.concatenate([skipped & as_known, np.zeros(len(people) - len(known), np.bool_)])


def _sure_enough(people: Skeletons, min_score: float) -> Skeletons:
    return people.take(np.asarray(people.sure >= min_score))


def _frames_one_of(known: Skeletons, boxes: Floats, image: Image) -> Bools:
    """(C,) whether ``boxes`` (C, 4) px frame one of the ``known`` people: overlap their box, and hold their joints."""
    overlap = box_iou(boxes, _boxes(known, image))
    held = fraction_inside(known.points[:, IN_BLAZEPOSE], known.scores[:, IN_BLAZEPOSE], boxes[:, None])
    return np.asarray(((overlap >= _FOLLOWED_IOU) & (held >= _HELD)).any(1))


def _boxes(people: Skeletons, image: Image) -> Floats:
    """(P, 4) px: boxes around the points that are seen; around all where none is."""
    seen = people.scores >= _SEEN
    return boxes_of_keypoints(people.points, seen | ~seen.any(1, keepdims=True), np.array(image.shape[1::-1]))


def _detections(people: Skeletons, image: Image) -> Detections:
    """``people`` in ``image`` (H, W, 3), not tracked yet."""
    scores = np.where(in_image(people.points, image), people.scores, 0)
    shown = replace(people, scores=scores)
    return Detections(
        boxes=_boxes(shown, image).astype(np.float32),
        scores=people.sure.astype(np.float32),
        kp2d=people.points.astype(np.float32),
        kp2d_score=scores.astype(np.float32),
        joint_set=BLAZEPOSE.name,
        ids=np.full(len(people), UNTRACKED, np.int64),
    )
