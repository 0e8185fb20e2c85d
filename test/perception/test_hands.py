# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest, load_manifest, models_dir
from hmr_ros.core.people import Detections
from hmr_ros.core.skeleton import BLAZEPOSE, COCO17, MANO
from hmr_ros.engines.opening import open_onnx
from hmr_ros.perception.hand_overlay import draw_hands
from hmr_ros.perception.hand_regions import HandLandmarks, regions_of_landmarks
from hmr_ros.perception.hands import HandDetector, Hands
from test.perception.test_hand_regions import upright_hand

PHOTO = Path(__file__).parents[1] / "data/photos/figure.jpg"
IMAGE = np.zeros((400, 600, 3), np.uint8)


class Network:
    """A network that answers every row alike, and counts its rows; ``manifest`` is that of the shipped one."""

    status = "stub"

    def __init__(self, name: str, **answers: Array | float) -> None:
        self.manifest: Manifest = load_manifest(models_dir() / f"{name}.json")
        self.answers = answers
        self.rows: list[int] = []

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        rows = len(inputs["image"])
        self.rows.append(rows)
        found = {}
        for name, answer in self.answers.items():
            values = np.asarray(answer, np.float32).ravel()
            found[name] = np.tile(values, (rows, 1)) if values.size > 1 else np.full((rows, 1), values[0], np.float32)
        return found

    def close(self) -> None:
        pass


def hand_in_crop() -> np.ndarray:
    """(21, 3): a hand that fills half of the crop, upright, as the landmark network sees it."""
    return np.concatenate([upright_hand() * 1.2 + [112, 172], np.zeros((21, 1))], 1)


def networks(presence: float = 0.9) -> tuple[Network, Network]:
    recrop = Network("hand_recrop", crop=np.array([128.0, 128.0, 128.0, 248.0]))
    world = np.zeros((21, 3))
    landmarks = Network("hand_landmarks", landmarks=hand_in_crop(), world=world, presence=presence, handedness=0.8)
    return recrop, landmarks


def people(
    *wrists: tuple[float, float], length: float = 40.0, score: float = 0.9, ids: range | None = None
) -> Detections:
    """People whose left and right wrist are at each pair of ``wrists`` px, with hands that hang down."""
    points = np.zeros((len(wrists) // 2, 33, 2), np.float32)
    for k, (x, y) in enumerate(wrists):
        side = ("left", "right")[k % 2]
        points[k // 2, BLAZEPOSE.index(f"{side}_wrist")] = (x, y)
        for finger in ("index", "pinky"):
            points[k // 2, BLAZEPOSE.index(f"{side}_{finger}")] = (x, y + length)
    count = len(points)
    scores = np.full((count, 33), score, np.float32)
    numbers = np.arange(count) if ids is None else np.array(ids)
    return Detections(np.zeros((count, 4)), np.ones(count), points, scores, "blazepose", numbers)


def test_hands_hang_where_the_body_has_them():
    recrop, landmarks = networks()
    hands = HandDetector(recrop, landmarks)(IMAGE, people((100, 100), (300, 100)))
    assert recrop.rows == landmarks.rows == [2]
    assert hands.seen.all()
    assert_allclose(hands.scores, 0.9)
    assert_allclose(hands.side_scores, [[0.2, 0.8]], rtol=1e-6)
    wrist, tip = (hands.points[0, :, MANO.index(joint)] for joint in ("wrist", "middle4"))
    assert_allclose(wrist[:, 0], [100, 300], atol=1e-3)
    assert_allclose(tip[:, 0], [100, 300], atol=1e-3)
    assert (tip[:, 1] > wrist[:, 1] + 60).all()  # fingers down


def test_a_hand_is_followed_by_its_landmarks():
    recrop, landmarks = networks()
    detector = HandDetector(recrop, landmarks)
    detector(IMAGE, people((100, 100), (300, 100)))
    detector(IMAGE, people((102, 100), (302, 100)))
    assert recrop.rows == [2]
    assert landmarks.rows == [2, 2]
    detector.reset()
    detector(IMAGE, people((100, 100), (300, 100)))
    assert recrop.rows == [2, 2]


def test_the_followed_region_is_that_of_the_last_landmarks(monkeypatch: pytest.MonkeyPatch):
    detector = HandDetector(*networks())
    first = detector(IMAGE, people((100, 100), (300, 100)))
    looked = []
    monkeypatch.setattr(detector, "_look", lambda image, regions: looked.append(regions) or _nothing(len(regions)))
    detector(IMAGE, people((100, 100), (300, 100)))
    assert_allclose(looked[0], regions_of_landmarks(first.points[0].astype(float)), rtol=1e-5)


def _nothing(rows: int) -> HandLandmarks:
    return HandLandmarks(np.ones((rows, 21, 2)), np.zeros((rows, 21, 3)), np.zeros(rows), np.zeros(rows))


def test_an_unsure_hand_is_absent_and_searched_again():
    recrop, landmarks = networks(presence=0.4)
    detector = HandDetector(recrop, landmarks)
    hands = detector(IMAGE, people((100, 100), (300, 100)))
    assert not hands.seen.any()
    assert np.isnan(hands.points).all()
    assert np.isnan(hands.world).all()
    assert (hands.side_scores == 0).all()
    detector(IMAGE, people((100, 100), (300, 100)))
    assert recrop.rows == [2, 2]


def test_small_hands_are_not_looked_at():
    recrop, landmarks = networks()
    hands = HandDetector(recrop, landmarks)(IMAGE, people((100, 100), (300, 100), length=9.0))
    assert not hands.seen.any()
    assert recrop.rows == landmarks.rows == []


def test_a_hand_that_turned_out_small_is_absent():
    recrop, landmarks = networks()
    landmarks.answers["landmarks"] = hand_in_crop() * [0.1, 0.1, 1] + [100, 140, 0]
    assert not HandDetector(recrop, landmarks)(IMAGE, people((100, 100), (300, 100))).seen.any()


@pytest.mark.parametrize("joint", ["wrist", "index", "pinky"])
def test_a_hand_whose_keypoints_are_not_seen_is_not_searched(joint: str):
    seen = people((100, 100), (300, 100))
    seen.kp2d_score[0, BLAZEPOSE.index(f"left_{joint}")] = 0.05
    hands = HandDetector(*networks())(IMAGE, seen)
    assert hands.seen.tolist() == [[False, True]]


def test_a_followed_hand_far_from_its_wrist_is_searched_again():
    recrop, landmarks = networks()
    detector = HandDetector(recrop, landmarks)
    detector(IMAGE, people((100, 100), (300, 100)))
    assert detector(IMAGE, people((100, 250), (300, 100))).seen.tolist() == [[False, True]]
    assert detector(IMAGE, people((100, 250), (300, 100))).seen.all()
    assert recrop.rows == [2, 1]


def test_a_followed_hand_needs_no_keypoints_of_the_body():
    detector = HandDetector(*networks())
    detector(IMAGE, people((100, 100), (300, 100)))
    assert detector(IMAGE, people((0, 0), (0, 0), score=0.0)).seen.all()


def test_one_hand_is_that_of_the_nearer_wrist():
    """Two people's hands at one place: the network sees the same hand for both."""
    hands = HandDetector(*networks())(IMAGE, people((100, 100), (300, 100), (104, 130), (500, 100)))
    assert hands.seen.tolist() == [[True, True], [True, True]]  # 30 px apart: two hands
    hands = HandDetector(*networks())(IMAGE, people((100, 100), (300, 100), (104, 108), (500, 100)))
    assert hands.seen.sum() == 3
    assert hands.seen[:, 1].all()


def test_of_two_hands_at_one_place_the_one_nearer_to_its_wrist_stays():
    """The first person's hand stayed where it was followed to, 25 px from the wrist; the second one's is there."""
    detector = HandDetector(*networks())
    first = detector(IMAGE, people((100, 100), (300, 100)))
    middle = first.points[0, 0].mean(0)
    detector._regions[0, 0] = np.array([middle, middle + [0, 80]], np.float32)
    hands = detector(IMAGE, people((125, 100), (300, 100), (100, 100), (500, 100)))
    assert hands.seen.tolist() == [[False, True], [True, True]]


def test_other_joint_sets_have_no_hands_and_no_people_none():
    recrop, landmarks = networks()
    detector = HandDetector(recrop, landmarks)
    coco = Detections(
        np.zeros((1, 4)), np.ones(1), np.full((1, 17, 2), 50.0), np.ones((1, COCO17.size)), "coco17", np.array([3])
    )
    hands = detector(IMAGE, coco)
    assert hands.ids.tolist() == [3]
    assert not hands.seen.any()
    assert len(detector(IMAGE, people())) == 0
    assert recrop.rows == landmarks.rows == []


def test_hands_belong_to_ids():
    recrop, landmarks = networks()
    detector = HandDetector(recrop, landmarks)
    detector(IMAGE, people((100, 100), (300, 100), ids=range(7, 8)))
    detector(IMAGE, people((100, 100), (300, 100), ids=range(8, 9)))
    assert recrop.rows == [2, 2]


def test_networks_of_other_kinds_are_refused():
    recrop, landmarks = networks()
    with pytest.raises(ValueError, match="expected a network of kind 'hand_recrop'"):
        HandDetector(landmarks, recrop)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Hands\.scores: expected shape \(1, 2\)"):
        Hands(np.zeros(1, int), np.zeros((1, 2, 21, 2)), np.zeros((1, 2, 21, 3)), np.zeros((1, 3)), np.zeros((1, 2)))


@pytest.mark.parametrize("name", ["hand_landmarks", "hand_landmarks_lite"])
def test_the_shipped_networks_see_the_hand_of_a_photo(name: str):
    """Its finger tips, labelled by hand, px."""
    image = cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)
    seen = people((263, 331), (137, 310))
    for joint, point in {"left_index": (254, 354), "left_pinky": (263, 357)}.items():
        seen.kp2d[0, BLAZEPOSE.index(joint)] = point
    seen.kp2d_score[0, BLAZEPOSE.index("right_wrist")] = 0
    engines = [open_onnx(models_dir() / f"{n}.json", 1) for n in ("hand_recrop", name)]
    detector = HandDetector(*engines)
    detector(image, seen)
    hands = detector(image, seen)
    assert hands.seen.tolist() == [[True, False]]
    assert hands.side_scores[0, 0] > 0.8
    tips = {"thumb4": (230, 357), "index4": (242, 379), "pinky4": (264, 372)}
    for joint, point in tips.items():
        assert np.linalg.norm(hands.points[0, 0, MANO.index(joint)] - point) < 8, joint
    world = hands.world[0, 0]
    assert 0.12 < np.linalg.norm(world[MANO.index("wrist")] - world[MANO.index("middle4")]) < 0.22
    for engine in engines:
        engine.close()


def test_bones_are_drawn_in_the_colour_of_the_person():
    hands = HandDetector(*networks())(IMAGE, people((100, 100), (300, 100)))
    image = np.full_like(IMAGE, 90)
    drawn = draw_hands(image, hands)
    x, y = np.round(hands.points[0, 1, MANO.index("ring2")]).astype(int)
    assert (drawn[y, x] != 90).any()
    assert (drawn[300:] == 90).all()
    assert (image == 90).all()
    np.testing.assert_array_equal(draw_hands(image, Hands.unseen(np.arange(2))), image)


def test_hands_that_are_followed_across_each_other_keep_their_sides():
    """The arms cross from one image to the next, and the regions of the last landmarks with them."""
    detector = HandDetector(*networks())
    before = detector(IMAGE, people((100, 100), (150, 100), (400, 100), (450, 100)))
    after = detector(IMAGE, people((150, 100), (100, 100), (400, 100), (450, 100)))
    wrist = MANO.index("wrist")
    assert after.seen.all()
    assert_allclose(after.points[0, :, wrist, 0], [150, 100], atol=6)
    assert_allclose(after.points[1, :, wrist, 0], [400, 450], atol=6)
    assert_allclose(after.side_scores, before.side_scores)


def test_exchanged_hands_look_like_the_other_side():
    points = np.arange(3.0)[:, None, None] * np.ones((21, 2))
    found = HandLandmarks(points, np.zeros((3, 21, 3)), np.ones(3), np.array([0.9, 0.3, 0.6]))
    places = np.array([[True, True], [True, False]])
    hands = Hands.unseen(np.array([1, 2])).with_hands(places, found, np.array([0.7, 0.8, 0.9]))
    other = hands.exchanged(np.array([True, False]))
    assert_allclose(other.points[0, :, 0, 0], [1, 0])
    assert_allclose(other.scores, [[0.8, 0.7], [0.9, 0]])
    assert_allclose(other.side_scores, [[0.7, 0.9], [0.4, 0]], rtol=1e-6)
    assert hands.exchanged(np.zeros(2, np.bool_)) is hands
