# SPDX-License-Identifier: Apache-2.0
"""People who come back have their id again where one and only one lost id fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from hmr_ros.core.people import State
from hmr_ros.perception.appearance import appearance
from hmr_ros.perception.reidentification import MAX_REMEMBERED, MEMORY_S, Cues
from hmr_ros.perception.tracker import Tracker, TrackerOptions, Tracks
from test.perception.dressed import BLACK, BLUE, RED, WHITE, Person, detected, picture

RATE_HZ = 10.0
ANN, BEN = Person(200, RED, BLUE), Person(400, BLACK, BLUE)


class Scene:
    """A tracker that is shown people; ``tracks`` of the last image, and all ``lost`` and ``forgotten`` ids."""

    def __init__(self, options: TrackerOptions | None = None, *, cues: bool = True) -> None:
        self.tracker, self.image, self.cues = Tracker(options or TrackerOptions()), 0, cues
        self.lost: list[int] = []
        self.forgotten: list[int] = []
        self.sizes: Mapping[int, float] = {}
        self.tracks: Tracks

    def show(self, *people: Person, seconds: float = 0.5) -> list[int]:
        """The ids of ``people`` after that time."""
        for _ in range(round(seconds * RATE_HZ)):
            found = detected(*people)
            cues = Cues(appearance(picture(*people), found), lambda: self.sizes) if self.cues else None
            self.tracks = self.tracker.update(found, self.image / RATE_HZ, None, cues)
            self.image += 1
            self.lost += self.tracks.lost
            self.forgotten += self.tracks.forgotten
        return self.tracks.seen.ids.tolist()


def moved(person: Person, by: float) -> Person:
    return dataclasses.replace(person, x=person.x + by)


@pytest.mark.parametrize("seconds", [1.5, 4.0, 9.0])
def test_who_comes_back_has_their_id_again(seconds: float) -> None:
    scene = Scene()
    ann, ben = scene.show(ANN, BEN)
    scene.show(BEN, seconds=seconds)
    assert scene.lost == [ann]
    assert scene.forgotten == []
    assert scene.show(BEN, moved(ANN, 30)) == [ben, ann]
    assert scene.tracks.states.tolist() == [State.TRACKED, State.TRACKED]
    assert len(scene.lost) == len(scene.forgotten) + 1 == 2  # and the id of their first image


def test_who_comes_back_in_other_clothes_is_new() -> None:
    scene = Scene()
    (ann,) = scene.show(ANN)
    scene.show(seconds=2)
    assert scene.show(dataclasses.replace(ANN, shirt=WHITE, trousers=BLACK)) != [ann]


def test_who_comes_back_far_away_at_once_is_new() -> None:
    scene = Scene()
    (ann,) = scene.show(ANN)
    scene.show(seconds=1.2)
    assert scene.show(moved(ANN, 380)) != [ann]


def test_a_child_is_not_the_adult_in_the_same_clothes() -> None:
    for size, same in ((9.0, True), (5.0, False)):
        scene = Scene()
        (ann,) = scene.show(ANN)
        scene.show(seconds=4)
        (first,) = scene.show(moved(ANN, 60), seconds=1 / RATE_HZ)
        scene.sizes = {ann: 9.0, first: size}
        assert (scene.show(moved(ANN, 60)) == [ann]) == same


def test_two_who_look_alike_are_not_guessed() -> None:
    scene = Scene()
    alike = moved(ANN, 110)
    ids = scene.show(ANN, alike)
    scene.show(seconds=3)
    (returned,) = scene.show(moved(ANN, 55))
    assert returned not in ids


def test_two_who_come_back_together_have_their_ids_each() -> None:
    scene = Scene()
    ids = scene.show(ANN, BEN)
    scene.show(seconds=3)
    assert scene.show(moved(BEN, 20), moved(ANN, -20)) == ids[::-1]


def test_people_are_forgotten_after_a_while() -> None:
    scene = Scene()
    (ann,) = scene.show(ANN)
    scene.show(seconds=MEMORY_S + 0.5)
    assert scene.lost == scene.forgotten == [ann]
    assert scene.show(ANN) != [ann]


def test_without_cues_people_are_not_remembered() -> None:
    scene = Scene(cues=False)
    (ann,) = scene.show(ANN)
    scene.show(seconds=1.5)
    assert scene.forgotten == [ann]
    assert scene.show(ANN) != [ann]


def test_turning_it_off_forgets() -> None:
    scene = Scene()
    (ann,) = scene.show(ANN)
    scene.show(seconds=1.5)
    scene.cues = False
    scene.show(seconds=1 / RATE_HZ)
    assert scene.forgotten == [ann]


def test_a_reset_forgets() -> None:
    scene = Scene()
    (ann,) = scene.show(ANN)
    scene.show(seconds=1.5)
    scene.tracker.reset()
    assert scene.show(ANN) != [ann]


def test_memory_has_a_limit() -> None:
    scene = Scene(TrackerOptions(timeout_s=0.1, hits_to_confirm=1))
    for k in range(MAX_REMEMBERED + 10):
        x, y = 60 + 70 * (k % 8), 100 + 60 * (k // 8 % 3)
        colors = np.random.default_rng(k).integers(0, 255, (2, 3)).tolist()
        scene.show(Person(x, tuple(colors[0]), tuple(colors[1]), 20, y), seconds=0.1)
    assert len(scene.tracker._memory.lost) <= MAX_REMEMBERED


def test_who_hides_is_not_the_one_in_other_clothes_who_steps_out() -> None:
    scene = Scene()
    (ann,) = scene.show(ANN)
    scene.show(seconds=0.3)
    (other,) = scene.show(dataclasses.replace(BEN, x=ANN.x), seconds=0.3)
    assert other != ann
    assert ann in scene.tracks.unseen.ids


def test_ids_that_are_kept_are_no_business_of_ours() -> None:
    scene = Scene(TrackerOptions(keep_ids=True))
    found = dataclasses.replace(detected(ANN), ids=np.array([77]))
    for k in range(3):
        scene.tracker.update(found, k / RATE_HZ, None, Cues(appearance(picture(ANN), found)))
    scene.image = 3
    scene.show(seconds=1.5)
    assert scene.lost == scene.forgotten == [77]
    assert scene.show(ANN) != [77]


def test_two_who_look_alike_and_come_back_in_turn_are_not_guessed() -> None:
    """What was in doubt for one of them is not certain for the other, as both may be either."""
    scene = Scene()
    ids = scene.show(ANN, moved(ANN, 110))
    scene.show(seconds=4)
    assert not {*scene.show(moved(ANN, 40), moved(ANN, 75))} & {*ids}


def test_near_and_far_people_in_like_clothes_are_told_by_their_size_in_the_image() -> None:
    near, far = dataclasses.replace(ANN, trunk=60), dataclasses.replace(ANN, x=255, trunk=33)
    for who, by in ((0, -27), (1, 27)):
        scene = Scene()
        ids = scene.show(far, near)
        scene.show(seconds=1.3)
        assert scene.show(moved((far, near)[who], by)) == [ids[who]]


def test_clothes_that_others_in_view_wear_are_little_evidence() -> None:
    for others, same in ((dataclasses.replace(BEN, x=560), True), (dataclasses.replace(ANN, x=560), False)):
        scene = Scene()
        ann, _ = scene.show(ANN, others)
        scene.show(others, seconds=4)
        assert (scene.show(moved(ANN, 200), others)[0] == ann) == same


def test_who_was_hidden_and_comes_back_where_expected_is_no_one_else() -> None:
    """A track of a few images is not looked for among the lost again."""
    scene = Scene()
    in_front = dataclasses.replace(ANN, trunk=54)
    ids = scene.show(ANN, moved(in_front, 20), seconds=0.2)
    scene.show(seconds=0.5)
    assert scene.show(moved(in_front, 20), seconds=0.3) == ids[1:]


def test_two_who_were_seen_together_are_two() -> None:
    scene = Scene(TrackerOptions(hits_to_confirm=1))
    ids = scene.show(ANN, moved(ANN, 70), seconds=1 / RATE_HZ)
    assert scene.show(ANN, seconds=0.3) == ids[:1]
    assert scene.lost == []
