"""Image -> people: boxes and 2D keypoints with scores.

``Detector`` is all that the pipeline asks for; ``BlazePoseDetector`` is the one that comes with the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.people import UNTRACKED, Bools, Detections, Floats
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception import blazepose
from hmr_ros.perception.blazepose import Poses
from hmr_ros.perception.similarity import keypoint_similarity

SEARCH_PIXELS = 640 * 352
"""Default size of the whole-image search: sees people from a tenth to all of a 720p image's height."""
FAR_SEARCH_PIXELS = 1280 * 704
"""Size of the search for people half as tall as that, four times as slow."""


class Detector(Protocol):
    """Finds people in images. Yours fits the pipeline if it has these two methods and a joint set of skeleton.py."""

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """People in ``image`` (H, W, 3) uint8 RGB; it may follow them from call to call. Ids stay UNTRACKED."""

    def reset(self) -> None:
        """Forget everything about earlier images."""


@dataclass(frozen=True)
class BlazePoseOptions:
    """``search_pixels``: size of the image for the whole-image search; larger finds people farther away.

    ``period``: search every so many images (1: each), and whenever nobody is followed or somebody got lost.
    ``max_persons``: most people followed at once. ``min_candidate``: least score of a place worth a look;
    ``min_presence``: least belief of the landmark network that there is a person.
    """

    search_pixels: int = SEARCH_PIXELS
    period: int = 5
    max_persons: int = 8
    min_candidate: float = 0.5
    min_presence: float = 0.5

    def __post_init__(self) -> None:
        if min(self.search_pixels, self.period, self.max_persons) < 1:
            raise ValueError(f"search_pixels, period and max_persons: expected at least 1, got {self}")
        if not (0 < self.min_candidate < 1 and 0 < self.min_presence < 1):
            raise ValueError(f"min_candidate and min_presence: expected between 0 and 1, got {self}")


_MERGE_IOU = 0.3
"""Candidates of one person overlap at least this much (MediaPipe's min_suppression_threshold)."""
_SAME_PERSON = 0.5
"""Keypoint similarity above which two poses are of one person."""
_SAME_REGION = 0.25
"""A candidate closer to a followed person than this many sides of the region is that person."""
_SETTLING_PASSES = 2
"""A new region comes from a box, which is rough; the landmarks of the first pass give a better one."""
_MIN_POINTS = 6
"""People with fewer points in the image are not reported."""
_BOX_MARGIN = 0.1
"""Landmarks are inside of the body; boxes reach this much of their size beyond them."""


class BlazePoseDetector:
    """BlazePose for several people: a search of the whole image now and then, landmarks in each person's region always.

    The first call after ``reset`` searches, so ``reset`` before every image makes it a detector for single photos.
    """

    def __init__(self, search: Engine, landmarks: Engine, options: BlazePoseOptions = BlazePoseOptions()) -> None:
        """``search`` and ``landmarks``: engines of kind "detector" and "landmarks" as `hmr convert-detector` makes."""
        for engine, kind in ((search, "detector"), (landmarks, "landmarks")):
            if engine.manifest.kind != kind:
                raise ValueError(
                    f"{engine.manifest.name}: expected a network of kind {kind}, got {engine.manifest.kind}"
                )
        self.options = options
        self._search_engine = search
        self._landmark_engine = landmarks
        self.reset()

    def reset(self) -> None:
        """Forget everybody: the next image is searched as a whole."""
        self._regions: Floats = np.zeros((0, 2, 2), np.float32)
        self._until_search = 0

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """People in ``image`` (H, W, 3) uint8 RGB, those followed longest first; joint set "blazepose"."""
        followed = self._look(image, self._regions)
        alive = self._present(followed)
        poses = followed.take(alive)
        if self._until_search <= 0 or not alive.all() or not alive.any():
            poses = _joined(poses, self._find_new(image, poses))
            self._until_search = self.options.period
        self._until_search -= 1
        poses = poses.take(_distinct(poses))
        self._regions = poses.next_regions
        return _detections(poses, image.shape[1], image.shape[0])

    def _find_new(self, image: NDArray[np.uint8], followed: Poses) -> Poses:
        """People in the whole image who are not among ``followed``."""
        regions = self._search(image)
        regions = regions[_is_new(regions, followed.next_regions)]
        regions = regions[: max(0, self.options.max_persons - len(followed))]
        for _ in range(_SETTLING_PASSES):
            poses = self._look(image, regions)
            poses = poses.take(self._present(poses))
            regions = poses.next_regions
        return poses

    def _search(self, image: NDArray[np.uint8]) -> Floats:
        """(C, 2, 2) regions of ``image`` px that may show a person, best first."""
        height, width = image.shape[:2]
        size = blazepose.input_size(width, height, self.options.search_pixels)
        outputs = self._search_engine.run({"image": blazepose.resize(image, size)[None]})
        candidates = blazepose.decode_candidates(
            outputs["regressions"][0], outputs["logits"][0], size, self.options.min_candidate
        )
        candidates = blazepose.merge_overlapping(candidates, _MERGE_IOU)
        return np.asarray(candidates.regions * (width / size[0], height / size[1]))

    def _look(self, image: NDArray[np.uint8], regions: Floats) -> Poses:
        """Run the landmark network in each of ``regions`` (P, 2, 2)."""
        if len(regions) == 0:
            return Poses.empty()
        maps = blazepose.image_from_crop(regions)
        outputs = self._landmark_engine.run({"image": blazepose.crop(image, maps)})
        return blazepose.decode_poses(outputs["landmarks"], outputs["presence"], outputs["heatmaps"], maps)

    def _present(self, poses: Poses) -> Bools:
        return np.asarray(poses.presence >= self.options.min_presence)


def _joined(a: Poses, b: Poses) -> Poses:
    return Poses(
        np.concatenate([a.points, b.points]),
        np.concatenate([a.visibility, b.visibility]),
        np.concatenate([a.inside, b.inside]),
        np.concatenate([a.presence, b.presence]),
        np.concatenate([a.next_regions, b.next_regions]),
    )


def _is_new(regions: Floats, followed: Floats) -> Bools:
    """(C,) whether no followed region has its centre near that of the region."""
    gap = np.linalg.norm(regions[:, None, 0] - followed[None, :, 0], axis=2)
    return np.asarray((gap > _SAME_REGION * blazepose.region_sides(followed)).all(1))


def _distinct(poses: Poses) -> Bools:
    """(P,) True for the first of the poses that show one person: those followed longest come first."""
    weight = poses.inside
    size = blazepose.region_sides(poses.next_regions) / 2
    similar = keypoint_similarity(poses.points, poses.points, weight, weight, size) >= _SAME_PERSON
    keep = np.ones(len(poses), np.bool_)
    for p in range(len(poses)):
        keep[p] = not (similar[p, :p] & keep[:p]).any()
    return keep


def _detections(poses: Poses, width: int, height: int) -> Detections:
    """Poses as records of the pipeline: points beyond the image are missing, boxes hold the others."""
    inside = np.asarray(((poses.points >= 0) & (poses.points < (width, height))).all(2))
    scores = np.where(inside, poses.visibility * poses.inside, 0)
    kept = inside.sum(1) >= _MIN_POINTS
    boxes = _boxes(poses.points[kept], inside[kept], width, height)
    people = int(kept.sum())
    return Detections(
        boxes,
        poses.presence[kept],
        poses.points[kept],
        scores[kept],
        "blazepose",
        np.full(people, UNTRACKED, np.int64),
    )


def _boxes(points: Floats, inside: Bools, width: int, height: int) -> Floats:
    """(P, 4) boxes around the points that are in the image, widened by _BOX_MARGIN and clipped to the image."""
    low = np.where(inside[..., None], points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(inside[..., None], points, -np.inf).max(axis=1, initial=-np.inf)
    margin = _BOX_MARGIN * (high - low)
    boxes = np.concatenate([low - margin, high + margin], axis=1)
    return np.asarray(np.clip(boxes, 0, (width, height, width, height)), np.float32)
