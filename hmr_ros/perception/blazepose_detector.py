# SPDX-License-Identifier: Apache-2.0
"""The detector of preset fast: NanoDet searches images, BlazePose's landmarks follow each person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core import tracepoints
from hmr_ros.core.arrays import Bools, Floats, Image
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.geometry.crop import boxes_of_keypoints
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.core.records import join_rows
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.engines.runtime import Engine, require_kind
from hmr_ros.perception import blazepose
from hmr_ros.perception.blazepose import Poses
from hmr_ros.perception.candidates import Candidates, find_candidates, regions_of_boxes
from hmr_ros.perception.given import are_inside, matched, with_keypoints_of
from hmr_ros.perception.pace import SearchPace
from hmr_ros.perception.search import Search
from hmr_ros.perception.similarity import box_iou, keypoint_similarity
from hmr_ros.perception.skipping import SkippingDetector

SEARCH_PIXELS = 416 * 224
"""Default size of the whole-image search, px: finds people from a tenth to all of a 720p image's height."""


@dataclass(frozen=True)
class BlazePoseOptions:
    """How BlazePoseDetector works.

    ``search_pixels``: size of the whole-image search; larger finds people farther away, at a proportional cost.
    ``period``: the search runs in every n-th image, and also when no person is followed or one was just lost.
    ``max_people``: maximum number of people followed at once. ``min_presence``: 0..1, minimum presence, by the landmark
    network, of a person who is followed; new people need more.
    """

    search_pixels: int = SEARCH_PIXELS
    period: int = 5
    max_people: int = 8
    min_presence: float = 0.5

    def __post_init__(self) -> None:
        if min(self.search_pixels, self.period, self.max_people) < 1:
            raise ValueError(f"search_pixels, period and max_people: expected at least 1, got {self}")
        if not 0 < self.min_presence < 1:
            raise ValueError(f"min_presence: expected between 0 and 1, got {self.min_presence}")

    @staticmethod
    def of(settings: PerceptionSettings) -> BlazePoseOptions:
        """The options that ``settings`` ask for."""
        width, height = settings.detector.size.split("x")
        return BlazePoseOptions(
            search_pixels=int(width) * int(height),
            period=settings.detector.period,
            max_people=settings.max_people,
            min_presence=settings.detection_threshold,
        )

    @property
    def search_sizes(self) -> tuple[int, ...]:
        """The sizes to search at, px: a search for far people misses near ones, so it follows one of default size."""
        return (self.search_pixels,) if self.search_pixels <= SEARCH_PIXELS else (SEARCH_PIXELS, self.search_pixels)


# The thresholds below were set on photos with and without people. The landmark network reports people almost anywhere,
# but only on a real person do its landmarks stay in position when it is run again on the region they point to.
_SURE_SCORE = 0.6
"""Candidates with a higher score may move after the first run: the region of the search is rough."""
_SETTLING_LOOKS = 4
"""Number of runs on a new region, each on the region that the last one points to."""
_NEW_PRESENCE = 0.8
"""Minimum presence of a new person in each of these runs."""
_STEADY = 0.78
"""Minimum keypoint similarity of each run to the one before."""
_SAME_REGION = 0.12
"""A candidate closer to a followed region than this fraction of its side is the same person."""
_FOLLOWED_IOU = 0.45
"""So is one whose box overlaps that of a followed person more."""
_SAME_PERSON = 0.5
"""Minimum keypoint similarity of two poses of one person."""
_SEEN = 0.3
"""Minimum visibility of a point that counts as seen."""
_MIN_SEEN = 6
"""Minimum number of seen points in the image of a person."""
_MIN_SIDE = 32
"""Side of the smallest region, px: a person of about 20 px."""


class BlazePoseDetector(SkippingDetector):
    """BlazePose for several people: landmarks in each person's region, and a search of the whole image now and then.

    The first call after ``reset`` searches, so ``reset`` before every image makes it a detector for single photos.
    ``options`` may be exchanged between images. From ``Shed.SEARCHES`` on, searches are rarer than ``period``.
    Keypoint scores are the network's visibility, which separates right from wrong points better than its presence on
    photos with people cut off or covered; points outside the image score 0.
    """

    def __init__(
        self,
        search: Engine,
        landmarks: Engine,
        options: BlazePoseOptions | None = None,
        *,
        background_search: bool = False,
    ) -> None:
        """``search``: the network of kind "person_boxes" (NanoDet); ``landmarks``: BlazePose's.

        ``background_search``: images do not wait for a search while people are followed (see ``Search``).
        """
        require_kind(search, "person_boxes")
        require_kind(landmarks, "landmarks")
        self.options = options or BlazePoseOptions()
        self._search_engine = search
        self._landmark_engine = landmarks
        self._search = Search(self._find, background=background_search)
        self.reset()

    def reset(self) -> None:
        """Forget all people: the next image is searched as a whole."""
        self._search.reset()
        self._people = Poses.empty()
        self._follow_all(0)
        self._pace = SearchPace()

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self.options = BlazePoseOptions.of(settings)

    def close(self) -> None:
        """End the search in the background."""
        self._search.close()

    def detect(self, image: Image, shed: Shed = Shed.NOTHING) -> Detections:
        """People in ``image`` (H, W, 3) uint8 RGB, those followed longest first; joint set "blazepose"."""
        before = self._people.take(slice(self.options.max_people))
        skipped = self._to_skip[: len(before)]
        poses = self._followed(image, before, skipped)
        alive = _are_people(poses, image, self.options.min_presence)
        poses, skipped = poses.take(alive), skipped[alive]
        tracepoints.mark("following")
        is_due = self._pace.is_due(not alive.any() or not alive.all(), self.options.period, shed)
        found = self._search(image, is_due=is_due, must_wait=not alive.any())
        tracepoints.mark("search")
        for candidates in found or ():
            poses = join_rows([poses, self._new_people(image, candidates, poses)])
        distinct = _distinct(poses)
        skipped = np.concatenate([skipped, np.zeros(len(poses) - len(skipped), np.bool_)])[distinct]
        self._keep(poses.take(distinct), skipped)
        return _detections(self._people, image)

    def locate(self, image: Image, given: Detections | None) -> Detections:
        """The people of ``given`` with keypoints; without scores where the landmark network sees nobody in the box.

        None: those of the last image, without a search.
        """
        poses = self._look(image, self._people.next_regions[: self.options.max_people])
        poses = poses.take(_are_people(poses, image, self.options.min_presence))
        if given is None:
            self._keep(poses)
            return _detections(poses, image)
        rows = matched(given.boxes, _detections(poses, image).boxes)
        new = self._settled(image, regions_of_boxes(given.boxes[rows < 0]))
        rows[rows < 0] = len(poses) + np.arange(len(new))
        poses = join_rows([poses, new]).take(rows)
        present = _are_people(poses, image, self.options.min_presence)
        present &= are_inside(poses.points, np.where(_in_image(poses, image), poses.visibility, 0), given.boxes)
        present[present] = _distinct(poses.take(present))
        self._keep(poses.take(present))
        return with_keypoints_of(given, _detections(poses, image), present)

    def _followed(self, image: Image, before: Poses, skipped: Bools) -> Poses:
        """The people of the last image, ``before``, in this one; those ``skipped`` (P,) as they were."""
        if not skipped.any():
            return self._look(image, before.next_regions)
        return before.with_rows(~skipped, self._look(image, before.next_regions[~skipped]))

    def _keep(self, people: Poses, skipped: Bools | None = None) -> None:
        """Follow ``people`` in the next image, in which no one is to be left out so far."""
        self._people = people
        self._follow_all(len(people), skipped)

    def _settled(self, image: Image, regions: Floats) -> Poses:
        """What the landmark network sees in ``regions`` (P, 2, 2) that are rough, after it has moved them."""
        poses = self._look(image, regions)
        for _ in range(_SETTLING_LOOKS - 1):
            poses = self._look(image, poses.next_regions)
        return poses

    def _new_people(self, image: Image, candidates: Candidates, followed: Poses) -> Poses:
        """People of ``candidates``, found in ``image`` or shortly before, other than those ``followed``."""
        known = _are_near(candidates.regions, followed.next_regions)
        known |= box_iou(candidates.boxes, _boxes(followed, image)).max(1, initial=0) >= _FOLLOWED_IOU
        candidates = candidates.take(~known)
        candidates = candidates.take(slice(self.options.max_people - len(followed)))
        steadiness = np.where(candidates.scores >= _SURE_SCORE, 0, _STEADY)  # due from the second look on
        poses = self._look(image, candidates.regions)
        for _ in range(_SETTLING_LOOKS - 1):
            likely = _are_people(poses, image, _NEW_PRESENCE)
            before = poses.take(likely)
            poses = self._look(image, before.next_regions)
            steady = np.diagonal(_similarity(before, poses)) >= steadiness[likely]
            poses, steadiness = poses.take(steady), np.full(int(steady.sum()), _STEADY)
        return poses.take(_are_people(poses, image, _NEW_PRESENCE))

    def _find(self, image: Image) -> list[Candidates]:
        """Candidates of people in the whole image, one list for each size at which it is searched."""
        return [find_candidates(self._search_engine, image, pixels) for pixels in self.options.search_sizes]

    def _look(self, image: Image, regions: Floats) -> Poses:
        """What the landmark network sees in each of ``regions`` (P, 2, 2)."""
        if len(regions) == 0:
            return Poses.empty()
        maps = blazepose.image_from_crop(regions)
        outputs = self._landmark_engine.run({"image": blazepose.crop(image, maps)})
        return blazepose.decode_poses(outputs["landmarks"], outputs["presence"], outputs["heatmaps"], maps)


def _are_near(regions: Floats, followed: Floats) -> Bools:
    """(C,) whether both points of a region (C, 2, 2) are near those of one of ``followed`` (F, 2, 2)."""
    gap = np.linalg.norm(regions[:, None] - followed[None], axis=3).max(2)
    return np.asarray((gap < _SAME_REGION * blazepose.region_sides(followed)).any(1))


def _similarity(a: Poses, b: Poses) -> Floats:
    """(A, B) keypoint similarity, 0..1; the body's size is the radius of its region."""
    size = blazepose.region_sides(b.next_regions) / 2
    return keypoint_similarity(b.points, a.points, b.inside, a.inside, size).T


def _distinct(poses: Poses) -> Bools:
    """(P,) True for the first pose of each person; those followed longest come first."""
    similar = _similarity(poses, poses) >= _SAME_PERSON
    keep = np.ones(len(poses), np.bool_)
    for p in range(len(poses)):
        keep[p] = not (similar[p, :p] & keep[:p]).any()
    return keep


def _in_image(poses: Poses, image: Image) -> Bools:
    """(P, 33) whether points lie in ``image`` (H, W, 3)."""
    height, width = image.shape[:2]
    return np.asarray(((poses.points >= 0) & (poses.points < (width, height))).all(2))


def _are_people(poses: Poses, image: Image, min_presence: float) -> Bools:
    """(P,) whether poses are of people: present, large enough, with enough points seen in ``image`` (H, W, 3)."""
    seen = _in_image(poses, image) & (poses.visibility >= _SEEN)
    large = blazepose.region_sides(poses.next_regions) >= _MIN_SIDE
    return np.asarray((poses.presence >= min_presence) & (seen.sum(1) >= _MIN_SEEN) & large)


def _boxes(poses: Poses, image: Image) -> Floats:
    """(P, 4) px: boxes around the points that are seen in ``image`` (H, W, 3)."""
    seen = _in_image(poses, image) & (poses.visibility >= _SEEN)
    return boxes_of_keypoints(poses.points, seen, np.array(image.shape[1::-1]))


def _detections(poses: Poses, image: Image) -> Detections:
    """The people of ``poses`` in ``image`` (H, W, 3), not tracked yet."""
    scores = np.where(_in_image(poses, image), poses.visibility, 0)
    return Detections(
        boxes=_boxes(poses, image).astype(np.float32),
        scores=poses.presence,
        kp2d=poses.points,
        kp2d_score=scores,
        joint_set="blazepose",
        ids=np.full(len(poses), UNTRACKED, np.int64),
    )
