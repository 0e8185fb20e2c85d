# SPDX-License-Identifier: Apache-2.0
"""Messages of other detectors as people, without DDS."""

import contextlib

import numpy as np
import pytest
from hmr_ros.msg import Keypoints2D, Keypoints2DArray
from hri_msgs.msg import Skeleton2D
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from hmr_ros.core.people import UNTRACKED
from hmr_ros.ros.input.detection_messages import BadDetectionsError, read_boxes, read_keypoints, read_skeletons
from hmr_ros.ros.wire.messages import kept_id, person_name


def detection(x=50.0, y=80.0, width=20.0, height=60.0, theta=0.0, classes=(("person", 0.9),), name=""):
    result = Detection2D(id=name)
    result.bbox.center.position.x, result.bbox.center.position.y, result.bbox.center.theta = x, y, theta
    result.bbox.size_x, result.bbox.size_y = width, height
    for class_id, score in classes:
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = class_id, score
        result.results.append(hypothesis)
    return result


def boxes(*detections, classes=("person",)):
    message = Detection2DArray(header=Header(frame_id="/eye"), detections=list(detections))
    return read_boxes(serialize_message(message), classes)


def test_a_box_is_its_corners():
    found = boxes(
        detection(name="hello"), detection(theta=np.pi / 2), detection(theta=np.pi / 4, width=2.0, height=0.0)
    )
    half = np.sqrt(0.5)
    expected = [[40, 50, 60, 110], [20, 70, 80, 90], [50 - half, 80 - half, 50 + half, 80 + half]]
    np.testing.assert_allclose(found.detections.boxes, expected, rtol=1e-6)
    assert found.detections.ids.tolist() == [kept_id("hello"), UNTRACKED, UNTRACKED]
    assert (found.frame_ids, found.problem) == ({"eye"}, "")
    assert not found.detections.has_keypoints


@pytest.mark.parametrize(
    ("hypotheses", "classes", "score"),
    [
        ((("person", 0.4), ("dog", 0.9)), ("person",), 0.4),
        ((("person", 0.4), ("0", 0.6)), ("person", "0"), 0.6),
        ((("dog", 0.9),), ("person",), None),
        ((("dog", 0.9), ("cat", 0.3)), (), 0.9),
        ((), (), 1.0),
        ((), ("person",), None),
    ],
)
def test_the_score_is_that_of_the_best_class_that_is_wanted(hypotheses, classes, score):
    found = boxes(detection(classes=hypotheses), classes=classes).detections
    assert found.scores.tolist() == ([] if score is None else [pytest.approx(score)])


def test_a_message_with_other_classes_alone_names_them():
    assert (
        boxes(detection(classes=(("7", 1.0),)), detection(classes=())).problem == "no detection of class person among 7"
    )
    assert boxes(detection(classes=())).problem == "no detection of class person among those without a class"
    assert boxes().problem == "", "nobody is there"


def test_an_angle_that_is_no_number_gives_no_box():
    assert not np.isfinite(boxes(detection(theta=np.inf)).detections.boxes).any()


def keypoints(*people, joint_set="coco17"):
    message = Keypoints2DArray(header=Header(frame_id="eye"), joint_set=joint_set, people=list(people))
    return read_keypoints(serialize_message(message), 640, 480)


def person(scores, points=None):
    points = np.tile([[100.0, 200.0]], (17, 1)) + np.arange(17)[:, None] if points is None else points
    return Keypoints2D(id="x", score=0.7, keypoints=points.ravel().tolist(), keypoint_scores=list(scores))


def test_boxes_go_around_the_keypoints_that_are_seen():
    points = np.tile([[100.0, 200.0]], (17, 1))
    points[:3] = [(50, 60), (90, 160), (np.nan, 100)]
    scores = [0.5, 0.5, 0.9, *[0.0] * 14]
    found = keypoints(person(scores, points)).detections
    np.testing.assert_allclose(found.boxes, [[46, 50, 94, 170]])
    assert found.kp2d_score[0, :4].tolist() == [0.5, 0.5, 0, 0]
    assert np.isfinite(found.kp2d).all()


def test_keypoints_of_nobody_and_a_person_without_any():
    assert len(keypoints().detections) == 0
    box = keypoints(person([0.0] * 17)).detections.boxes[0]
    assert box[0] > box[2], "empty: it is refused later, by name"


@pytest.mark.parametrize(
    ("people", "joint_set", "words"),
    [
        ([person([0.5] * 17)], "coco18", "expected joint_set blazepose, coco, .* got 'coco18'"),
        ([person([0.5] * 17)], "blazepose", "expected 66 keypoints and 33 keypoint_scores of .*, got 34 and 17"),
        ([person([0.5] * 16)], "coco17", "got 34 and 16"),
    ],
)
def test_keypoints_of_an_unknown_or_another_joint_set_are_refused(people, joint_set, words):
    with pytest.raises(BadDetectionsError, match=words):
        keypoints(*people, joint_set=joint_set)


def test_skeletons_of_nobody():
    found = read_skeletons({}, Skeleton2D, 640, 480)
    assert len(found.detections) == len(found.frame_ids) == 0


@settings(max_examples=200)
@given(data=st.binary(max_size=200))
def test_broken_messages_are_refused(data):
    for read in (
        lambda: read_boxes(b"\0\1\0\0" + data, ()),
        lambda: read_keypoints(b"\0\1\0\0" + data, 640, 480),
        lambda: read_skeletons({"a": b"\0\1\0\0" + data}, Skeleton2D, 640, 480),
    ):
        with contextlib.suppress(BadDetectionsError):
            read()


@given(st.integers(min_value=0, max_value=2**31))
def test_the_name_of_a_person_is_kept_by_another_node(track_id):
    name = person_name(track_id)
    assert person_name(kept_id(name)) == name


def test_other_names_have_ids_of_their_own():
    texts = [str(k) for k in range(2000)] + [f"person_{k}" for k in range(2000)]
    assert len({kept_id(text) for text in texts}) == len(texts)
    assert all(kept_id(text) >= 0 for text in texts)
    assert kept_id("") == kept_id("-1") == UNTRACKED
