# SPDX-License-Identifier: Apache-2.0
"""People of a room from the bodies of several cameras: who is who, where they are, and until when.

Views come in any order, each with its own stamp. A person has *members*, at most one track of each camera. When a view
comes, each of its tracks is compared with the members that other cameras see, all positions carried to its stamp, and
assigned to a person or to none by the minimum of all costs together; whoever is assigned to none is a new person.
So two tracks of one camera are never one person, and a person who walks out of one view into the next keeps the id.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.people import Bodies
from hmr_ros.core.records import join_rows
from hmr_ros.perception.appearance import Look
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.rooms.agreement import Agreement
from hmr_ros.perception.rooms.lights import Lights
from hmr_ros.perception.rooms.matching import PairCosts, by_looks, costs, position_covariances
from hmr_ros.perception.rooms.observation import Key, View, observed
from hmr_ros.perception.rooms.offsets import Offset
from hmr_ros.perception.rooms.options import FusingOptions
from hmr_ros.perception.rooms.person import PersonMotion, Sighting
from hmr_ros.perception.rooms.roster import Roster
from hmr_ros.perception.rooms.states import CameraState, Person, centre
from hmr_ros.perception.rooms.tracks import LIVE_S, CameraTracks

NEW = 22.0
"""Cost above which two tracks are two people."""

_KEPT = 8.0
"""So much less a track costs where it is a member already."""

_NEAR_M, _UNSURE_S = 1.2, 0.35
"""A new person so near to another, whom the camera may be seeing, is tentative for a moment: costs are not settled."""

_ALONE = 0.6
"""The same of a track whom no other camera confirms, so that two who are each seen by one camera become one."""

_AS_EXPECTED = 0.5
"""Fraction of NEW that a track costs at least where no other camera sees the person now."""

_LOOK_ALIKE = -1.0
"""Mean cost by looks below which two people who look as no other does are one where they are near enough for it."""


class RoomFuser:
    """Fuses views of cameras with poses in one world, whose z is up; see the module. Not thread-safe."""

    def __init__(
        self, body_model: BodyModel, options: FusingOptions | None = None, ids: Iterator[int] | None = None
    ) -> None:
        """``ids`` numbers people; None: 1, 2, 3, ..."""
        self.options = options or FusingOptions()
        self.growth = Growth.of(body_model)
        self.cameras: dict[str, CameraState] = {}
        self.agreement = Agreement()
        self.lights = Lights()
        self.stamp_s = -np.inf
        self.too_late = 0
        self._roster = Roster(itertools.count(1) if ids is None else ids)
        self._pairs, self._looks = PairCosts(), PairCosts()
        self._live: set[Key] = set()

    def add(
        self, bodies: Bodies, camera: str, stamp_s: float, world_from_optical: Transform, looks: Look | None = None
    ) -> None:
        """Take ``bodies`` of one image of ``camera`` into account, whose ``ids`` are the camera's.

        By their ``looks`` people are told apart, and known again; None: they are not.
        """
        view = observed(bodies, camera, stamp_s, world_from_optical, self.growth, looks)
        if stamp_s < self.stamp_s - self.options.max_delay_s:
            self.too_late += 1
            return
        state = self._follow(view)
        if state is None:
            return
        self._compare(camera, stamp_s)
        if self.agreement.refused(camera):
            self._leave(camera)
            self._end()
            return
        view = View(camera, stamp_s, state.eye, state.tracks.people.take(slice(len(view.people))))
        self._assign(view)
        self._measure(view)
        self._roster.merge(self._are_one)
        self._roster.know_again(self._live, self.lights, stamp_s)
        self._end()

    def reset(self) -> tuple[int, ...]:
        """Forget all people; their ids."""
        self._pairs, self._looks, self.cameras, self.lights = PairCosts(), PairCosts(), {}, Lights()
        self.stamp_s = -np.inf
        return self._roster.clear()

    @property
    def people(self) -> list[Person]:
        """Everyone in the room, also those who are not sure."""
        return self._roster.people

    def ended(self) -> tuple[int, ...]:
        """The ids that ended since the last call. One comes back where the person is known again."""
        return self._roster.ended()

    def _follow(self, view: View) -> CameraState | None:
        """The camera of ``view``, after it; None where it is not newer than the last one."""
        state = self.cameras.get(view.camera)
        if state is None:
            offset = Offset.stated(self.options)
            tracks = CameraTracks.begun(offset.corrected(view).people, view.stamp_s)
            self.cameras[view.camera] = state = CameraState(offset, tracks, view.eye, view.stamp_s)
        elif view.stamp_s <= state.stamp_s:
            return None
        else:
            corrected = state.offset.corrected(view)
            state.tracks = state.tracks.updated(corrected.people, view.stamp_s)
            state.interval_s = min(view.stamp_s - state.stamp_s, 1.0)
            state.eye, state.stamp_s = corrected.eye, view.stamp_s
        self.stamp_s = max(self.stamp_s, view.stamp_s)
        return state

    def _compare(self, camera: str, stamp_s: float) -> None:
        """Costs of the camera's tracks against those that all others see now; and whether the cameras agree."""
        live = {name: state.tracks.live(stamp_s) for name, state in self.cameras.items()}
        self._live = {key for name, tracks in live.items() for key in _keys(name, tracks)}
        others = [name for name in live if name != camera]
        apart: dict[str, Bools] = {}
        if others:
            keys = [key for name in others for key in _keys(name, live[name])]
            lights = [self.lights.between(camera, name) for name in others]
            looks = by_looks(live[camera], [live[name] for name in others], lights)
            found = self._costs(camera, others, live, stamp_s) + looks
            self._pairs.add(_keys(camera, live[camera]), keys, found, stamp_s)
            self._looks.add(_keys(camera, live[camera]), keys, looks, stamp_s)
            ends = np.cumsum([len(live[name]) for name in others])[:-1]
            apart = dict(zip(others, np.split(found > NEW, ends, axis=1), strict=True))
        self._pairs.forget(stamp_s)
        self._looks.forget(stamp_s)
        self.agreement.watch(camera, live, apart, stamp_s)

    def _costs(self, camera: str, others: list[str], live: dict[str, CameraTracks], stamp_s: float) -> Floats:
        """(A, B) of the tracks of ``camera`` against those of the ``others``, one camera's after the other's."""
        known = {name: position_covariances(live[name], self.cameras[name].offset) for name in (camera, *others)}
        theirs = join_rows([live[name] for name in others])
        covariances = known[camera], np.concatenate([known[name] for name in others])
        return costs(live[camera], theirs, stamp_s, covariances, self.options.clock_deviation_s)

    def _are_one(self, one: Sequence[Key], other: Sequence[Key]) -> bool:
        """Whether the tracks of two people that are seen now are alike on the whole, the less the more their looks."""
        pairs = [(a, b) for a in one for b in other if a in self._live and b in self._live]
        if not pairs:
            return False
        cost, looks = (np.mean([min(costs.of(*pair), 1e3) for pair in pairs]) for costs in (self._pairs, self._looks))
        return bool(cost < (NEW if looks < _LOOK_ALIKE else _ALONE * NEW))

    def _assign(self, view: View) -> None:
        """Give each track of ``view`` to a person."""
        camera, tracks = view.camera, view.people.tracks.tolist()
        table = np.array([[self._cost(person, view, row) for person in self.people] for row in range(len(tracks))])
        table = table.reshape(len(tracks), len(self.people))
        alone = np.full((len(tracks), len(tracks)), 1e6)
        np.fill_diagonal(alone, NEW)
        pairs: Int64s = assign(np.concatenate([table, alone], 1)) if tracks else np.zeros((0, 2), np.int64)
        chosen = {tracks[row]: self.people[col] for row, col in pairs.tolist() if col < len(self.people)}
        before = {person.members.get(camera): person for person in self.people if camera in person.members}
        for person in self.people:
            self._release(person, camera, chosen)
        for row, track in enumerate(tracks):
            person = chosen.get(track) or self._born(view, row, before.get(track))
            self._roster.joined(person, before.get(track), camera, track, view.stamp_s)

    def _release(self, person: Person, camera: str, chosen: dict[int, Person]) -> None:
        """End the membership of a track that went to someone else, or that the camera does not show any more."""
        track = person.members.get(camera)
        if track is None:
            return
        live = self.cameras[camera].tracks.people.tracks
        if chosen.get(track) is not person and (track in chosen or track not in live or self._is_shown(camera, track)):
            del person.members[camera]

    def _is_shown(self, camera: str, track: int) -> bool:
        state = self.cameras[camera]
        return bool((state.tracks.stamps[state.tracks.people.tracks == track] == state.stamp_s).any())

    def _cost(self, person: Person, view: View, row: int) -> float:
        """What it costs that row ``row`` of ``view`` shows ``person``."""
        key = (view.camera, int(view.people.tracks[row]))
        bonus = _KEPT if person.members.get(view.camera) == key[1] else 0.0
        found = [
            self._pairs.of(key, (camera, track))
            for camera, track in person.members.items()
            if camera != view.camera and (camera, track) in self._live
        ]
        if found and np.isfinite(found).any():
            return float(np.mean(np.minimum(found, 1e3))) - bonus
        if bonus:
            return _ALONE * NEW
        return max(self._surprise(person, view, row), _AS_EXPECTED * NEW)

    def _surprise(self, person: Person, view: View, row: int) -> float:
        """Squared Mahalanobis distance of a sighting from where a person is expected who has no other sighting now."""
        if self._is_seen_by(person, view.camera):
            return 1e4
        sighting = self._sighting(view, row)
        unseen_s = max(view.stamp_s - person.seen_s, 0.0)
        residual, covariance = person.motion.innovation(sighting)
        covariance = covariance + sighting.pose_covariance + (0.3 * unseen_s) ** 2 * np.eye(3)
        return 3 * float(residual @ np.linalg.solve(covariance, residual))

    def _is_seen_by(self, person: Person, camera: str) -> bool:
        """Whether a track of ``camera`` shows the person in its last image."""
        track = person.members.get(camera)
        return track is not None and self._is_shown(camera, track)

    def _sighting(self, view: View, row: int) -> Sighting:
        return self.cameras[view.camera].sighting(view, row, self.options.clock_deviation_s)

    def _born(self, view: View, row: int, before: Person | None) -> Person:
        """A new person, or the one whose only member the track was."""
        if before is not None and not before.members:
            return before
        person = Person(self._roster.new_id(), PersonMotion(self._sighting(view, row)), view.stamp_s, view.stamp_s)
        self._roster.add(person)
        return person

    def _measure(self, view: View) -> None:
        """Filter everyone whom the view shows, and learn from those whom others see, too."""
        owners = {person.members[view.camera]: person for person in self.people if view.camera in person.members}
        for row, track in enumerate(view.people.tracks.tolist()):
            person, sighting = owners[track], self._sighting(view, row)
            if self.options.learns:
                self._learn(person, sighting)
            person.look_at(view, row)
            if self._roster.is_alone(person, _NEAR_M):
                self.lights.learn_from(person, view.camera, self._live, view.stamp_s, sighting.elapsed_s)
            person.motion.measure(sighting)
            person.seen_s = max(person.seen_s, view.stamp_s)
            person.seen_by[view.camera] = view.stamp_s
            person.is_sure = person.is_sure or self._is_sure(person, view)
        fused = [state for name, state in self.cameras.items() if not self.agreement.refused(name)]
        centre(fused, self.cameras[view.camera].interval_s)

    def _learn(self, person: Person, sighting: Sighting) -> None:
        """Estimate the error of the camera's pose by a person whom others see at the same time."""
        others = [camera for camera in person.members if camera != sighting.camera]
        if not any((camera, person.members[camera]) in self._live for camera in others):
            return
        residual, covariance = person.motion.innovation(sighting)
        state = self.cameras[sighting.camera]
        state.offset = state.offset.learnt(sighting.line_of_sight, -residual, covariance, sighting.elapsed_s)

    def _is_sure(self, person: Person, view: View) -> bool:
        """Whether the person is no other whom another camera sees: at once, but near to someone after a moment."""
        if view.stamp_s - person.born_s >= _UNSURE_S:
            return True
        at = person.motion.position
        others = (other for other in self.people if other is not person)
        hidden = (other for other in others if not self._is_seen_by(other, view.camera))
        return not any(np.linalg.norm(other.motion.position - at) < _NEAR_M for other in hidden)

    def _end(self) -> None:
        """Let people go whom the cameras that saw them last have not shown for long.

        Of a camera that fell silent nothing is known: no one left because of it.
        """
        self._roster.end([person for person in self.people if self._is_over(person)], self.stamp_s)

    def _is_over(self, person: Person) -> bool:
        timeout_s = self.options.timeout_s if person.is_sure else LIVE_S
        last = [camera for camera, at in person.seen_by.items() if person.seen_s - at <= LIVE_S]
        return all(self.cameras[camera].stamp_s - person.seen_s > timeout_s for camera in last)

    def _leave(self, camera: str) -> None:
        """Take a camera's tracks away from all people, and end those whom it alone has seen."""
        alone = [person for person in self.people if set(person.seen_by) == {camera}]
        for person in self.people:
            person.members.pop(camera, None)
            person.seen_by.pop(camera, None)
        self._roster.end(alone, self.stamp_s)


def _keys(camera: str, tracks: CameraTracks) -> list[Key]:
    return [(camera, track) for track in tracks.people.tracks.tolist()]
