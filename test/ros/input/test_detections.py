# SPDX-License-Identifier: Apache-2.0
"""Detections of another node end to end: which image they belong to, and what is refused of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import Keypoints2D, Keypoints2DArray, SmplBodyArray
from hri_msgs.msg import IdsList, Skeleton2D
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from hmr_ros.core.config import DetectionsConfig, RobotConfig
from hmr_ros.ros.input import detection_sources, detections
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header, kept_id, person_name
from test.ros.graph import qos, spin_until
from test.ros.world import World

FRAME_ID = "camera_optical_frame"
BOX = (320.0, 240.0, 100.0, 300.0)


def boxes(stamp, *centres, ids=None, classes=None, scores=None, frame_id=FRAME_ID):
    """A message of boxes: x, y of the centre, width, height px."""
    found = []
    for row, (x, y, width, height) in enumerate(centres):
        detection = Detection2D(id=ids[row] if ids else "")
        detection.bbox.center.position.x, detection.bbox.center.position.y = float(x), float(y)
        detection.bbox.size_x, detection.bbox.size_y = float(width), float(height)
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = classes[row] if classes else "person"
        hypothesis.hypothesis.score = scores[row] if scores else 0.9
        detection.results = [hypothesis]
        found.append(detection)
    return Detection2DArray(header=header(stamp, frame_id), detections=found)


class Scene(World):
    """The world with another detector: ``publisher`` sends what ``send`` is given about an image."""

    def __init__(self, executor, source="boxes", kind=Detection2DArray, topic="detections", people=0, **parameters):
        # Nothing may be lost to a busy machine: an image waits for as long as it takes.
        parameters = {"detections.source": source, "detections.timeout_s": 5.0} | parameters
        super().__init__(executor, people, **parameters)
        self.publisher = self.peer.create_publisher(kind, topic, qos(depth=10))
        self.subscribe(SmplBodyArray, "bodies")
        self.subscribe(DiagnosticArray, "/diagnostics")
        assert self.node.start()
        spin_until(
            executor, lambda: self.publisher.get_subscription_count() and self.camera.images.get_subscription_count()
        )
        spin_until(executor, lambda: self.node.count_publishers("bodies") and self.peer.count_publishers("bodies"))

    def answer(self, make, then=None):
        """The bodies of one image; ``make(stamp)`` is published before it, and ``then(stamp)`` is called after it."""
        before = len(self.received["bodies"])
        stamp = self.camera.now()
        if make is not None:
            self.publisher.publish(make(stamp))
        self.camera.publish_info()
        self.camera.publish_image(stamp)
        if then is not None:
            then(stamp)
        spin_until(self.executor, lambda: len(self.received["bodies"]) > before)
        message = self.received["bodies"][-1]
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (stamp.sec, stamp.nanosec)
        return message

    def dropped(self, reason):
        return self.node.monitor.drops().get(reason, 0)


@pytest.fixture
def scene(executor):
    made = []

    def make(**options):
        made.append(Scene(executor, **options))
        return made[-1]

    yield make
    for world in made:
        world.close()


def names(message):
    return [body.id for body in message.bodies]


def test_boxes_take_the_place_of_the_search_and_keep_their_ids(scene):
    s = scene(**{"detections.keep_ids": True})
    first = s.answer(lambda stamp: boxes(stamp, BOX, (100, 240, 80, 300), ids=["hello", "17"]))
    assert names(first) == ["hello", person_name(kept_id("17"))]
    assert s.detector.located[-1] == 2
    empty = s.answer(boxes)
    assert s.detector.located[-1] == 0
    assert {body.state for body in empty.bodies} == {2}, "an empty message: nobody is seen, people are coasting"
    back = s.answer(lambda stamp: boxes(stamp, (500, 240, 80, 300), ids=["hello"]))
    assert names(back)[0] == "hello", "kept through the gap and the leap"
    assert not s.detector.images, "nothing was searched"
    assert s.dropped("detections_missing") == 0


def test_ids_are_ours_unless_they_are_to_be_kept(scene):
    assert names(scene().answer(lambda stamp: boxes(stamp, BOX, ids=["hello"]))) != ["hello"]


def test_an_image_waits_for_its_detections(scene):
    s = scene()
    later = lambda stamp: s.publisher.publish(boxes(stamp, BOX))  # noqa: E731
    assert len(s.answer(None, then=later).bodies) == 1
    assert s.detector.located == [None, 1] or s.detector.located == [1, 1], "the first is the warm-up"


def test_late_detections_are_counted_and_their_people_followed(scene):
    s = scene(people=1, **{"detections.timeout_s": 0.0})
    stamps = []
    s.answer(None, then=stamps.append)
    assert s.dropped("detections_missing") == 1
    assert s.detector.located[-1] is None, "people who are known are followed"
    s.publisher.publish(boxes(stamps[0], BOX))
    spin_until(s.executor, lambda: s.dropped("detections_late") == 1)


def test_detections_of_another_camera_are_refused_by_name(scene):
    s = scene()
    s.answer(lambda stamp: boxes(stamp, BOX, frame_id="other"))
    assert s.dropped("detections_wrong_frame") == 1
    assert s.detector.located[-1] is None
    said = "in frame 'other', the image in 'camera_optical_frame'"
    spin_until(
        s.executor, lambda: any(said in status.message for m in s.received["/diagnostics"] for status in m.status)
    )
    assert len(s.answer(lambda stamp: boxes(stamp, BOX, frame_id="")).bodies) == 1, "Isaac ROS leaves it empty"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ((np.nan, 240, 100, 300), "detection_not_finite"),
        ((320, 240, 0, 300), "detection_empty"),
        ((900, 240, 100, 300), "detection_outside_image"),
    ],
)
def test_boxes_that_show_nothing_are_refused_by_name(scene, bad, reason):
    s = scene()
    assert len(s.answer(lambda stamp: boxes(stamp, bad, BOX)).bodies) == 1
    assert s.dropped(reason) == 1


def test_one_id_twice_is_refused_by_name(scene):
    s = scene(**{"detections.keep_ids": True})
    message = s.answer(lambda stamp: boxes(stamp, BOX, (100, 240, 80, 300), (500, 240, 80, 300), ids=["a", "a", "b"]))
    assert names(message) == [person_name(kept_id("b"))]
    assert s.dropped("detection_duplicate_id") == 2


def test_two_hundred_boxes_leave_the_best_within_the_limit(scene):
    s = scene(max_people=4)
    places = [(30 * (k % 20) + 20, 40 * (k // 20) + 30, 25, 35) for k in range(200)]
    message = s.answer(lambda stamp: boxes(stamp, *places, scores=[k / 200 for k in range(200)]))
    assert [body.score for body in message.bodies] == pytest.approx([k / 200 for k in range(196, 200)], abs=1e-6)


def test_other_classes_are_left_out_and_named_when_nobody_is_left(scene):
    s = scene()
    two = lambda stamp: boxes(stamp, BOX, (100, 240, 80, 300), classes=["person", "dog"])  # noqa: E731
    assert len(s.answer(two).bodies) == 1
    s.answer(lambda stamp: boxes(stamp, BOX, classes=["0"]))
    assert s.node._operation.health().problem == (
        "/detections: no detection of class person among 0: set detections.classes"
    )


def test_silence_of_the_other_detector_is_an_error(scene):
    s = scene(input_timeout_s=0.05, **{"detections.timeout_s": 0.0})
    s.answer(boxes)

    def is_fatal():
        s.camera.publish_image()
        s.executor.spin_once(timeout_sec=0.02)
        health = s.node._operation.health()
        return health.fatal and "no detections on /detections for" in health.problem

    spin_until(s.executor, is_fatal)


def test_keypoints_are_taken_as_they_are(scene):
    s = scene(source="keypoints", kind=Keypoints2DArray, topic="keypoints", **{"detections.keep_ids": True})
    grid = np.stack([np.linspace(200, 300, 17), np.linspace(100, 400, 17)], -1).astype(np.float32)
    scores = np.full(17, 0.7, np.float32)
    scores[3] = 0.0

    def keypoints(stamp, joints=17, joint_set="coco17"):
        person = Keypoints2D(id="abcde", score=0.8, keypoints=grid[:joints].ravel(), keypoint_scores=scores[:joints])
        return Keypoints2DArray(header=header(stamp, FRAME_ID), joint_set=joint_set, people=[person])

    (body,) = s.answer(keypoints).bodies
    assert (body.id, round(body.score, 3)) == ("abcde", 0.8)
    np.testing.assert_allclose(np.array(body.keypoint_scores), scores)
    shown = np.array(body.keypoints).reshape(17, 2)
    np.testing.assert_allclose(shown[scores > 0], grid[scores > 0])
    for wrong in ({"joints": 16}, {"joint_set": "coco16"}):
        s.answer(lambda stamp, wrong=wrong: keypoints(stamp, **wrong))
    assert s.dropped("detections_unusable") == 2


def test_skeletons_of_ros4hri_are_read_by_the_names_of_their_points(scene):
    parameters = {"humans.namespace": "/ours", "detections.keep_ids": True}
    s = scene(source="humans", kind=IdsList, topic="/humans/bodies/tracked", **parameters)
    skeletons = s.peer.create_publisher(Skeleton2D, "/humans/bodies/anneb/skeleton2d", qos())
    assert s.answer(lambda stamp: IdsList(header=header(stamp, ""))).bodies == []
    s.publisher.publish(IdsList(ids=["anneb"]))
    spin_until(s.executor, skeletons.get_subscription_count)

    def send(stamp):
        message = Skeleton2D(header=header(stamp, FRAME_ID))
        for k, point in enumerate(message.skeleton):
            point.x, point.y, point.c = 0.3 + k / 100, 0.2 + k / 50, 0.6
        message.skeleton[Skeleton2D.LEFT_EYE].x = 0.9
        skeletons.publish(message)

    (body,) = s.answer(None, then=send).bodies
    assert body.id == "anneb"
    shown = np.array(body.keypoints).reshape(17, 2)
    np.testing.assert_allclose(shown[0], [0.3 * 640, 0.2 * 480], rtol=1e-5)
    np.testing.assert_allclose(shown[1, 0], 0.9 * 640, rtol=1e-5)
    np.testing.assert_allclose(shown[5], [0.35 * 640, 0.3 * 480], rtol=1e-5)
    s.publisher.publish(IdsList(ids=[]))
    spin_until(s.executor, lambda: not skeletons.get_subscription_count())


@pytest.fixture
def refusal(executor, monkeypatch):
    """Why the node cannot be activated with some parameters; "" if it can."""

    def of(**parameters):
        world = World(executor, **parameters)
        errors = []
        log = SimpleNamespace(error=errors.append, info=print, warning=print)
        with monkeypatch.context() as patch:
            patch.setattr(world.node, "get_logger", lambda: log)
            started = world.node.start()
        world.close()
        assert started == (not errors)
        return "".join(errors)

    return of


def test_the_node_does_not_read_the_people_that_it_publishes(refusal):
    assert "the node publishes its own people in '/humans': set humans.namespace" in refusal(
        **{"detections.source": "humans"}
    )
    assert refusal(**{"detections.source": "humans", "detections.humans_namespace": "/others"}) == ""
    assert refusal(**{"detections.source": "humans", "humans.enabled": False}) == ""


@pytest.mark.parametrize(("source", "package"), [("boxes", "vision_msgs"), ("humans", "hri_msgs")])
def test_missing_messages_are_named_with_the_remedy(monkeypatch, refusal, source, package):
    missing = SimpleNamespace(is_available=False, remedy=f"{package} is not installed: apt install it")
    monkeypatch.setattr(detection_sources, "BOXES", missing)
    monkeypatch.setattr(detection_sources, "HUMANS", missing)
    why = refusal(**{"detections.source": source, "humans.enabled": False})
    assert why == f"cannot activate: parameter 'detections.source' is '{source}', but {missing.remedy}"
    assert refusal(**{"detections.source": "search", "humans.enabled": False}) == "", "it starts without them"


@pytest.fixture
def alone(monkeypatch):
    """The input without DDS: what ``arrived`` calls, the clock, and how often it woke its reader."""
    monkeypatch.setattr(detections, "time", SimpleNamespace(monotonic=lambda: parts.now_s))
    parts = SimpleNamespace(now_s=100.0, woken=0, log=[], drops=Monitor())

    def open_source(node, config, arrived):
        parts.arrived = arrived
        return SimpleNamespace(topic="/d", complaint=lambda: "/d: it carries x", nearest=lambda *_, complete: None)

    monkeypatch.setattr(detections, "open_source", open_source)
    node = SimpleNamespace(
        get_logger=lambda: SimpleNamespace(warning=lambda text, throttle_duration_sec: parts.log.append(text)),
        get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=9_500_000_000)),
    )
    settings = RobotConfig(detections=DetectionsConfig(source="boxes", tolerance_s=0.01, timeout_s=0.25))
    parts.input = detections.DetectionsInput(
        node, settings, parts.drops, lambda: setattr(parts, "woken", parts.woken + 1)
    )
    return parts


def test_what_arrives_wakes_the_reader_and_ends_the_silence(alone):
    alone.now_s = 101.0
    assert alone.input.silence(1.0) == ""
    alone.now_s = 102.5
    words = "no detections on /d: it carries x for 2 s: new people are not found"
    assert (alone.input.silence(1.0), alone.woken) == (words, 0)
    alone.arrived(5)
    assert (alone.input.silence(1.0), alone.woken) == ("", 1)


@pytest.mark.parametrize(("offset_ns", "late"), [(10_000_000, 1), (-10_000_000, 1), (10_000_001, 0)])
def test_detections_are_late_when_their_image_went_without_them(alone, offset_ns, late):
    assert alone.input.of(Frame(Stamp(9, 0), "eye", np.zeros((4, 4, 3), np.uint8))) is None
    missed = "nothing on /d: it carries x came for an image within detections.timeout_s = 0.25 s"
    assert alone.input.problem == missed
    assert alone.log == [f"{missed}. Known people are followed, new ones are not found"]
    alone.arrived(9_000_000_000 + offset_ns)
    assert alone.drops.drops() == {"detections_missing": 1} | ({"detections_late": 1} if late else {})
    assert ("came 0.49 s after their image" in alone.log[-1]) == (offset_ns == 10_000_000)
