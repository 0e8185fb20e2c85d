# SPDX-License-Identifier: Apache-2.0
"""The logic of the refining detector in the painted world of test_detector, where a crop says where it lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.config import DetectorConfig, PerceptionSettings
from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.core.skeleton import BLAZEPOSE
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.confidence import confidence, landmark_confidence, person_score
from hmr_ros.perception.finder import Boxes
from hmr_ros.perception.keypoint_detector import KeypointDetector, KeypointDetectorOptions
from hmr_ros.perception.skeletons import IN_BLAZEPOSE
from test.perception.test_detector import BODY, PaintedNetwork, Person, boxes_of, located, painted_world

LEFT_WRIST = BLAZEPOSE.index("left_wrist")


@dataclasses.dataclass
class PaintedKeypoints:
    """Stands in for MoveNet Thunder: heatmaps with a peak at each joint of the nearest person."""

    people: list[Person]
    logit: float = 2.0
    moved: Floats = dataclasses.field(default_factory=lambda: np.zeros((17, 2)))
    seen: int = 0

    @property
    def manifest(self) -> Manifest:
        spec = (TensorSpec("image", "uint8", ("N", 256, 256, 3)),)
        return Manifest("painted", "keypoints", "painted.onnx", "0" * 64, spec, spec, "none")

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        crops = inputs["image"]
        self.seen += len(crops)
        channels = {"centre": 1, "heatmaps": 17, "regression": 34, "offsets": 34}
        heads = {name: np.zeros((len(crops), 64, 64, c)) for name, c in channels.items()}
        heads["heatmaps"][:] = -9
        for row, crop in enumerate(crops):
            self._paint(crop.astype(float), {name: head[row] for name, head in heads.items()})
        return heads

    def _paint(self, crop: Floats, heads: dict[str, Floats]) -> None:
        centre, pixel = crop[128, 128, :2], (crop[128, 160, 0] - crop[128, 128, 0]) / 32
        if not self.people or pixel <= 0:
            return
        person = min(self.people, key=lambda p: abs(p.x - centre[0]) + abs(p.y - centre[1]))
        body = BODY[IN_BLAZEPOSE] * person.height + (person.x, person.y) + self.moved
        points = (128.5 + (body - centre) / pixel - 0.25) / 4
        cells = np.floor(points).astype(int)
        for j, (x, y) in enumerate(cells):
            if 0 <= x < 64 and 0 <= y < 64:
                heads["heatmaps"][y, x, j] = self.logit
                heads["offsets"][y, x, 2 * j : 2 * j + 2] = (points[j] - (x, y))[::-1]
        heads["regression"][32, 32] = (cells - 32)[:, ::-1].ravel()
        heads["centre"][32, 32] = 9

    def close(self) -> None: ...


@dataclasses.dataclass
class PaintedFinder:
    """Finds the boxes of all people, then ``others``."""

    people: list[Person]
    others: list[tuple[float, float, float, float]] = dataclasses.field(default_factory=list)
    runs: int = 0

    def find(self, image: Image) -> Boxes:
        self.runs += 1
        joints = BODY[IN_BLAZEPOSE]
        low, high = joints.min(0), joints.max(0)
        own = [(*(low * p.height + (p.x, p.y)), *(high * p.height + (p.x, p.y))) for p in self.people]
        boxes = np.array([*own, *self.others]).reshape(-1, 4)
        return Boxes(boxes, np.ones(len(boxes)))


class World:
    """A detector before the painted world."""

    def __init__(self, *people: Person, **options: Any) -> None:
        self.people = list(people)
        self.finder = PaintedFinder(self.people)
        self.keypoints = PaintedKeypoints(self.people)
        self.landmarks = PaintedNetwork("landmarks", self.people)
        self.detector = KeypointDetector(
            self.finder,  # type: ignore[arg-type]
            self.keypoints,
            self.landmarks,
            KeypointDetectorOptions(**options),
        )

    def see(self, shed: Shed = Shed.NOTHING) -> Detections:
        return self.detector.detect(painted_world(), shed)

    def looks(self) -> int:
        """How many people the refining network looks at in the next image."""
        before = self.keypoints.seen
        self.see()
        return self.keypoints.seen - before


def test_finds_people_where_they_are() -> None:
    found = World(Person(80, 100), Person(170, 120)).see()
    assert found.joint_set == "blazepose"
    assert found.ids.tolist() == [UNTRACKED, UNTRACKED]
    np.testing.assert_allclose(found.kp2d[0], BODY * 40 + (80, 100), atol=3)
    np.testing.assert_allclose(found.kp2d[1], BODY * 40 + (170, 120), atol=3)
    assert (found.kp2d_score[:, IN_BLAZEPOSE] > 0.7).all()
    assert (found.scores > 0.7).all()


def test_no_people_are_a_normal_value() -> None:
    world = World()
    for _ in range(3):
        assert len(world.see()) == 0
    assert world.finder.runs == 3
    assert world.keypoints.seen == world.landmarks.runs == 0


def test_the_refining_network_rests_between_looks() -> None:
    world = World(Person(80, 100), Person(170, 120), period=100)
    assert world.looks() == 2, "both are new"
    looked = [world.looks() for _ in range(20)]
    assert looked[:7] == [0] * 7
    assert max(looked) == 1, "never at both in one image"
    assert sum(looked) == 4
    assert len(world.see()) == 2


def test_people_whose_skeleton_jumps_are_looked_at_sooner() -> None:
    world = World(Person(80, 100), Person(170, 120), period=100)
    looked = []
    for image in range(8):
        world.people[1] = dataclasses.replace(world.people[1], x=170 + 6 * (image % 2))
        looked.append(world.looks())
    assert looked == [2, 0, 0, 0, 1, 0, 0, 0]


def test_accurate_looks_at_everybody_in_every_image() -> None:
    world = World(Person(80, 100), Person(170, 120), every_image=True, period=100)
    assert [world.looks() for _ in range(3)] == [2, 2, 2]


def test_people_whom_the_landmarks_lose_are_looked_at_at_once() -> None:
    world = World(Person(80, 100), period=100)
    world.see()
    world.landmarks.people = []
    assert world.looks() == 1
    assert len(world.see()) == 1
    np.testing.assert_allclose(world.see().kp2d[0, IN_BLAZEPOSE], BODY[IN_BLAZEPOSE] * 40 + (80, 100), atol=3)


def test_whom_nothing_sees_is_lost_and_searched_for() -> None:
    world = World(Person(80, 100), period=100)
    world.see()
    world.people.clear()
    assert len(world.see()) == 0
    assert world.finder.runs == 2


def test_searches_are_rare_and_rarer_when_shed() -> None:
    for shed, runs in ((Shed.NOTHING, 3), (Shed.SEARCHES, 1)):
        world = World(Person(80, 100), period=4)
        for _ in range(9):
            world.see(shed)
        assert world.finder.runs == runs


def test_known_people_are_not_looked_at_again() -> None:
    world = World(Person(80, 100), period=1)
    world.see()
    assert world.looks() == 0
    assert len(world.see()) == 1


def test_whom_the_refining_network_does_not_see_is_nobody() -> None:
    world = World(Person(80, 100))
    world.keypoints.logit = -1.3  # 0.21
    assert len(world.see()) == 0
    world.keypoints.logit = -0.9  # 0.29
    assert len(world.see()) == 1


def test_a_skeleton_outside_of_the_box_that_was_found_is_another_persons() -> None:
    world = World(Person(80, 100))
    world.finder.people = []
    for x, people in ((100.0, 0), (70.0, 1)):  # the crop of the first box shows the person beside it
        world.finder.others = [(x, 60.0, x + 20, 160.0)]
        assert len(world.see()) == people


def test_places_without_anybody_are_left_alone_for_some_searches() -> None:
    world = World()
    world.finder.others = [(100.0, 60.0, 120.0, 160.0)]
    assert [world.looks() for _ in range(7)] == [1, 0, 0, 0, 0, 1, 0]
    world.detector.reset()
    assert world.looks() == 1


def test_a_search_takes_back_a_skeleton_that_has_slipped_to_a_neighbour() -> None:
    world = World(Person(80, 100), period=100)
    world.see()
    known, _ = world.detector.follow(painted_world())
    lowest = IN_BLAZEPOSE[np.argsort(BODY[IN_BLAZEPOSE, 1])[-5:]]
    known.points[:, lowest] += (0, 25)
    people = world.detector.join(painted_world(), known, world.finder.find(painted_world()))
    assert len(people) == 1
    np.testing.assert_allclose(people.points[0, IN_BLAZEPOSE], BODY[IN_BLAZEPOSE] * 40 + (80, 100), atol=3)


def test_two_boxes_of_one_person_are_one_person() -> None:
    world = World(Person(100, 120))
    world.finder.others = [(85.0, 70.0, 115.0, 170.0)]
    assert len(world.see()) == 1


def test_no_more_people_than_asked_for() -> None:
    world = World(Person(60, 100), Person(120, 100), Person(180, 100), max_people=2, period=1)
    assert len(world.see()) == 2
    assert len(world.see()) == 2


def test_between_looks_joints_stay_where_the_refining_network_saw_them() -> None:
    world = World(Person(80, 100), period=100)
    world.keypoints.moved[:] = (2.0, -1.0)
    for _ in range(3):
        found = world.see()
        np.testing.assert_allclose(found.kp2d[0, IN_BLAZEPOSE], BODY[IN_BLAZEPOSE] * 40 + (82, 99), atol=3)
    np.testing.assert_allclose(found.kp2d[0].mean(0), (BODY * 40 + (82, 99)).mean(0), atol=0.9)


def test_hands_are_missing_where_the_networks_disagree_on_the_wrist() -> None:
    world = World(Person(80, 100), period=100)
    world.keypoints.moved[9] = (20.0, 0.0)  # the left wrist
    found = world.see()
    fingers = [BLAZEPOSE.index(f"left_{part}") for part in ("pinky", "index", "thumb")]
    assert (found.kp2d_score[0, fingers] == 0).all()
    assert found.kp2d_score[0, LEFT_WRIST] > 0.7
    assert (found.kp2d_score[0, BLAZEPOSE.index("right_thumb")] > 0.7).all()
    between = world.see()
    assert 0 < between.kp2d_score[0, LEFT_WRIST] < 0.5, "in doubt until the next look"


def test_points_outside_of_the_image_are_missing() -> None:
    found = World(Person(80, 20)).see()
    outside = (BODY * 40 + (80, 20))[:, 1] < -3
    assert outside.any()
    assert (found.kp2d_score[0, outside] == 0).all()


def test_reset_forgets_people() -> None:
    world = World(Person(80, 100), period=100)
    world.see()
    world.detector.reset()
    assert world.looks() == 1


def test_settings_reach_the_options() -> None:
    settings = PerceptionSettings(
        max_people=3, detection_threshold=0.6, detector=DetectorConfig(preset="accurate", period=7)
    )
    assert KeypointDetectorOptions.of(settings) == KeypointDetectorOptions(True, 7, 3, 0.6)
    world = World(Person(80, 100))
    world.detector.configure(settings)
    assert world.detector.options.max_people == 3


def test_networks_of_another_kind_are_refused() -> None:
    network = PaintedNetwork("landmarks", [])
    with pytest.raises(ValueError, match="expected a network of kind 'keypoints', got 'landmarks'"):
        KeypointDetector(PaintedFinder([]), network, network)  # type: ignore[arg-type]


def test_confidence_grows_with_the_score() -> None:
    raw = np.linspace(0, 1, 50)
    for function in (confidence, landmark_confidence):
        assert (np.diff(function(raw)) > 0).all()
        assert function(raw)[0] == 0
        assert function(raw)[-1] < 1
    assert person_score(np.full((1, 17), 0.25)) == pytest.approx(0.5)


def test_given_boxes_get_keypoints_in_their_order_without_a_search() -> None:
    world = World(Person(80, 100), Person(170, 120))
    for order in ((1, 0), (0, 1)):  # new ones, then followed ones
        found = located(world.detector, *(world.people[k] for k in order))
        assert found.ids.tolist() == [0, 1]
        np.testing.assert_allclose(found.boxes, boxes_of(*(world.people[k] for k in order)), atol=1e-3)
        for row, k in enumerate(order):
            place = (world.people[k].x, world.people[k].y)
            np.testing.assert_allclose(found.kp2d[row, IN_BLAZEPOSE], BODY[IN_BLAZEPOSE] * 40 + place, atol=3)
            assert (found.kp2d_score[row, IN_BLAZEPOSE] > 0.5).all()
    assert world.finder.runs == 0


def test_a_given_box_with_nobody_in_it_stays_without_keypoints() -> None:
    world = World(Person(80, 100))
    found = located(world.detector, Person(200, 200), world.people[0])
    assert found.kp2d_score.any(1).tolist() == [False, True]
    assert len(world.detector.locate(painted_world(), None)) == 1, "only who is seen is followed"


def test_a_neighbour_who_reaches_into_the_crop_is_not_the_person_in_the_box() -> None:
    world = World(Person(80, 100))
    assert world.detector.locate(painted_world(), Detections.of_boxes(boxes_of(Person(82, 100)))).has_keypoints
    world.detector.reset()
    assert not located(world.detector, Person(112, 100)).has_keypoints


def test_of_two_boxes_of_one_person_one_gets_the_keypoints() -> None:
    world = World(Person(80, 100))
    found = located(world.detector, Person(80, 100), Person(83, 101))
    assert found.kp2d_score.any(1).tolist() == [True, False]


def test_without_boxes_people_are_followed_and_an_empty_message_ends_that() -> None:
    world = World(Person(80, 100), Person(170, 120))
    located(world.detector, *world.people[:1])
    for x in (83, 86):
        world.people[0].x = x
        found = world.detector.locate(painted_world(), None)
        np.testing.assert_allclose(found.kp2d[0, IN_BLAZEPOSE], BODY[IN_BLAZEPOSE] * 40 + (x, 100), atol=3)
        assert len(found) == 1
    assert len(located(world.detector)) == 0
    assert len(world.detector.locate(painted_world(), None)) == 0
    assert world.finder.runs == 0
