# SPDX-License-Identifier: Apache-2.0
"""The people of a room by their ids: who is there, who were the same, who ended, and who came back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.rooms.lights import Lights
from hmr_ros.perception.rooms.observation import Key
from hmr_ros.perception.rooms.recalling import LOOKED_AT_S, Memory, recalled
from hmr_ros.perception.rooms.states import Person


class Roster:
    """The ``people``; ``ids`` numbers those who are new."""

    def __init__(self, ids: Iterator[int]) -> None:
        self.people: list[Person] = []
        self._ids = ids
        self._memory = Memory()
        self._ended: list[int] = []

    def clear(self) -> tuple[int, ...]:
        """Forget everyone; their ids."""
        ids = tuple(person.id for person in self.people)
        self.people, self._memory = [], Memory()
        return ids

    def ended(self) -> tuple[int, ...]:
        """The ids that ended since the last call. One comes back where the person is known again."""
        alive = {person.id for person in self.people}
        ended, self._ended = tuple(sorted(set(self._ended) - alive)), []
        return ended

    def new_id(self) -> int:
        """The id of a person who is new."""
        return next(self._ids)

    def add(self, person: Person) -> None:
        """Take in a person who is new."""
        self.people.append(person)

    def joined(self, person: Person, before: Person | None, camera: str, track: int, stamp_s: float) -> None:
        """Make the track a member; if it was the last of whom it showed ``before``, the two were the same person."""
        if person.members.get(camera) != track:
            person.members[camera] = track
            person.joined_s[camera] = stamp_s
        if before is None or before is person or before.members or before not in self.people:
            return
        self._absorb(person, before)

    def merge(self, are_one: Callable[[Sequence[Key], Sequence[Key]], bool]) -> None:
        """Make one of each two people whom no camera shows both, and whose tracks ``are_one``.

        Tracks join one by one: one that others confirm would never leave those for the ones of other cameras.
        """
        for one, other in itertools.combinations(tuple(self.people), 2):
            if one not in self.people or other not in self.people or one.members.keys() & other.members.keys():
                continue
            if are_one(tuple(one.members.items()), tuple(other.members.items())):
                one.members.update(other.members)
                one.joined_s.update({camera: other.joined_s[camera] for camera in other.members})
                self._absorb(one, other)

    def _absorb(self, person: Person, before: Person) -> None:
        """End ``before``, who was the same as ``person``; the older id stays."""
        if before.is_sure and (not person.is_sure or before.born_s < person.born_s):
            person.id, before.id = before.id, person.id
            person.born_s, person.is_sure = before.born_s, True
        person.tracks |= before.tracks
        self.people.remove(before)
        self._ended.append(before.id)

    def know_again(self, live: set[Key], lights: Lights, stamp_s: float) -> None:
        """Give new people the ids of those who are lost, or whom no camera shows now. ``live``: what cameras show."""
        for person in self.people:
            person.is_new &= stamp_s - person.born_s <= LOOKED_AT_S
        new = [person for person in self.people if person.is_new and person.is_sure]
        if not new:
            return
        shown = [person for person in self.people if not live.isdisjoint(person.members.items())]
        unseen = [person for person in self.people if person not in shown and not person.is_new]
        in_view = [person for person in shown if not person.is_new]
        for person, before in recalled(new, [*self._memory.lost, *unseen], in_view, lights):
            self._ended.append(person.id)
            person.resume(before)
            self._memory.drop(before)
            self.people = [other for other in self.people if other is not before]

    def end(self, people: Sequence[Person], stamp_s: float) -> None:
        """Let ``people`` go, and remember them for a while."""
        self._ended += [person.id for person in people]
        self.people = [person for person in self.people if person not in people]
        self._memory.add(people)
        self._memory.forget(stamp_s)

    def is_alone(self, person: Person, near_m: float) -> bool:
        """Whether no other person is so near."""
        at = person.motion.position
        return all(_apart(other.motion.position, at) > near_m for other in self.people if other is not person)


def _apart(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a - b))
