# SPDX-License-Identifier: Apache-2.0
"""How people look: the colours of their clothes by body part, to tell people of one run apart.

Colours are read on the trunk and the legs, by keypoints, where no other person's box is: no face, and nothing that
tells people apart. They are a brightness and two opponent colours that brightness cancels from; one gain for the
whole person lets the light change. Other cameras have another exposure and white balance, which move the colours of all
people alike (von Kries, to first order). Evidence is a logarithm of a ratio of likelihoods (nats): of the same person
against another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Image, Ints
from hmr_ros.core.people import Detections
from hmr_ros.core.records import Record, check_shape, join_rows
from hmr_ros.core.skeleton import COCO17, JOINT_SETS, convert_keypoints

PARTS = ("chest", "belly", "thighs", "shanks")

_SEEN = 0.3
"""Minimum score of the keypoints around a part."""
_MIN_POINTS = 6
"""A part needs so many points that no other box covers."""
_DARK = 40.0
"""Added to R + G + B: colours of dark clothes are noise."""

_VIEW = np.array([0.27, 0.045, 0.06])
"""Standard deviations of brightness (logarithm) and of both colours of a part from view to view."""
_LIGHT = 0.3
"""The same of the brightness of the whole person, by the light."""
_PEOPLE = np.array([0.6, 0.1, 0.15])
"""Standard deviations between people."""
_LATER = 1.5
"""From one time to another people differ by this many times what they do from view to view: they turn round."""
_MOST_VIEWS = 30.0
"""The mean is over about so many views: people turn, and the light changes."""
_PRIOR_VIEWS = 5.0
"""So many views are as good as what is assumed of the deviations."""
_CONTRADICTION = -3.0
"""One part's channel says at most this much against a person: part of it may be hidden by a thing."""
_INDEPENDENT = 0.5
"""Evidence counts this fraction: neighbouring parts and channels say the same in part."""

_TRUNK = tuple(COCO17.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip"))
_ENDS = (("hip", "knee"), ("knee", "ankle"))
_LEGS = np.array(
    [[[COCO17.index(f"{side}_{joint}") for joint in ends] for side in ("left", "right")] for ends in _ENDS]
)
_ACROSS, _DOWN = (grid.ravel() for grid in np.meshgrid(np.linspace(0.2, 0.8, 6), np.linspace(0.1, 0.9, 6)))
_ASIDE, _ALONG = (grid.ravel() for grid in np.meshgrid((-0.06, 0.0, 0.06), np.linspace(0.1, 0.85, 6)))
_POINTS = len(_ACROSS)
"""Points of a part: 6 x 6 of the trunk, whose upper half is the chest; 6 along and 3 across each bone of the legs."""


@dataclass(frozen=True, eq=False)
class Appearance(Record):
    """How P people look in one image: ``colors`` (P, 4, 3) of PARTS, brightness and two colours; ``seen`` (P, 4)."""

    colors: Floats
    seen: Bools

    def __post_init__(self) -> None:
        check_shape(self, "colors", (len(self.seen), len(PARTS), 3))
        check_shape(self, "seen", (len(self.seen), len(PARTS)))


def appearance(image: Image, people: Detections) -> Appearance:
    """How ``people`` look in ``image`` (H, W, 3) uint8 RGB; parts that are not seen have colours 0."""
    points, scores = convert_keypoints(people.kp2d, people.kp2d_score, JOINT_SETS[people.joint_set], COCO17)
    pixels, visible = _sampled(points.astype(np.float64), scores >= _SEEN)
    visible &= ((pixels >= 0) & (pixels <= np.array(image.shape[1::-1]) - 1)).all(-1) & ~_covered(pixels, people.boxes)
    column, row = np.moveaxis(np.where(visible[..., None], pixels, 0).astype(np.intp), -1, 0)
    colors, seen = _middle(_opponent(image[row, column]), visible)
    return Appearance(colors, seen)


def _sampled(points: Floats, seen: Bools) -> tuple[Floats, Bools]:
    """(P, 4, N, 2) px on the parts of people with joints (P, 17, 2) px, and (P, 4, N) whether the joints are seen."""
    a, b, c, d = (points[:, None, joint] for joint in _TRUNK)
    u, v = _ACROSS[:, None], _DOWN[:, None]
    trunk = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)
    start, end = points[:, _LEGS[..., 0], None], points[:, _LEGS[..., 1], None]  # (P, 2, 2, 1, 2)
    along = end - start
    legs = start + _ALONG[:, None] * along + _ASIDE[:, None] * along[..., ::-1] * (-1, 1)
    half = _POINTS // 2
    parts = _doubled(trunk[:, :half]), _doubled(trunk[:, half:]), legs.reshape(len(points), 2, _POINTS, 2)
    of_trunk = np.zeros((len(points), 2, _POINTS), np.bool_)
    of_trunk[..., :half] = seen[:, list(_TRUNK)].min(1)[:, None, None]
    of_legs = np.repeat(seen[:, _LEGS].min(-1), half, axis=2)
    return np.concatenate(parts, 1), np.concatenate([of_trunk, of_legs], 1)


def _doubled(points: Floats) -> Floats:
    """(P, N, 2) -> (P, 1, 2 N, 2): as many points as a part of two bones has."""
    return np.concatenate([points, points], 1)[:, None]


def _covered(pixels: Floats, boxes: Floats) -> Bools:
    """(P, 4, N) whether ``pixels`` (P, 4, N, 2) lie in the box (P, 4) px of another person."""
    if len(boxes) < 2:
        return np.zeros(pixels.shape[:3], np.bool_)
    x, y = (np.ascontiguousarray(pixels[..., k]).reshape(len(boxes), -1) for k in (0, 1))
    left, top, right, bottom = boxes.T[:, :, None, None]
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)  # (box, person, point)
    inside[range(len(boxes)), range(len(boxes))] = False
    return np.asarray(inside.any(0).reshape(pixels.shape[:3]))


def _opponent(rgb: Image) -> Floats:
    """(..., 3) uint8 RGB -> logarithm of the brightness, red against green, and yellow against blue."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    total = r + g + b + _DARK
    return np.stack([np.log(total), (r - g) / total, (r + g - 2 * b) / total], -1)


def _middle(colors: Floats, visible: Bools) -> tuple[Floats, Bools]:
    """Medians (P, 4, 3) of ``colors`` (P, 4, N, 3) where ``visible`` (P, 4, N), and which parts have enough points."""
    ordered = np.sort(np.where(visible[..., None], colors, np.inf), 2)
    count = visible.sum(-1)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[..., None, None] // 2, 2)[:, :, 0]
    seen = count >= _MIN_POINTS
    return np.where(seen[..., None], middle, 0.0), seen


@dataclass(frozen=True, eq=False)
class Look(Record):
    """How T people have looked so far, over so many ``views`` (T, 4).

    ``mean`` (T, 4, 3) and ``square`` (T, 4, 3), the mean of the squared deviations.
    """

    mean: Floats
    square: Floats
    views: Floats

    @staticmethod
    def unknown(people: int) -> Look:
        """People of whom nothing is known."""
        zero = np.zeros((people, len(PARTS), 3))
        return Look(zero, zero, zero[..., 0])

    @staticmethod
    def of_ids(known: Mapping[int, Look], ids: Ints) -> Look:
        """Those of ``ids`` (P,) by what is ``known``, one row each; unknown of the others."""
        return join_rows([Look.unknown(0), *(known.get(each, Look.unknown(1)) for each in ids.tolist())])

    def with_view(self, view: Appearance) -> Look:
        """The same people after one more ``view`` of each."""
        views = np.where(view.seen, np.minimum(self.views + 1, _MOST_VIEWS), self.views)
        weight = np.where(view.seen, 1 / np.maximum(views, 1), 0.0)[..., None]
        off = view.colors - self.mean
        square = (1 - weight) * (self.square + weight * off * off)
        return Look(self.mean + weight * off, square, views)

    @property
    def variance(self) -> Floats:
        """(T, 4, 3) of one view of each person: what was seen, and what is assumed while there are few views."""
        views = self.views[..., None]
        return np.asarray((_PRIOR_VIEWS * _VIEW**2 + views * self.square) / (_PRIOR_VIEWS + views))


@dataclass(frozen=True, eq=False)
class Light:
    """How otherwise one of two images shows the same colours, by exposure and white balance.

    The ``shift`` (..., 3) of brightness and colours that is known, and the ``variance`` (..., 3) of what is not.
    """

    shift: Floats
    variance: Floats


SAME_CAMERA = Light(np.zeros(3), np.array([_LIGHT**2, 0.0, 0.0]))
"""One camera balances its colours; people walk through light and shade."""


def evidence(known: Look, others: Look, light: Light = SAME_CAMERA) -> Floats:
    """(T, Q) nats that T ``known`` people and Q ``others`` are the same, by what both show; 0 where that is nothing.

    ``light``, whose rows broadcast to (T, Q, 3), is how otherwise the camera of the ``known`` sees colours.
    """
    off, same, both = _differences(known, others)
    off, cost = _without_light(off - light.shift[..., None, :], same, both, light.variance)
    different = same + 2 * _PEOPLE**2
    nats = (off * off / different - off * off / same + np.log(different / same)) / 2
    total = np.where(both[..., None], np.maximum(nats, _CONTRADICTION), 0).sum((2, 3))
    return np.asarray(_INDEPENDENT * (total - cost))


def shared_nats(likelier: Floats, fraction: float) -> Floats:
    """Nats, at least 0, that looks say less as others share them: a ``fraction`` of people is dressed as those are.

    ``likelier``: by how much the looks are likelier of one of the others than of a person who is not known.
    """
    return np.asarray(np.log(1 - fraction + fraction * np.maximum(likelier, 1)))


def light_between(one: Look, other: Look) -> tuple[Floats, Floats]:
    """(3,) by which a person's looks differ in two cameras, one row each, and the variance (3,); infinite: not seen."""
    off, same, both = _differences(one, other)
    weight = np.where(both[..., None], 1 / same, 0.0).sum((0, 1, 2))
    variance = 1 / np.maximum(weight, 1e-12)
    return np.where(both[..., None], off / same, 0.0).sum((0, 1, 2)) * variance, variance / _INDEPENDENT


def _differences(known: Look, others: Look) -> tuple[Floats, Floats, Bools]:
    """(T, Q, 4, 3) by which people differ, the variance of that if they are the same, and which parts both show."""
    both = (known.views[:, None] > 0) & (others.views[None] > 0)
    of_known, of_others = (look.variance / np.maximum(look.views, 1)[..., None] for look in (known, others))
    same = of_known[:, None] + of_others[None] + (_LATER * _VIEW) ** 2
    return known.mean[:, None] - others.mean[None], same, both


def _without_light(off: Floats, variance: Floats, both: Bools, of_light: Floats) -> tuple[Floats, Floats]:
    """Differences ``off`` (T, Q, 4, 3) less the likeliest change of the light, and the nats (T, Q) that it costs.

    ``of_light`` (..., 3): the variance of that change; 0: there is none.
    """
    weight = np.where(both[..., None], 1 / variance, 0.0)
    change = of_light * (weight * off).sum(-2) / (weight.sum(-2) * of_light + 1)
    cost = (change * change / (2 * np.maximum(of_light, 1e-12))).sum(-1)
    return off - change[..., None, :], np.asarray(cost)
