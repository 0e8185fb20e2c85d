# SPDX-License-Identifier: Apache-2.0
"""People whom another detector has found: checked, limited in number, and given their keypoints."""

from __future__ import annotations

import dataclasses
from enum import StrEnum

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Image
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.similarity import box_iou

_SAME_PERSON = 0.3
"""A box that overlaps a track's more is taken for that person when there are more boxes than the limit."""


class Fault(StrEnum):
    """Why a detection of another detector is refused; counted by these names in diagnostics."""

    NOT_FINITE = "detection_not_finite"
    EMPTY = "detection_empty"
    OUTSIDE = "detection_outside_image"
    DUPLICATE_ID = "detection_duplicate_id"


EXPLANATIONS = {
    Fault.NOT_FINITE: "its box or score is not finite",
    Fault.EMPTY: "its box is empty: expected x2 > x1 and y2 > y1",
    Fault.OUTSIDE: "its box lies outside the image: is it in px of a resized image?",
    Fault.DUPLICATE_ID: "its id is that of another detection: ids must differ, or set detections.keep_ids to false",
}


def faults(detections: Detections, width: int, height: int, *, keep_ids: bool) -> dict[int, Fault]:
    """Rows of ``detections`` to refuse in an image of ``width`` x ``height`` px, and why.

    Of detections with one id none can be trusted: all are refused where ids are kept.
    """
    boxes = detections.boxes
    finite = np.isfinite(boxes).all(1) & np.isfinite(detections.scores)
    boxes = np.where(finite[:, None], boxes, (0, 0, 1, 1))
    filled = (boxes[:, 2:] > boxes[:, :2]).all(1)
    inside = ((boxes[:, 2:] > 0) & (boxes[:, :2] < (width, height))).all(1)
    repeated = _repeated(detections) & keep_ids
    found = (
        (Fault.DUPLICATE_ID, repeated),
        (Fault.OUTSIDE, ~inside),
        (Fault.EMPTY, ~filled),
        (Fault.NOT_FINITE, ~finite),
    )
    return {int(row): fault for fault, rows in found for row in np.flatnonzero(rows)}


def _repeated(detections: Detections) -> Bools:
    """(P,) whether the id of a detection is also that of another one."""
    ids, counts = np.unique(detections.ids, return_counts=True)
    return np.asarray(np.isin(detections.ids, ids[counts > 1]) & (detections.ids != UNTRACKED))


def checked(detections: Detections, image: Image, *, keep_ids: bool) -> Detections:
    """``detections`` within ``image`` (H, W, 3), ready to be tracked. Raises ValueError for the first with a fault."""
    height, width = image.shape[:2]
    if found := faults(detections, width, height, keep_ids=keep_ids):
        row = min(found)
        box, track_id = detections.boxes[row].tolist(), int(detections.ids[row])
        raise ValueError(f"detections: row {row} (box {box}, id {track_id}): {EXPLANATIONS[found[row]]}")
    known = np.isfinite(detections.kp2d).all(2) & np.isfinite(detections.kp2d_score)
    return dataclasses.replace(
        detections,
        boxes=detections.boxes.clip(0, (width, height, width, height)),
        scores=detections.scores.clip(0, 1),
        kp2d=np.where(known[..., None], detections.kp2d, 0),
        kp2d_score=np.where(known, detections.kp2d_score, 0).clip(0, 1),
    )


def within_limit(detections: Detections, tracked: Floats, limit: int) -> Detections:
    """At most ``limit`` of ``detections``, in order: those on boxes ``tracked`` (T, 4) px first, then the best."""
    if len(detections) <= limit:
        return detections
    is_new = box_iou(detections.boxes, tracked).max(1, initial=0) < _SAME_PERSON
    order = np.lexsort((-detections.scores, is_new))
    return detections.take(np.sort(order[:limit]))


class NoSearch(Detector):
    """Takes the place of a detector where another one reports keypoints: it needs no networks and finds nobody."""

    def detect(self, image: Image, shed: Shed = Shed.NOTHING) -> Detections:
        """Nobody."""
        return Detections.empty("coco17")

    def locate(self, image: Image, given: Detections | None) -> Detections:
        """``given`` as they are: without keypoints. Nobody for None."""
        return self.detect(image) if given is None else given
