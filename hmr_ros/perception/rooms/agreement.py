# SPDX-License-Identifier: Apache-2.0
"""Which cameras are not where they are said to be: turned by many degrees, swapped, upside down, with wrong distances.

People of such a camera match none: they would be there twice, in wrong places. That two tracks show one person can be
seen without the cameras' poses, by the movement of the limbs around the pelvis, in the body's own axes; and that more
than one pair, or one who walks for long, moves as one rigid body. Where such pairs are far apart in the world, the
cameras disagree; the one that fewer agree with is refused, until it agrees again.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.geometry.rotation import project_to_rotmat, rotmat_to_rotvec
from hmr_ros.perception.rooms.tracks import CameraTracks

_SAMPLED_S, _JUDGED_S = 0.2, 0.5
_WINDOW_S, _LEAST_S = 5.0, 2.0
"""Pairs are watched for so long, and say something after the second."""

_ALIKE = 1.5
"""Mean squared difference of poses, by their expected errors, of one person."""

_RIGID_M = 0.3
"""Root mean square by which positions of one person by two cameras move against each other, once aligned."""

_FAR_M = 1.2
_LONG_S = 4.0
"""A person who walks so far, for so long, is evidence alone."""

_MOVED_M = 0.7
"""Several pairs walk at least so far together: people who just stand look alike."""

_SAME_RAD, _SAME_M = 0.25, 0.5
"""Two pairs are moved alike within these."""

_TILTED_DEG = 16.0
"""People whom two cameras see in one place, rotated by so much on the average of two or more: of people whom Pose2Mesh
estimates, it is below."""

_INVERTED, _UPSIDE_DOWN_S, _UPSIDE_DOWN_COUNT = -0.5, 1.0, 10
_KEPT_S = 10.0
"""A verdict stays for so long without new evidence."""


@dataclass(frozen=True, eq=False)
class _Sample:
    """A pair at one time: positions (3,) m by two cameras, the rotation between its roots, how unlike the poses are."""

    stamp_s: float
    one: Floats
    other: Floats
    rotation: Floats
    unlike: float


@dataclass(frozen=True, eq=False)
class _Alignment:
    """What one pair says: the ``rotation`` (3, 3) between the cameras, and where they see it, ``places`` (2, 3) m.

    ``far_m`` the person walked in ``lasted_s``; ``is_apart``: whether the stated poses put them in two places.
    """

    tracks: tuple[int, int]
    rotation: Floats
    places: Floats
    far_m: float
    lasted_s: float
    is_apart: bool

    @property
    def degrees(self) -> float:
        """Angle between the cameras' axes as stated and as seen."""
        return float(np.degrees(np.linalg.norm(rotmat_to_rotvec(self.rotation[None])[0])))

    @property
    def metres(self) -> float:
        """How far apart the two places are."""
        return float(np.linalg.norm(self.places[1] - self.places[0]))


@dataclass(frozen=True)
class Verdict:
    """When two cameras were found to ``agree``, or not, and in words by how much they do not."""

    stamp_s: float
    agrees: bool
    text: str = ""


@dataclass
class _Upright:
    """How upright the people of a camera are: -1 where all stand on their heads."""

    mean: float = 0.0
    count: int = 0
    since_s: float = 0.0
    known: deque[float] = field(default_factory=lambda: deque(maxlen=30))


class Agreement:
    """Watches cameras; ``refused`` are those whose pose is wrong."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str], dict[tuple[int, int], deque[_Sample]]] = {}
        self._due_s: dict[tuple[str, str, str], float] = {}
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._upright: dict[str, _Upright] = {}
        self._order: list[str] = []
        self.problems: dict[str, str] = {}

    def refused(self, camera: str) -> bool:
        """Whether the people of ``camera`` are left out."""
        return camera in self.problems

    def watch(
        self, camera: str, tracks: Mapping[str, CameraTracks], apart: Mapping[str, Bools], stamp_s: float
    ) -> None:
        """After an image of ``camera``: the ``tracks`` of all cameras that are seen now.

        ``apart``: by other camera, which pairs (A, B) of their people are two by the cameras' poses.
        """
        if camera not in self._order:
            self._order.append(camera)
        self._watch_uprightness(camera, tracks[camera], stamp_s)
        for other, are_apart in apart.items():
            if self._is_due("sample", camera, other, stamp_s, _SAMPLED_S):
                self._sample(camera, tracks[camera], other, tracks[other], stamp_s)
            if self._is_due("judge", camera, other, stamp_s, _JUDGED_S):
                self._judge(camera, tracks[camera], other, tracks[other], are_apart, stamp_s)
        self._conclude(stamp_s)

    def _is_due(self, what: str, camera: str, other: str, stamp_s: float, every_s: float) -> bool:
        """Whether to do something about two cameras now, which then counts as done."""
        is_due = abs(stamp_s - self._due_s.get((what, camera, other), -np.inf)) >= every_s
        if is_due:
            self._due_s[what, camera, other] = stamp_s
        return is_due

    def _watch_uprightness(self, camera: str, tracks: CameraTracks, stamp_s: float) -> None:
        upright = self._upright.setdefault(camera, _Upright(since_s=stamp_s))
        upright.known.extend(tracks.people.orientations[:, 2, 1].tolist())

    def _is_upside_down(self, camera: str, stamp_s: float) -> bool:
        upright = self._upright[camera]
        enough = len(upright.known) >= _UPSIDE_DOWN_COUNT and stamp_s - upright.since_s >= _UPSIDE_DOWN_S
        return enough and statistics.median(upright.known) < _INVERTED

    def _sample(self, camera: str, mine: CameraTracks, other: str, theirs: CameraTracks, stamp_s: float) -> None:
        """Note all pairs of people of two cameras as they are now."""
        unlike = _unlike(mine, theirs)
        pairs = self._samples.setdefault((camera, other), {})
        places = mine.at(stamp_s), theirs.at(stamp_s)
        for a, one in enumerate(mine.people.tracks.tolist()):
            for b, two in enumerate(theirs.people.tracks.tolist()):
                rotation = theirs.people.orientations[b] @ mine.people.orientations[a].T
                sample = _Sample(stamp_s, places[0][a], places[1][b], rotation, float(unlike[a, b]))
                pairs.setdefault((one, two), deque()).append(sample)
        for key in list(pairs):
            while pairs[key] and not 0 <= stamp_s - pairs[key][0].stamp_s <= _WINDOW_S:
                pairs[key].popleft()
            if not pairs[key]:
                del pairs[key]

    def _judge(
        self, camera: str, mine: CameraTracks, other: str, theirs: CameraTracks, apart: Bools, stamp_s: float
    ) -> None:
        """Say whether two cameras agree, where their people tell."""
        found = []
        for a, one in enumerate(mine.people.tracks.tolist()):
            for b, two in enumerate(theirs.people.tracks.tolist()):
                samples = self._samples[camera, other].get((one, two), ())
                if (alignment := _aligned((one, two), samples, bool(apart[a, b]))) is not None:
                    found.append(alignment)
        together = [each for each in found if not each.is_apart]
        rigid = _consistent(together)
        tilt = _mean_degrees(rigid) if len(rigid) > 1 else 0.0
        if tilt > _TILTED_DEG:
            text = f"{other} by {tilt:.0f} degrees about the line of sight"
            self._verdicts[camera, other] = Verdict(stamp_s, agrees=False, text=text)
        elif together:
            self._verdicts[camera, other] = Verdict(stamp_s, agrees=True)
        elif best := _consistent(found):
            degrees = float(np.median([each.degrees for each in best]))
            metres = float(np.median([each.metres for each in best]))
            text = f"{other} by {degrees:.0f} degrees, and people by {metres:.1f} m"
            self._verdicts[camera, other] = Verdict(stamp_s, agrees=False, text=text)

    def _conclude(self, stamp_s: float) -> None:
        """Refuse the cameras that are upside down, and of those that disagree the ones that fewer agree with."""
        problems = {
            camera: "its people stand on their heads: it is upside down, or its frame in TF is"
            for camera in self._order
            if self._is_upside_down(camera, stamp_s)
        }
        fresh = {k: v for k, v in self._verdicts.items() if abs(stamp_s - v.stamp_s) <= _KEPT_S}
        while worst := self._worst(fresh, problems):
            others = [v.text for k, v in fresh.items() if k[0] == worst and not v.agrees and k[1] not in problems]
            text = others[0] if others else "other cameras"
            problems[worst] = f"it disagrees with {text}: check its pose in TF, or its distances (ground, depth)"
        self.problems = problems

    def _worst(self, verdicts: Mapping[tuple[str, str], Verdict], refused: Mapping[str, str]) -> str:
        """The camera to refuse next, "" where those that are left do not disagree."""
        balance = dict.fromkeys((c for c in self._order if c not in refused), 0)
        disputes = set()
        for (camera, other), verdict in verdicts.items():
            if camera in balance and other in balance:
                for each in (camera, other):
                    balance[each] += 1 if verdict.agrees else -1
                if not verdict.agrees:
                    disputes |= {camera, other}
        return min(reversed(self._order), key=lambda c: balance[c] if c in disputes else np.inf) if disputes else ""


def _unlike(a: CameraTracks, b: CameraTracks) -> Floats:
    """(A, B) mean squared differences of joints in the bodies' own axes, by their expected errors."""
    mine, theirs = (x.people.joints @ x.people.orientations for x in (a, b))
    difference2 = np.square(mine[:, None, 1:] - theirs[None, :, 1:]).sum(-1)
    expected2 = np.square(a.people.joint_error)[:, None, 1:] + np.square(b.people.joint_error)[None, :, 1:]
    return np.asarray((difference2 / (1.3 * expected2)).mean(-1))


def _aligned(tracks: tuple[int, int], samples: Sequence[_Sample], is_apart: bool) -> _Alignment | None:
    """How a pair's first camera would have to be moved for the two to be one person; None where they are not."""
    if len(samples) < 2 or samples[-1].stamp_s - samples[0].stamp_s < _LEAST_S:
        return None
    if sum(sample.unlike for sample in samples) > _ALIKE * len(samples):
        return None
    rotation = project_to_rotmat(np.mean([sample.rotation for sample in samples], 0))
    one, other = (np.stack([getattr(sample, name) for sample in samples]) for name in ("one", "other"))
    left = other - one @ rotation.T
    if np.sqrt(np.square(left - left.mean(0)).sum(-1).mean()) > _RIGID_M:
        return None
    far = float(np.linalg.norm(np.ptp(other[:, :2], axis=0)))
    lasted = samples[-1].stamp_s - samples[0].stamp_s
    return _Alignment(tracks, rotation, np.stack([one.mean(0), other.mean(0)]), far, lasted, is_apart)


def _mean_degrees(alignments: Sequence[_Alignment]) -> float:
    """The angle of the mean rotation."""
    mean = project_to_rotmat(np.mean([each.rotation for each in alignments], 0))
    return float(np.degrees(np.linalg.norm(rotmat_to_rotvec(mean[None])[0])))


def _consistent(found: Sequence[_Alignment]) -> list[_Alignment]:
    """The most pairs that move as one rigid body and are evidence enough; none where there is not."""
    best: list[_Alignment] = []
    for seed in found:
        alike = [seed]
        for each in found:
            taken = {t for a in alike for t in ((0, a.tracks[0]), (1, a.tracks[1]))}
            if not taken & {(0, each.tracks[0]), (1, each.tracks[1])} and _same(seed, each):
                alike.append(each)
        if len(alike) > len(best):
            best = alike
    alone = any(each.far_m >= _FAR_M and each.lasted_s >= _LONG_S for each in best)
    together = len(best) > 1 and sum(each.far_m for each in best) >= _MOVED_M
    return best if together or alone else []


def _same(one: _Alignment, other: _Alignment) -> bool:
    """Whether two pairs need the same rotation, and are as far from each other in both cameras."""
    between = rotmat_to_rotvec((one.rotation @ other.rotation.T)[None])[0]
    rotation = one.rotation
    off = (one.places[1] - other.places[1]) - rotation @ (one.places[0] - other.places[0])
    return bool(np.linalg.norm(between) < _SAME_RAD and np.linalg.norm(off) < _SAME_M)
