# SPDX-License-Identifier: Apache-2.0
"""What to leave out of an image's work so that its result is not late: the policy behind the parameter max_latency_ms.

The worker always takes the newest image. Before it begins, the policy adds the image's age to what each step is
expected to take, and while that is too long leaves out more, in the order of ``Shed``. When nothing is left to leave
out, images that would be late are dropped. Work comes back one piece at a time, once there has been room for it for a
while. There is no clock here and no thread: who calls says what time it is and what things took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Shed(IntEnum):
    """What is left out; each member includes those before it."""

    NOTHING = 0
    VIEWS = 1
    """Mesh markers and overlay: people look at them, robots do not."""
    SECOND_METHOD = 2
    """With ``model: both``, the one that says how far it disagrees."""
    SEARCHES = 3
    """Most searches of the whole image for newcomers; whoever is known is followed as before."""

    def __str__(self) -> str:
        names = ("views", "second method", "searches")
        return ", ".join(names[: self.value]) or "nothing"


_DEVIATIONS = 2.0
"""How many mean deviations above its mean a step is expected to take: late is worse than idle."""

_FRACTION = 1 / 8
"""Weight of the newest image in means (as in TCP's estimate of round trips: Jacobson, SIGCOMM 1988)."""

_ROOM = 0.8
"""Work comes back when it would take no more than this fraction of the limit, ..."""

_CALM_S = 1.0
"""... and would have, for so long."""

_FORGETTING_S = 10.0
"""What shed work would take is known from the past only: half of what it took more is forgotten in this time."""

_PROBE_S = 1.0
"""When all images have been dropped for so long, some are processed all the same, to see whether things are better."""

_PROBE_IMAGES = 2
"""So many, and the last one counts: after a pause people have to be found again, which takes longer than to follow
them. Were it the first that counts, who was slow once would stay so.
"""


@dataclass(frozen=True)
class Costs:
    """What one image took, s: finding people, estimating bodies, what ``Shed.VIEWS`` names, and everything else."""

    detect_s: float
    estimate_s: float
    views_s: float
    rest_s: float


@dataclass
class _Running:
    """Running mean and mean deviation of a duration, s."""

    mean: float = 0.0
    deviation: float = 0.0
    is_known: bool = False

    @property
    def expected(self) -> float:
        return self.mean + _DEVIATIONS * self.deviation

    def add(self, value: float) -> None:
        if not self.is_known:
            self.mean, self.deviation, self.is_known = value, 0.0, True
            return
        error = value - self.mean
        self.mean += _FRACTION * error
        self.deviation += _FRACTION * (abs(error) - self.deviation)

    def approach(self, other: _Running, fraction: float) -> None:
        """Forget a fraction of what sets it apart from ``other``."""
        self.mean += fraction * (other.mean - self.mean)
        self.deviation += fraction * (other.deviation - self.deviation)


@dataclass
class _Step:
    """What a step takes in full, and as it is done from level ``relaxed_from`` on."""

    relaxed_from: Shed
    full: _Running = field(default_factory=_Running)
    relaxed: _Running = field(default_factory=_Running)

    def at(self, level: Shed) -> _Running:
        return self.relaxed if level >= self.relaxed_from else self.full

    def add(self, level: Shed, value: float, elapsed_s: float) -> None:
        self.at(level).add(value)
        if level >= self.relaxed_from:
            self.full.approach(self.relaxed, 1 - 0.5 ** (elapsed_s / _FORGETTING_S))


class Shedder:
    """Decides image by image: ask ``admit``, work as ``level`` says, tell ``observe``. Stamps may jump back."""

    def __init__(self) -> None:
        self.level = Shed.NOTHING
        self.expected_s = 0.0
        """Age at which the image that ``admit`` was last asked about was expected to be done."""
        self._detect = _Step(Shed.SEARCHES)
        self._estimate = _Step(Shed.SECOND_METHOD)
        self._views = _Step(Shed.VIEWS)
        self._rest = _Running()
        self._calm_since_s = self._admitted_s = self._observed_s = float("-inf")
        self._probes_left = 0

    def admit(self, stamp_s: float, age_s: float, limit_s: float) -> bool:
        """Whether to process an image that is ``age_s`` old by now; ``limit_s`` 0: always, and in full."""
        if limit_s <= 0:
            self.level = Shed.NOTHING
            return True
        while (expected_s := age_s + self._work_s(self.level)) > limit_s:
            self.expected_s = expected_s
            if self.level == max(Shed):
                return self._is_probe(stamp_s)
            self.level, self._calm_since_s = Shed(self.level + 1), stamp_s
        self.expected_s, self._admitted_s, self._probes_left = expected_s, stamp_s, 0
        self._restore(stamp_s, age_s, limit_s)
        return True

    def observe(self, stamp_s: float, costs: Costs) -> None:
        """What the image last admitted took."""
        elapsed_s = min(max(stamp_s - self._observed_s, 0.0), _FORGETTING_S)
        self._observed_s = stamp_s
        self._detect.add(self.level, costs.detect_s, elapsed_s)
        self._estimate.add(self.level, costs.estimate_s, elapsed_s)
        self._views.add(self.level, costs.views_s, elapsed_s)
        self._rest.add(costs.rest_s)

    def _steps(self, level: Shed) -> tuple[_Running, ...]:
        return self._rest, self._detect.at(level), self._estimate.at(level), self._views.at(level)

    def _work_s(self, level: Shed) -> float:
        """What an image is expected to take; of what was never tried the best is hoped."""
        return sum(step.expected for step in self._steps(level))

    def _is_probe(self, stamp_s: float) -> bool:
        if self._probes_left == 0:
            if 0 <= stamp_s - self._admitted_s < _PROBE_S:
                return False
            self._probes_left = _PROBE_IMAGES
        self._probes_left -= 1
        self._admitted_s = stamp_s
        for step in self._steps(self.level):
            step.is_known = False  # learn again
        return True

    def _restore(self, stamp_s: float, age_s: float, limit_s: float) -> None:
        """Take back up the work that was shed last, for the next image, when there has been room for a while."""
        if self.level == Shed.NOTHING:
            return
        less = Shed(self.level - 1)
        if age_s + self._work_s(less) > _ROOM * limit_s or stamp_s < self._calm_since_s:
            self._calm_since_s = stamp_s
        elif stamp_s - self._calm_since_s >= _CALM_S:
            for step in (self._detect, self._estimate, self._views):
                step.full.is_known &= step.relaxed_from != self.level  # what comes back is measured again
            self.level, self._calm_since_s = less, stamp_s
