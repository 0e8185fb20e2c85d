# SPDX-License-Identifier: Apache-2.0
"""What to leave out of an image's work so that its result is not late: the policy behind the parameter max_latency_ms.

The worker always takes the newest image. Before it begins, the policy adds the expected durations of the steps to the
image's age; while the sum is too long, more is left out, in the order of ``Shed``. When nothing is left to leave out,
images that would be late are dropped. Work comes back one piece at a time, once there has been room for it for a while.
After the work it decides once more by the image's age: what is late all the same is not published.
The policy has no clock and no thread: the caller passes stamps and durations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from hmr_ros.core.temporal.running import FRACTION, Running


class Shed(IntEnum):
    """What is left out; each member includes those before it."""

    NOTHING = 0
    VIEWS = 1
    """Mesh markers and overlay, which are for human viewers; robots use the rest."""
    SECOND_METHOD = 2
    """With ``model: both``, the estimates that the first method's are compared with."""
    SEARCHES = 3
    """Most searches of the whole image for new people; tracks are followed as before."""

    def __str__(self) -> str:
        names = ("views", "second method", "searches")
        return ", ".join(names[: self.value]) or "nothing"


_ROOM = 0.8
"""Work comes back when it would take no more than this fraction of the limit, ..."""

_CALM_S = 1.0
"""... and would have, for so long."""

_FORGETTING_S = 10.0
"""The duration of shed work is known from the past only: half of its excess over the relaxed step is forgotten in this
time.
"""

_PROBE_S = 1.0
"""When all images have been dropped for so long, some are processed all the same, to measure the durations again."""

_PROBE_IMAGES = 2
"""Number of images of a probe, the last of which counts: after a pause people have to be found again, which takes
longer than to follow them. If the first one counted, a machine that was slow once would never recover.
"""


@dataclass(frozen=True)
class Costs:
    """Durations of the steps of one image, s: finding people, estimating bodies, ``Shed.VIEWS``, and all else.

    ``publish_s``, of all else: publishing what robots use.
    """

    detect_s: float
    estimate_s: float
    views_s: float
    rest_s: float
    publish_s: float = 0.0


@dataclass(frozen=True)
class Admission:
    """The decision about one image: ``is_admitted``, or dropped; ``shed`` is the work to leave out.

    ``expected_s`` is the age at which the image is expected to be done.
    """

    is_admitted: bool
    shed: Shed
    expected_s: float


@dataclass
class _Step:
    """Duration of a step in full, and as it is done from level ``relaxed_from`` on."""

    relaxed_from: Shed
    full: Running = field(default_factory=Running)
    relaxed: Running = field(default_factory=Running)

    def at(self, level: Shed) -> Running:
        return self.relaxed if level >= self.relaxed_from else self.full

    def add(self, level: Shed, value: float, elapsed_s: float) -> None:
        self.at(level).add(value)
        if level >= self.relaxed_from:
            self.full.approach(self.relaxed, 1 - 0.5 ** (elapsed_s / _FORGETTING_S))


class Shedder:
    """Decides image by image: ``admit`` before the work, ``observe`` after it. Stamps may jump back.

    >>> shedder = Shedder()
    >>> shedder.admit(stamp_s=0.0, age_s=0.01, limit_s=0.05)
    Admission(is_admitted=True, shed=<Shed.NOTHING: 0>, expected_s=0.01)
    >>> shedder.observe(0.0, Shed.NOTHING, Costs(detect_s=0.03, estimate_s=0.005, views_s=0.01, rest_s=0.002))
    >>> print(shedder.admit(stamp_s=0.1, age_s=0.01, limit_s=0.05).shed)
    views
    """

    def __init__(self) -> None:
        self._level = Shed.NOTHING
        self._detect = _Step(Shed.SEARCHES)
        self._estimate = _Step(Shed.SECOND_METHOD)
        self._views = _Step(Shed.VIEWS)
        self._rest = Running()
        self._publish = Running()
        self._calm_since_s = self._admitted_s = self._observed_s = float("-inf")
        self._probes_left = 0

    def admit(self, stamp_s: float, age_s: float, limit_s: float) -> Admission:
        """Decide about an image that is ``age_s`` old by now; ``limit_s`` 0 admits all, with nothing shed."""
        if limit_s <= 0:
            self._level = Shed.NOTHING
            return Admission(True, self._level, age_s + self._work_s(self._level))
        while (expected_s := age_s + self._work_s(self._level)) > limit_s:
            if self._level == max(Shed):
                return Admission(self._is_probe(stamp_s), self._level, expected_s)
            self._level, self._calm_since_s = Shed(self._level + 1), stamp_s
        self._admitted_s, self._probes_left = stamp_s, 0
        self._restore(stamp_s, age_s, limit_s)
        return Admission(True, self._level, expected_s)

    def publishable(self, age_s: float, shed: Shed, limit_s: float) -> Admission:
        """Decide again about an admitted image, whose bodies are known when it is ``age_s`` old.

        No prediction is right for every image: one that took longer is left without views, or is not published.
        """
        expected_s = age_s + self._publish.expected
        if limit_s > 0 and expected_s + self._views.at(shed).expected > limit_s:
            shed = max(shed, Shed.VIEWS)
        return Admission(limit_s <= 0 or expected_s <= limit_s, shed, expected_s)

    def observe_unpublished(self, stamp_s: float, shed: Shed, detect_s: float, estimate_s: float) -> None:
        """Learn the costs of an image that was processed without ``shed``, and not published."""
        elapsed_s = self._elapsed_s(stamp_s)
        self._detect.add(shed, detect_s, elapsed_s)
        self._estimate.add(shed, estimate_s, elapsed_s)
        self._publish.approach(Running(), FRACTION)  # a single slow image must not keep all others back

    def observe(self, stamp_s: float, shed: Shed, costs: Costs) -> None:
        """Learn the ``costs`` of an admitted image that was processed without ``shed``."""
        elapsed_s = self._elapsed_s(stamp_s)
        self._detect.add(shed, costs.detect_s, elapsed_s)
        self._estimate.add(shed, costs.estimate_s, elapsed_s)
        self._views.add(shed, costs.views_s, elapsed_s)
        self._rest.add(costs.rest_s)
        self._publish.add(costs.publish_s)

    def _elapsed_s(self, stamp_s: float) -> float:
        """Time since the image observed last, s; ``stamp_s`` becomes that."""
        elapsed_s = min(max(stamp_s - self._observed_s, 0.0), _FORGETTING_S)
        self._observed_s = stamp_s
        return elapsed_s

    def _steps(self, level: Shed) -> tuple[Running, ...]:
        return self._rest, self._detect.at(level), self._estimate.at(level), self._views.at(level)

    def _work_s(self, level: Shed) -> float:
        """Expected duration of an image's work, s; 0 for steps that were never measured."""
        return sum(step.expected for step in self._steps(level))

    def _is_probe(self, stamp_s: float) -> bool:
        """Whether to process an image that would be late, to measure the durations again."""
        if self._probes_left == 0:
            if 0 <= stamp_s - self._admitted_s < _PROBE_S:
                return False
            self._probes_left = _PROBE_IMAGES
        self._probes_left -= 1
        self._admitted_s = stamp_s
        for step in self._steps(self._level):
            step.is_known = False  # learn again
        return True

    def _restore(self, stamp_s: float, age_s: float, limit_s: float) -> None:
        """Take up again the work that was shed last, when there has been room for it for a while."""
        if self._level == Shed.NOTHING:
            return
        less = Shed(self._level - 1)
        if age_s + self._work_s(less) > _ROOM * limit_s or stamp_s < self._calm_since_s:
            self._calm_since_s = stamp_s
        elif stamp_s - self._calm_since_s >= _CALM_S:
            for step in (self._detect, self._estimate, self._views):
                step.full.is_known &= step.relaxed_from != self._level  # what comes back is measured again
            self._level, self._calm_since_s = less, stamp_s
