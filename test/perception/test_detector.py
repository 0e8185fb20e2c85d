# SPDX-License-Identifier: Apache-2.0
"""The detector's logic in a painted world of which everything is known, and the shipped networks on real images.

In the painted world red is x and green is y, so the stand-in for the landmark network reads from a crop where it lies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float64s, Image
from hmr_ros.core.config import DetectorConfig, PerceptionSettings
from hmr_ros.core.manifest import Manifest, TensorSpec, models_dir
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.core.skeleton import BLAZEPOSE
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.engines.opening import open_engine
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.blazepose_detector import SEARCH_PIXELS, BlazePoseDetector, BlazePoseOptions
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.nanodet import STEPS, STRIDES
from hmr_ros.perception.presets import FAST

SIZE = 256
RNG = np.random.default_rng(0)
BODY = RNG.uniform((-0.3, -0.9), (0.3, 0.9), (33, 2))
"""Points of a body around its hips, in units of the distance from hips to the top of the head."""
BOX = np.array([0.36, 0.5 / 0.65])
"""Half the width and height of the box that the search finds of a body, in the same unit."""
DATA = Path("/usr/share/doc/opencv-doc/examples/data")


def painted_world() -> NDArray[np.uint8]:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x, y, 0 * x], -1).astype(np.uint8)


@dataclasses.dataclass
class Person:
    """Hips at ``x``, ``y`` px, head ``height`` above; ``logit`` of the search's score.

    The points of the first ``restless`` looks fall elsewhere each time.
    """

    x: float
    y: float
    height: float = 40.0
    presence: float = 1.0
    logit: float = 5.0
    restless: int = 0

    def points(self) -> Float64s:
        self.restless -= 1
        body = BODY if self.restless < 0 else RNG.permutation(BODY)
        return np.concatenate([body, [(0, 0), (0, -1)], np.zeros((4, 2))]) * self.height + (self.x, self.y)


def steps_of(edges: Float64s) -> Float64s:
    """(44,) logits of NanoDet whose distributions have the means ``edges`` (4,), 0..10 cells."""
    mass = np.maximum(1 - np.abs(edges[:, None] - STEPS), 0)
    return np.log(np.maximum(mass, 1e-12)).ravel()


@dataclasses.dataclass
class PaintedNetwork:
    """Stands in for both networks: ``kind`` says for which."""

    kind: str
    people: list[Person]
    runs: int = 0

    @property
    def manifest(self) -> Manifest:
        spec = (TensorSpec("image", "uint8", ("N", 256, 256, 3)),)
        return Manifest("painted", self.kind, "painted.onnx", "0" * 64, spec, spec, "none")

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.runs += 1
        return self._search(inputs["image"]) if self.kind == "person_boxes" else self._look(inputs["image"])

    def close(self) -> None: ...

    def _search(self, images: Image) -> dict[str, NDArray[Any]]:
        """NanoDet's heads: a box whose middle is the hips and whose region ends at the head, for each person."""
        height, width = images.shape[1:3]
        heads = {f"stride{s}": np.full((1, height // s, width // s, 124), -20, np.float32) for s in STRIDES}
        scale = np.array([width, height]) / SIZE
        head = heads["stride8"][0]
        for k, person in enumerate(self.people):
            middle, half = np.array([person.x, person.y]) * scale, BOX * person.height * scale
            column, row = (middle / 8).astype(int)
            while head[row, column, 0] > -20:  # of someone who stands as near
                column += 1
            offset = middle - (8 * column + 4, 8 * row + 4)
            head[row, column, 0] = person.logit - 0.1 * k
            head[row, column, 80:] = steps_of(np.concatenate([half - offset, half + offset]) / 8)
        return heads

    def _look(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        landmarks = np.full((len(crops), 39, 5), 5, np.float32)
        presence = np.zeros((len(crops), 1), np.float32)
        for row, crop in enumerate(crops):
            centre, right = crop[128, 128, :2].astype(float), crop[128, 192, :2].astype(float)
            pixel = (right - centre) / 64
            if not self.people or not pixel.any():
                continue
            person = min(self.people, key=lambda p: abs(p.x - centre[0]) + abs(p.y - centre[1]))
            offset = person.points() - centre
            down = np.array([-pixel[1], pixel[0]])
            landmarks[row, :, 0] = 128 + offset @ pixel / (pixel @ pixel)
            landmarks[row, :, 1] = 128 + offset @ down / (pixel @ pixel)
            near = np.hypot(*(np.array([person.x, person.y]) - centre)) < person.height
            presence[row] = person.presence if near else 0
        return {"landmarks": landmarks, "presence": presence, "heatmaps": np.full((len(crops), 39, 64, 64), -50.0)}


class World:
    """A detector before the painted world."""

    def __init__(self, *people: Person, **options: Any) -> None:
        self.people = list(people)
        self.search = PaintedNetwork("person_boxes", self.people)
        self.landmarks = PaintedNetwork("landmarks", self.people)
        self.detector = BlazePoseDetector(self.search, self.landmarks, BlazePoseOptions(**options))

    def see(self, shed: Shed = Shed.NOTHING) -> Detections:
        return self.detector.detect(painted_world(), shed)


def centres(found: Detections) -> Float64s:
    return found.kp2d.mean(1) - BODY.mean(0) * 40


def test_finds_people_where_they_are() -> None:
    world = World(Person(80, 100), Person(160, 120))
    found = world.see()
    assert found.joint_set == "blazepose"
    assert found.ids.tolist() == [UNTRACKED, UNTRACKED]
    np.testing.assert_allclose(found.kp2d[0], BODY * 40 + (80, 100), atol=3)
    np.testing.assert_allclose(found.kp2d[1], BODY * 40 + (160, 120), atol=3)
    low, high = found.kp2d[0].min(0), found.kp2d[0].max(0)
    margin = 0.1 * (high - low)
    np.testing.assert_allclose(found.boxes[0], [*(low - margin), *(high + margin)], atol=0.1)


def test_no_people_are_a_normal_value() -> None:
    world = World()
    for _ in range(3):
        assert len(world.see()) == 0
    assert world.search.runs == 3
    assert world.landmarks.runs == 0


def test_follows_people_between_searches() -> None:
    world = World(Person(80, 100), period=5)
    for k in range(10):
        world.people[0].x = 80 + 3 * k
        np.testing.assert_allclose(centres(world.see())[0], [80 + 3 * k, 100], atol=3)
    assert world.search.runs == 2


def test_a_newcomer_waits_for_the_next_search() -> None:
    world = World(Person(80, 100), period=4)
    world.see()
    world.people.append(Person(160, 120))
    assert [len(world.see()) for _ in range(4)] == [1, 1, 1, 2]


def test_searches_are_rarer_while_they_are_saved_but_do_not_end() -> None:
    world = World(Person(80, 100), period=2)
    for _ in range(17):
        world.see(Shed.SEARCHES)
    assert world.search.runs == 3  # image 1, 9 and 17
    for _ in range(12):
        world.see()
    assert world.search.runs == 6  # image 25, as was planned, 27 and 29


def test_searches_at_once_when_a_person_gets_lost() -> None:
    world = World(Person(80, 100), Person(160, 120), period=100)
    world.see()
    world.people[0] = Person(60, 180)  # far from where it was
    np.testing.assert_allclose(centres(world.see()), [[160, 120], [60, 180]], atol=3)
    assert world.search.runs == 2


def test_people_followed_longest_come_first() -> None:
    world = World(Person(160, 120), period=1)
    world.see()
    world.people.insert(0, Person(80, 100))
    np.testing.assert_allclose(centres(world.see()), [[160, 120], [80, 100]], atol=3)


def test_candidates_that_lead_to_one_person_are_one() -> None:
    world = World(Person(80, 100))
    world.search.people = [Person(80, 100), Person(80, 101), Person(105, 110)]
    assert len(world.see()) == 1


def test_two_poses_of_one_person_are_merged() -> None:
    world = World(Person(80, 100), Person(130, 100), period=100)
    for x, people in ((130, 2), (105, 2), (81, 1)):
        world.people[1].x = x
        assert len(world.see()) == people


@pytest.mark.parametrize(
    ("logit", "restless", "found"), [(5, 0, 1), (5, 1, 1), (5, 4, 0), (0, 0, 1), (0, 1, 0), (-1, 0, 0)]
)
def test_an_unsteady_pose_is_no_person(logit: float, restless: int, found: int) -> None:
    """Only sure candidates are forgiven a first look from a rough region."""
    assert len(World(Person(80, 100, logit=logit, restless=restless)).see()) == found


@pytest.mark.parametrize(("presence", "new", "followed"), [(0.9, 1, 1), (0.6, 0, 1), (0.4, 0, 0)])
def test_new_people_need_more_presence_than_followed_ones(presence: float, new: int, followed: int) -> None:
    assert len(World(Person(80, 100, presence=presence)).see()) == new
    world = World(Person(80, 100))
    world.see()
    world.people[0].presence = presence
    assert len(world.see()) == followed


def test_max_people_keeps_the_best() -> None:
    world = World(*(Person(40 + 60 * k, 100) for k in range(3)), max_people=2)
    np.testing.assert_allclose(centres(world.see()), [[40, 100], [100, 100]], atol=3)
    world.detector.options = BlazePoseOptions(max_people=1)
    assert len(world.see()) == 1


def test_points_outside_the_image_keep_their_position_but_score_zero() -> None:
    found = World(Person(128, 235)).see()
    outside = found.kp2d[0, :, 1] >= SIZE
    assert 0 < outside.sum() < 33
    assert (found.kp2d_score[0, outside] == 0).all()
    assert (found.kp2d_score[0, ~outside] > 0.9).all()
    assert found.boxes[0, 3] == SIZE


def test_reset_forgets() -> None:
    world = World(Person(80, 100), period=100)
    world.see()
    world.detector.reset()
    world.see()
    assert world.search.runs == 2


def test_the_far_search_comes_on_top_of_the_usual_one() -> None:
    assert BlazePoseOptions().search_sizes == (SEARCH_PIXELS,)
    assert BlazePoseOptions(search_pixels=640 * 352).search_sizes == (SEARCH_PIXELS, 640 * 352)
    assert BlazePoseOptions(search_pixels=320 * 192).search_sizes == (320 * 192,)


def test_wrong_arguments_are_refused() -> None:
    search = PaintedNetwork("person_boxes", [])
    with pytest.raises(ValueError, match="kind 'landmarks', got 'person_boxes'"):
        BlazePoseDetector(search, search)
    landmarks = PaintedNetwork("landmarks", [])
    with pytest.raises(ValueError, match="kind 'person_boxes', got 'landmarks'"):
        BlazePoseDetector(landmarks, landmarks)
    with pytest.raises(ValueError, match="at least 1"):
        BlazePoseOptions(period=0)
    with pytest.raises(ValueError, match=r"got 1\.5"):
        BlazePoseOptions(min_presence=1.5)


@pytest.fixture(scope="module")
def engines() -> tuple[Engine, Engine]:
    pytest.importorskip("onnxruntime")
    directory = models_dir()
    search, landmarks = (open_engine(directory / f"{name}.json", threads=1) for name in FAST)
    return search, landmarks


def image(name: str) -> NDArray[np.uint8]:
    if not (DATA / name).is_file():
        pytest.skip(f"{DATA / name} is missing; install the Debian package opencv-doc")
    return np.asarray(cv2.imread(str(DATA / name))[:, :, ::-1], np.uint8)


def test_the_shipped_networks_find_no_people_in_an_empty_image(engines: tuple[Engine, Engine]) -> None:
    detector: Detector = BlazePoseDetector(*engines)
    assert len(detector.detect(np.full((240, 320, 3), 127, np.uint8))) == 0
    assert len(detector.detect(RNG.integers(0, 256, (240, 320, 3), dtype=np.uint8))) == 0


@pytest.mark.parametrize(
    ("name", "people"),
    [("basketball1.png", 2), ("messi5.jpg", 1), ("fruits.jpg", 0), ("building.jpg", 0), ("baboon.jpg", 0)],
)
def test_the_shipped_networks_on_photos(engines: tuple[Engine, Engine], name: str, people: int) -> None:
    found = BlazePoseDetector(*engines).detect(image(name))
    assert len(found) == people


def test_a_footballer_lies_where_a_human_sees_him(engines: tuple[Engine, Engine]) -> None:
    found = BlazePoseDetector(*engines).detect(image("messi5.jpg"))
    for joint, place in {"nose": (252, 116), "left_ankle": (416, 262), "right_wrist": (97, 100)}.items():
        index = BLAZEPOSE.index(joint)
        assert np.hypot(*(found.kp2d[0, index] - place)) < 12, joint
        assert found.kp2d_score[0, index] > 0.6


def test_options_follow_the_settings() -> None:
    settings = PerceptionSettings(
        max_people=2, detection_threshold=0.7, detector=DetectorConfig(size="416x224", period=3)
    )
    expected = BlazePoseOptions(search_pixels=416 * 224, period=3, max_people=2, min_presence=0.7)
    assert BlazePoseOptions.of(settings) == expected
    world = World(Person(80, 100))
    world.detector.configure(settings)
    assert world.detector.options == expected


def boxes_of(*people: Person) -> Float64s:
    """(P, 4) px."""
    low, high = BODY.min(0), BODY.max(0)
    return np.array([(*(low * p.height + (p.x, p.y)), *(high * p.height + (p.x, p.y))) for p in people]).reshape(-1, 4)


def located(detector: Detector, *people: Person) -> Detections:
    """What ``detector`` finds in the boxes of ``people``, whose ids are their numbers."""
    return detector.locate(painted_world(), Detections.of_boxes(boxes_of(*people), ids=np.arange(len(people))))


def test_given_boxes_get_keypoints_in_their_order_without_a_search() -> None:
    world = World(Person(80, 100), Person(170, 120))
    for order in ((1, 0), (0, 1)):  # new ones, then followed ones
        found = located(world.detector, *(world.people[k] for k in order))
        assert found.ids.tolist() == [0, 1]
        np.testing.assert_allclose(found.boxes, boxes_of(*(world.people[k] for k in order)), atol=1e-3)
        for row, k in enumerate(order):
            place = (world.people[k].x, world.people[k].y)
            np.testing.assert_allclose(found.kp2d[row, :], BODY[:] * 40 + place, atol=3)
            assert (found.kp2d_score[row, :] > 0.5).all()
    assert world.search.runs == 0


def test_a_given_box_with_nobody_in_it_stays_without_keypoints() -> None:
    world = World(Person(80, 100))
    found = located(world.detector, Person(200, 200), world.people[0])
    assert found.kp2d_score.any(1).tolist() == [False, True]
    assert len(world.detector.locate(painted_world(), None)) == 1, "only who is seen is followed"


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
        np.testing.assert_allclose(found.kp2d[0, :], BODY[:] * 40 + (x, 100), atol=3)
        assert len(found) == 1
    assert len(located(world.detector)) == 0
    assert len(world.detector.locate(painted_world(), None)) == 0
    assert world.search.runs == 0
