# SPDX-License-Identifier: Apache-2.0
"""Distance and size of people over time, by all that measures them: depth, the ground, and what was known before.

One size per track (``sizes``) is fed by every kind of evidence and serves while there is none, so that people do not
jump when their feet leave the image, or depth has a hole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.fitting.depth import DepthFit, DepthImage, ScaleFit, scaled, with_measured_distance
from hmr_ros.core.fitting.ground import (
    Contact,
    GroundFit,
    Soles,
    contact,
    fit_ground,
    guessed_deviation,
    standing,
)
from hmr_ros.core.fitting.settling import Settling
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import Camera, Estimates
from hmr_ros.core.temporal.known_size import KnownSize, SizeMeasurement

_DEPTH_VIEW = 0.02**-2
"""Information of a size that depth measured, 1 / fraction^2."""

_DEPTH_VIEWS = 30
"""A size by depth is the mean of about so many views."""

_FINEST = 0.012
"""Standard deviation of a size by the ground, however long it was seen: body model and pose err the same way."""

_UPRIGHT_M = 0.008
"""Standard deviation of the height of a root by that of the feet, besides the network's own."""

_UNLIKELY = 3.0
"""Standard deviations between the sizes that a network guesses and that the ground gives, beyond which one is wrong."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What measures people in the image of ``stamp_s`` s: ``depth`` and the ``ground``; None: it does not."""

    stamp_s: float
    depth: DepthImage | None = None
    ground: Ground | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """``estimates`` with the distances and sizes that are known.

    (P,) each: ``by_depth`` and ``by_ground`` in this image; ``sized``: the size of the track is known by either.
    ``feet_seen`` (P, 2): left and right.
    """

    estimates: Estimates
    by_depth: Bools
    by_ground: Bools
    sized: Bools
    feet_seen: Bools

    @staticmethod
    def nothing(estimates: Estimates, feet_seen: Bools | None = None) -> Measured:
        """Estimates as they were; ``feet_seen`` None: no foot is."""
        people = len(estimates)
        feet = np.zeros((people, 2), np.bool_) if feet_seen is None else feet_seen
        by_depth, by_ground, sized = np.zeros((3, people), np.bool_)
        return Measured(estimates, by_depth, by_ground, sized, feet)


@dataclass(frozen=True, eq=False)
class _Person:
    """A person as estimated: position (3,) m, shape (10,), its size, covariance (3, 3) m^2."""

    cam_t: Floats
    betas: Floats
    size: float
    covariance: Floats


@dataclass(frozen=True, eq=False)
class _Placed:
    """A person's position (3,) m, shape (10,) and covariance (3, 3) m^2; whether this image measured it by ``depth`` or
    by the ``ground``, and whether the size is ``known``.
    """

    cam_t: Floats
    betas: Floats
    covariance: Floats
    depth: bool = False
    ground: bool = False
    known: bool = True


class Sizing:
    """Places people of one body model by depth and ground, and remembers their sizes."""

    def __init__(self, body_model: BodyModel) -> None:
        self._growth = Growth.of(body_model)
        self._depth_fit = DepthFit(body_model)
        self._soles = Soles.of(body_model)
        self._settling = Settling(body_model, self._soles)
        self._tracks: dict[int, KnownSize] = {}

    def __call__(
        self, ids: Ints, estimates: Estimates, camera: Camera, feet_seen: Bools, evidence: Evidence
    ) -> Measured:
        """The people ``ids`` (P,) where and as large as ``evidence`` and their known sizes say.

        ``feet_seen`` (P, 2): whether the left and the right foot are in view; the others touch no ground that helps.

        Without depth and ground, now or before, they are returned as they are.
        """
        rows = np.flatnonzero(estimates.valid)
        if len(rows) == 0 or (evidence.depth is None and evidence.ground is None and not self._tracks):
            return Measured.nothing(estimates, feet_seen)
        people = estimates.take(rows)
        fits = self._depth_fits(people, camera, evidence.depth)
        contacts = self._contacts(people, feet_seen[rows], evidence.ground)
        placed = [
            self._placed(track_id, self._person(people, row), fits[row], contacts[row], evidence)
            for row, track_id in enumerate(ids[rows].tolist())
        ]
        return _measured(Measured.nothing(estimates, feet_seen), rows, placed)

    def growth(self, ids: Ints, estimates: Estimates) -> Floats:
        """(P,): the sizes of ``estimates`` over the known ones of the people ``ids`` (P,); NaN where none is known."""
        known = [self._tracks[track_id].size.mean if track_id in self._tracks else np.nan for track_id in ids.tolist()]
        return np.asarray(self._growth.size(estimates.betas) / np.array(known, np.float64))

    def resized(self, ids: Ints, estimates: Estimates) -> Estimates:
        """``estimates`` of the people ``ids`` (P,) with shapes of their known sizes; positions stay."""
        rows = [row for row, track_id in enumerate(ids.tolist()) if track_id in self._tracks and estimates.valid[row]]
        if not rows:
            return estimates
        betas = estimates.betas.copy()
        sizes = np.array([self._tracks[track_id].size.mean for track_id in ids[rows].tolist()])
        betas[rows] = self._growth.grown(betas[rows], sizes / self._growth.size(betas[rows]))
        return dataclasses.replace(estimates, betas=betas)

    def settled(self, people: Estimates, placed: Bools, feet_seen: Bools, ground: Ground | None) -> Estimates:
        """``people`` (P,) on the ``ground``, where there is one; see Settling."""
        return people if ground is None else self._settling(people, placed, feet_seen, ground)

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        for track_id in ids:
            self._tracks.pop(track_id, None)

    def reset(self) -> None:
        """Forget all tracks."""
        self._tracks.clear()

    def _person(self, people: Estimates, row: int) -> _Person:
        betas = people.betas[row]
        return _Person(people.cam_t[row], betas, float(self._growth.size(betas)), people.root_covariance[row])

    def _depth_fits(self, people: Estimates, camera: Camera, depth: DepthImage | None) -> list[ScaleFit | None]:
        return [None] * len(people) if depth is None else self._depth_fit(people, camera, depth)

    def _contacts(self, people: Estimates, feet_seen: Bools, ground: Ground | None) -> list[Contact | None]:
        if ground is None:
            return [None] * len(people)
        each = zip(self._soles(people), people.joint_covariance, feet_seen, strict=True)
        return [contact(soles, covariance, ground.up, seen) for soles, covariance, seen in each]

    def _placed(
        self, track_id: int, person: _Person, fit: ScaleFit | None, touching: Contact | None, evidence: Evidence
    ) -> _Placed:
        """One person by the best evidence of the image, or by the known size."""
        known = track_id in self._tracks
        if not known and fit is None and evidence.ground is None:
            return _Placed(person.cam_t, person.betas, person.covariance, known=False)
        track = self._tracks.setdefault(track_id, KnownSize())
        track.size = track.size.with_guess(*_guess(person, touching, evidence.ground))
        if fit is not None:
            return self._by_depth(person, track, fit)
        if evidence.ground is None:
            return self._by_size(person, track)
        return self._by_ground(person, track, touching, evidence.ground, evidence.stamp_s)

    def _by_depth(self, person: _Person, track: KnownSize, fit: ScaleFit) -> _Placed:
        track.size = track.size.with_measurement(person.size * fit.scale, _DEPTH_VIEW, _DEPTH_VIEWS * _DEPTH_VIEW)
        covariance = with_measured_distance(person.covariance, person.cam_t)
        return _Placed(*scaled(self._growth, person.cam_t, person.betas, fit), covariance, depth=True)

    def _by_size(self, person: _Person, track: KnownSize) -> _Placed:
        """Scaled about the camera to the known size."""
        fit = ScaleFit(track.size.mean / person.size, float(person.cam_t[2]))
        return _Placed(*scaled(self._growth, person.cam_t, person.betas, fit), person.covariance)

    def _by_ground(
        self, person: _Person, track: KnownSize, touching: Contact | None, ground: Ground, stamp_s: float
    ) -> _Placed:
        """By the contact with the ground and the known size, which it makes more certain."""
        size = track.size
        expected = standing(person.cam_t, person.covariance, size.mean / person.size, size.deviation / person.size)
        alone = _Placed(expected.scale * person.cam_t, self._grown(person, expected.scale), expected.covariance)
        if touching is None or not touching.seen:
            return alone
        height = float(ground.elevation(expected.scale * (person.cam_t + touching.point)))
        rising = track.rising(stamp_s, height)
        fit = fit_ground(expected, touching, ground, rising)
        if fit is None:
            return alone
        measured = _measurement(person, fit, ground, touching)
        fresh = track.fresh(stamp_s)
        if not (fit.is_contact and (size.information or _agree(measured, person))):
            track.refuse(measured, fresh)
            return alone
        track.accept(measured, fresh)
        covariance = fit.covariance + _UPRIGHT_M**2 * np.outer(ground.up, ground.up)
        return _Placed(fit.cam_t, self._grown(person, fit.scale), covariance, ground=True)

    def _grown(self, person: _Person, scale: float) -> Floats:
        return self._growth.grown(person.betas, scale)


def _guess(person: _Person, touching: Contact | None, ground: Ground | None) -> tuple[float, float]:
    """The size that a network guesses, and its standard deviation, with a contact that is expected and not seen.

    Such a contact is wrong by the same in all images, as the guess is: it is a part of that, and no measurement.
    """
    deviation = guessed_deviation(person.cam_t, person.covariance)
    if touching is None or touching.seen or ground is None:
        return person.size, deviation
    fit = fit_ground(standing(person.cam_t, person.covariance, 1.0, deviation), touching, ground, 0.0)
    if fit is None or not fit.is_contact:
        return person.size, deviation
    return fit.scale * person.size, float((deviation**-2 + fit.deviation**-2) ** -0.5)


def _measurement(person: _Person, fit: GroundFit, ground: Ground, touching: Contact) -> SizeMeasurement:
    """The size by one contact."""
    by_ground = float(ground.deviation(fit.scale * (person.cam_t + touching.point))) / ground.height_m
    limit = person.size**-2 / (_FINEST**2 + (fit.measured * by_ground) ** 2)
    return SizeMeasurement(fit.measured * person.size, fit.deviation * person.size, limit)


def _agree(measured: SizeMeasurement, person: _Person) -> bool:
    """Whether the person may look like one of this size: else the ground is another than stated, or no contact."""
    guessed = guessed_deviation(person.cam_t, person.covariance) * person.size
    return abs(measured.size - person.size) <= _UNLIKELY * float(np.hypot(guessed, measured.deviation))


def _measured(nothing: Measured, rows: Ints, placed: list[_Placed]) -> Measured:
    """What measured ``nothing``, with the ``placed`` people in ``rows`` (N,)."""
    moved = dataclasses.replace(
        nothing.estimates.take(rows),
        cam_t=np.stack([person.cam_t for person in placed]),
        betas=np.stack([person.betas for person in placed]),
        root_covariance=np.stack([person.covariance for person in placed]),
    )
    out = dataclasses.replace(nothing, estimates=nothing.estimates.with_rows(rows, moved))
    out.by_depth[rows] = [person.depth for person in placed]
    out.by_ground[rows] = [person.ground for person in placed]
    out.sized[rows] = [person.known for person in placed]
    return out
