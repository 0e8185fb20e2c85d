# SPDX-License-Identifier: Apache-2.0
"""Messages of other detectors -> people in an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from rclpy.serialization import deserialize_message

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.crop import boxes_of_keypoints
from hmr_ros.core.people import Detections
from hmr_ros.core.skeleton import COCO17, JOINT_SETS
from hmr_ros.msg import Keypoints2DArray
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.wire.cdr import CdrError, CdrReader
from hmr_ros.ros.wire.messages import kept_id

_HYPOTHESIS = 1 + 7 + 36
"""Numbers of an ObjectHypothesisWithPose: score, pose, covariance."""


class BadDetectionsError(ValueError):
    """A message of detections that cannot be used; the text says why, and what to do."""


@dataclass(frozen=True, eq=False)
class Reported:
    """What another detector reports about an image in ``frame_ids``, without leading slashes.

    ``problem``: what is left out of it, in words; "" for nothing.
    """

    frame_ids: frozenset[str]
    detections: Detections
    problem: str = ""


class _Box(NamedTuple):
    """A vision_msgs/Detection2D: ``place`` (5,) x, y px, angle rad, width, height px; class and score of hypotheses."""

    place: Floats
    hypotheses: Sequence[tuple[str, float]]
    name: str


def read_boxes(data: bytes, classes: Sequence[str]) -> Reported:
    """A serialised vision_msgs/Detection2DArray: boxes of ``classes`` (none: of all). Raises BadDetectionsError."""
    try:
        frame_id, found = _read_boxes(CdrReader(data))
    except CdrError as err:
        raise BadDetectionsError(f"the message cannot be read: {err}") from err
    scored = [(box, _score(box.hypotheses, classes)) for box in found]
    wanted = [(box, score) for box, score in scored if score is not None]
    boxes = _corners(np.array([box.place for box, _ in wanted], np.float64).reshape(-1, 5))
    scores = np.array([score for _, score in wanted], np.float64)
    ids = np.array([kept_id(box.name) for box, _ in wanted], np.int64)
    problem = "" if wanted or not found else _no_class(found, classes)
    return Reported(frozenset({frame_id}), Detections.of_boxes(boxes, scores, ids), problem)


def _read_boxes(reader: CdrReader) -> tuple[str, list[_Box]]:
    """The frame and the boxes of a message. rclpy takes six times as long: every hypothesis holds a covariance."""
    reader.stamp()
    frame_id = bare_frame(reader.string())
    return frame_id, [_read_box(reader) for _ in range(reader.uint32())]


def _read_box(reader: CdrReader) -> _Box:
    reader.stamp()
    reader.string()
    hypotheses = [(reader.string(), float(reader.doubles(_HYPOTHESIS)[0])) for _ in range(reader.uint32())]
    return _Box(reader.doubles(5), hypotheses, reader.string())


def read_keypoints(data: bytes, width: int, height: int) -> Reported:
    """A serialised hmr_ros/Keypoints2DArray about an image of ``width`` x ``height`` px. Raises BadDetectionsError."""
    message = _read(data, Keypoints2DArray)
    if message.joint_set not in JOINT_SETS:
        raise BadDetectionsError(f"expected joint_set {', '.join(sorted(JOINT_SETS))}, got {message.joint_set!r}")
    joints = JOINT_SETS[message.joint_set].size
    for person in message.people:
        sizes = len(person.keypoints), len(person.keypoint_scores)
        if sizes != (2 * joints, joints):
            raise BadDetectionsError(
                f"expected {2 * joints} keypoints and {joints} keypoint_scores of joint_set {message.joint_set}, got "
                f"{sizes[0]} and {sizes[1]}"
            )
    people = message.people
    found = _of_keypoints(
        np.array([p.keypoints for p in people], np.float64).reshape(-1, joints, 2),
        np.array([p.keypoint_scores for p in people], np.float64).reshape(-1, joints),
        np.array([p.score for p in people], np.float64),
        [p.id for p in people],
        message.joint_set,
        np.array([width, height]),
    )
    return Reported(frozenset({bare_frame(message.header.frame_id)}), found)


def read_skeletons(data: Mapping[str, bytes], message_type: type, width: int, height: int) -> Reported:
    """Serialised hri_msgs/Skeleton2D of each person, by id, in an image of ``width`` x ``height`` px.

    Raises BadDetectionsError.
    """
    size = np.array([width, height])
    messages = {person: _read(skeleton, message_type) for person, skeleton in data.items()}
    points = np.array([_coco(message) for message in messages.values()], np.float64).reshape(-1, COCO17.size, 3)
    seen = np.isfinite(points).all(2) & (points[..., 2] > 0)
    scores = np.where(seen, points[..., 2], 0)
    mean = scores.sum(1) / np.maximum(seen.sum(1), 1)
    frames = frozenset(bare_frame(message.header.frame_id) for message in messages.values())
    found = _of_keypoints(points[..., :2] * size, scores, mean, list(messages), COCO17.name, size)
    return Reported(frames, found)


def _read(data: bytes, message_type: type) -> Any:
    """The message in ``data``. Raises BadDetectionsError."""
    try:
        return deserialize_message(data, message_type)
    except RuntimeError as err:
        raise BadDetectionsError(f"the message cannot be read: {err}") from err


def _score(hypotheses: Sequence[tuple[str, float]], classes: Sequence[str]) -> float | None:
    """The largest score of a hypothesis of ``classes``; None where there is none. Boxes without hypotheses have 1."""
    if not hypotheses and not classes:
        return 1.0
    found = [score for class_id, score in hypotheses if not classes or class_id in classes]
    return max(found) if found else None


def _no_class(found: Sequence[_Box], classes: Sequence[str]) -> str:
    """Why a message without anybody may be a mistake: which classes it has instead."""
    others = sorted({class_id for box in found for class_id, _ in box.hypotheses})
    return f"no detection of class {', '.join(classes)} among {', '.join(others[:8]) or 'those without a class'}"


def _corners(places: Floats) -> Floats:
    """(N, 4) px: x1 y1 x2 y2 around boxes (N, 5): x, y of the centre px, angle rad, width and height px."""
    x, y, angle, width, height = places.T
    angle = np.where(np.isfinite(angle), angle, np.nan)
    cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    half_x, half_y = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    return np.stack([x - half_x, y - half_y, x + half_x, y + half_y], 1)


def _coco(message: Any) -> list[tuple[float, float, float]]:
    """x, y as fractions of the image and confidence of COCO's joints.

    By the names of the constants: their order is OpenPose's, but for left and right of eyes and ears.
    """
    points = (message.skeleton[getattr(message, joint.upper())] for joint in COCO17.joints)
    return [(point.x, point.y, point.c) for point in points]


def _of_keypoints(
    kp2d: Floats, kp2d_score: Floats, scores: Floats, names: Sequence[str], joint_set: str, image_size: Floats
) -> Detections:
    """People with ``kp2d`` (P, J, 2) px; their boxes go around the points that have a score."""
    seen = np.isfinite(kp2d).all(2) & (kp2d_score > 0)
    points = np.where(seen[..., None], kp2d, 0)
    return Detections(
        boxes=boxes_of_keypoints(points, seen, image_size),
        scores=scores,
        kp2d=points,
        kp2d_score=np.where(seen, kp2d_score, 0),
        joint_set=joint_set,
        ids=np.array([kept_id(name) for name in names], np.int64),
    )
