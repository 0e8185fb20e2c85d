# SPDX-License-Identifier: Apache-2.0
"""Keypoints of a refining network and BlazePose's landmarks -> one skeleton per person, joint set "blazepose".

COCO's 17 joints are the refining network's. Feet, hands and details of the face, which COCO lacks, are landmarks,
moved along with the joint that they belong to; where the two networks disagree on that joint, they are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.skeleton import BLAZEPOSE, COCO17
from hmr_ros.perception import blazepose
from hmr_ros.perception.blazepose import Poses
from hmr_ros.perception.claims import lost_claims
from hmr_ros.perception.similarity import keypoint_similarity

IN_BLAZEPOSE = np.array([BLAZEPOSE.index(joint) for joint in COCO17.joints])
"""(17,) COCO's joints among BlazePose's 33."""
AGREEMENT = 0.06
"""Maximum distance of two networks' points of one joint that agree, as a fraction of the region's side: a quarter of a
torso."""
BEST = 6
"""A person is as sure as the mean of this many best joints."""
_NEW_REGION = 0.12
"""The landmark network's own next region is kept while its middle is nearer to the hips than this fraction of it."""
_SEEN = 0.1
_HEAD = 1.75
"""From the hips to the top of the head, in lengths of the torso."""
_SAME_PERSON = 0.5
"""Minimum keypoint similarity of two skeletons of one person."""
STEADY = 0.6
"""People whose skeleton is less similar to the expected one may have slipped to a neighbour."""
_HIPS = [COCO17.index("left_hip"), COCO17.index("right_hip")]
_SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]
_PARTS = {
    "mouth": "nose",
    "eye_inner": "eye",
    "eye_outer": "eye",
    "pinky": "wrist",
    "index": "wrist",
    "thumb": "wrist",
    "heel": "ankle",
    "toe": "ankle",
}


def _belongs_to(joint: str) -> int:
    """The COCO joint that a point of BlazePose moves with: itself where COCO has it."""
    side, _, part = joint.partition("_")
    owner = _PARTS.get(part, part)
    name = owner if owner == "nose" else f"{side}_{owner}"
    return COCO17.index(joint if joint in COCO17.joints else name)


OWNER = np.array([_belongs_to(joint) for joint in BLAZEPOSE.joints])
"""(33,) the COCO joint that each point moves with."""


@dataclass(frozen=True, eq=False)
class Skeletons(Record):
    """P people: ``points`` (P, 33, 2) px, ``scores`` (P, 33) 0..1, joint set "blazepose"; ``sure`` (P,) 0..1.

    ``regions`` (P, 2, 2) px of the landmark network for the next image. ``moved`` (P, 17, 2): from the landmarks to
    the refining network's joints, in sides of the region, NaN where they disagreed. ``age`` (P,): images since the
    refining network looked. ``motion`` (P, 2) px since the last image; ``steady`` (P,) 0..1: keypoint similarity to
    where the last motion lets them be expected, 1 for new people.
    """

    points: Floats
    scores: Floats
    sure: Floats
    regions: Floats
    moved: Floats
    age: Floats
    motion: Floats
    steady: Floats

    @staticmethod
    def empty() -> Skeletons:
        """No people."""
        points, zero = np.zeros((0, BLAZEPOSE.size, 2)), np.zeros(0)
        regions, moved = np.zeros((0, 2, 2)), np.zeros((0, COCO17.size, 2))
        return Skeletons(points, points[..., 0], zero, regions, moved, zero, points[:, 0], zero)

    @property
    def extents(self) -> Floats:
        """(P,) px: half the side of the region, the size of a body in keypoint similarity."""
        return blazepose.region_sides(self.regions) / 2


def best_joints(scores: Floats) -> Floats:
    """(P,) mean of the BEST largest of ``scores`` (P, J)."""
    return np.asarray(np.sort(scores, 1)[:, -BEST:].mean(1))


def refined(poses: Poses, present: Bools, points: Floats, scores: Floats, sure: Floats) -> Skeletons:
    """People whom the refining network sees: ``points`` (P, 17, 2) px, ``scores`` (P, 17), ``sure`` (P,).

    ``poses`` are the landmarks of the same rows, where ``present`` (P,).
    """
    side = blazepose.region_sides(poses.next_regions)[:, None, None]
    moved = (points - poses.points[:, IN_BLAZEPOSE]) / np.maximum(side, 1)
    agree = (np.linalg.norm(moved, axis=-1) < AGREEMENT) & present[:, None]
    moved = np.where(agree[..., None], moved, np.nan)
    regions = regions_of(points, scores)
    own = np.linalg.norm(poses.next_regions[:, 0] - regions[:, 0], axis=1) < _NEW_REGION * side[:, 0, 0]
    regions = np.where((own & present)[:, None, None], poses.next_regions, regions)
    skeleton = _attached(poses, points, scores, agree)
    still, new = np.zeros((len(points), 2)), np.ones(len(points))
    return Skeletons(*skeleton, sure, regions, moved, np.zeros(len(points)), still, new)


def followed(poses: Poses, before: Skeletons, scores: Floats) -> Skeletons:
    """People whom only the landmark network sees: ``poses`` with ``scores`` (P, 17), moved as the last look asked.

    Joints on which the networks disagreed then have half their score.
    """
    side = blazepose.region_sides(poses.next_regions)[:, None, None]
    agreed = np.isfinite(before.moved[..., 0])
    points = poses.points[:, IN_BLAZEPOSE] + np.where(agreed[..., None], before.moved * side, 0)
    skeleton = _attached(poses, points, np.where(agreed, scores, scores / 2), agreed)
    rest = before.motion, before.steady
    return Skeletons(*skeleton, before.sure, poses.next_regions, before.moved, before.age + 1, *rest)


def gone_on(people: Skeletons, before: Skeletons) -> Skeletons:
    """``people`` with how they have moved since the image ``before``, in the same rows."""
    shift = np.median(people.points[:, IN_BLAZEPOSE] - before.points[:, IN_BLAZEPOSE], axis=1)
    expected = replace(before, points=before.points + before.motion[:, None])
    return replace(people, motion=shift, steady=np.diagonal(similarity(people, expected)))


def _attached(poses: Poses, points: Floats, scores: Floats, agree: Bools) -> tuple[Floats, Floats]:
    """(P, 33, 2) px and (P, 33): joints ``points`` (P, 17, 2), and the landmarks of those that ``agree``."""
    shift = points[:, OWNER] - poses.points[:, IN_BLAZEPOSE][:, OWNER]
    all_points = poses.points + shift
    all_scores = np.where(agree[:, OWNER], np.minimum(poses.visibility, scores[:, OWNER]), 0)
    all_scores[:, IN_BLAZEPOSE] = scores
    return all_points, all_scores


def regions_of(points: Floats, scores: Floats) -> Floats:
    """(P, 2, 2) px: the landmark network's regions of people with ``points`` (P, 17, 2) px and ``scores`` (P, 17)."""
    hips, shoulders = points[:, _HIPS].mean(1), points[:, _SHOULDERS].mean(1)
    trunk = shoulders - hips
    length = np.maximum(np.linalg.norm(trunk, axis=1, keepdims=True), 1e-3)
    up = np.where(length > 1, trunk / length, (0, -1))
    reach = np.where(scores >= _SEEN, np.linalg.norm(points - hips[:, None], axis=2), 0).max(1, keepdims=True)
    return np.stack([hips, hips + up * 1.05 * np.maximum(reach, _HEAD * length)], 1)


def similarity(a: Skeletons, b: Skeletons) -> Floats:
    """(A, B) keypoint similarity of COCO's joints, 0..1."""
    (pa, sa), (pb, sb) = ((s.points[:, IN_BLAZEPOSE], s.scores[:, IN_BLAZEPOSE]) for s in (a, b))
    return keypoint_similarity(pa, pb, sa, sb, a.extents)


def distinct(people: Skeletons) -> Skeletons:
    """``people`` without further skeletons of one person, and with joints that belong to one person each.

    Of two skeletons that are one, the first stays, unless it has jumped there: it was another person's before.
    """
    return claimed(people.take(distinct_rows(people)))


def distinct_rows(people: Skeletons) -> Bools:
    """(P,) True for one skeleton of each person."""
    same = similarity(people, people) >= _SAME_PERSON
    keep = np.zeros(len(people), np.bool_)
    for row in np.argsort(people.steady < STEADY, kind="stable"):
        keep[row] = not (same[row] & keep).any()
    return keep


def claimed(people: Skeletons) -> Skeletons:
    """``people`` with joints that belong to one person each."""
    joints = people.points[:, IN_BLAZEPOSE], people.scores[:, IN_BLAZEPOSE]
    lost = lost_claims(*joints, people.extents)
    return replace(people, scores=np.where(lost[:, OWNER], 0, people.scores))


def renewed(known: Skeletons, looked: Skeletons) -> Skeletons:
    """``known`` people, each as in the first of ``looked`` that is the same person, then the others of ``looked``.

    A skeleton that has slipped to a neighbour in part becomes one person's again.
    """
    same = similarity(looked, known)
    order = list(range(len(known)))
    for row in range(len(looked)):
        best = int(same[row].argmax()) if len(known) else -1
        if best < 0 or same[row, best] < _SAME_PERSON or order[best] >= len(known):
            order.append(len(known) + row)
        else:
            order[best] = len(known) + row
    return join_rows([known, looked]).take(np.array(order, np.int64))
