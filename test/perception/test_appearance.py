# SPDX-License-Identifier: Apache-2.0
"""People look like themselves in another light, and not like others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.people import Detections
from hmr_ros.perception.appearance import PARTS, Look, appearance, evidence
from test.perception.dressed import BLACK, BLUE, RED, WHITE, Person, detected, picture


def look(*people: Person, light: float = 1.0, views: int = 3) -> Look:
    out = Look.unknown(len(people))
    for _ in range(views):
        out = out.with_view(appearance(picture(*people, light=light), detected(*people)))
    return out


ANN, BEN = Person(120, RED, BLUE), Person(400, BLACK, BLUE)


def test_colours_are_those_of_the_clothes() -> None:
    seen = appearance(picture(ANN, BEN), detected(ANN, BEN))
    assert seen.seen.all()
    assert seen.colors.shape == (2, len(PARTS), 3)
    chest, belly, thighs, shanks = seen.colors[0]
    assert chest == pytest.approx(belly, abs=0.05)
    assert thighs == pytest.approx(shanks, abs=0.05)
    assert chest[1] > 0.3
    assert thighs[2] < -0.3
    assert abs(seen.colors[1, 0, 1:]).max() < 0.1  # black has no colour


@pytest.mark.parametrize("light", [0.5, 0.7, 1.3])
def test_a_person_is_the_same_in_another_light_and_others_are_not(light: float) -> None:
    nats = evidence(look(ANN, BEN), look(ANN, BEN, light=light))
    assert np.diag(nats).min() > 1
    assert nats[0, 1] < -2
    assert nats[1, 0] < -2


def test_a_person_is_the_same_nearer_and_elsewhere() -> None:
    nearer = dataclasses.replace(ANN, x=500, trunk=75, y=190)
    assert evidence(look(ANN), look(nearer))[0, 0] > 1


def test_one_part_that_something_hides_does_not_decide() -> None:
    carries = look(ANN)
    hidden = dataclasses.replace(carries, mean=carries.mean.copy())
    hidden.mean[:, 0] = (5.5, -0.2, -0.3)
    assert evidence(carries, hidden)[0, 0] > -3


def test_what_another_person_covers_is_not_seen() -> None:
    in_front = dataclasses.replace(BEN, x=ANN.x + 10)
    seen = appearance(picture(ANN, in_front), detected(ANN, in_front)).seen
    assert not seen.any()
    assert evidence(look(ANN), look(ANN, in_front).take([0])) == 0  # nothing is known, nothing is said


def test_parts_out_of_the_image_or_unsure_are_not_seen() -> None:
    low = dataclasses.replace(ANN, y=330)
    assert appearance(picture(low), detected(low)).seen.tolist() == [[True, True, True, False]]
    unsure = dataclasses.replace(detected(ANN), kp2d_score=np.full((1, 17), 0.1))
    assert not appearance(picture(ANN), unsure).seen.any()


def test_no_people_are_a_normal_value() -> None:
    seen = appearance(picture(), Detections.empty("blazepose"))
    assert len(seen) == 0
    assert evidence(Look.unknown(0), Look.unknown(2)).shape == (0, 2)


def test_a_mean_over_views_has_their_variance() -> None:
    bright, dark = (appearance(picture(ANN, light=light), detected(ANN)) for light in (1.2, 0.8))
    both = Look.unknown(1).with_view(bright).with_view(dark)
    assert both.mean == pytest.approx((bright.colors + dark.colors) / 2)
    assert both.square == pytest.approx(((bright.colors - dark.colors) / 2) ** 2, abs=1e-9)
    assert both.views.tolist() == [[2, 2, 2, 2]]


def test_clothes_that_differ_in_brightness_alone_are_less_alike() -> None:
    white, black = look(Person(120, WHITE, BLACK)), look(Person(120, BLACK, BLACK))
    assert evidence(white, black)[0, 0] < evidence(white, white)[0, 0] - 3
