# SPDX-License-Identifier: Apache-2.0
"""How otherwise each camera of a room sees colours, by exposure and white balance.

Learnt slowly from people of whom place alone says that two cameras see them. Only differences between cameras can be
seen; each is held by its prior, so that cameras which share no person compare what clothes differ in from each other,
and little more. The channels are independent, so each has a Kalman filter of one number per camera.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.appearance import SAME_CAMERA, Light, Look, light_between
from hmr_ros.perception.rooms.observation import Key
from hmr_ros.perception.rooms.states import Person

_CAMERAS = np.array([0.35, 0.05, 0.07])
"""Standard deviations of one camera's brightness (logarithm) and colours."""

_ALIKE_S = 4.0
"""One person says the same of two cameras for so long: they show other sides of the clothes to each."""

_CHANGES_S = 120.0
"""Time constant at which a camera's exposure and white balance change."""

_CERTAIN_S = 1.0
"""Who has been one person in two cameras for so long says how these differ."""

_UNLIKELY = 16.0
"""Squared Mahalanobis distance beyond which a person is no evidence of the light."""


class Lights:
    """What is known of the light of cameras; those that are new are like any other."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._mean = np.zeros((3, 0))
        self._covariance = np.zeros((3, 0, 0))

    def between(self, one: str, other: str) -> Light:
        """How otherwise the camera ``one`` sees colours than the ``other``."""
        if one == other:
            return SAME_CAMERA
        a, b = self._row(one), self._row(other)
        within = SAME_CAMERA.variance
        return Light(self._mean[:, a] - self._mean[:, b], self._variance(a, b) + within)

    def learn_from(self, person: Person, camera: str, live: set[Key], stamp_s: float, elapsed_s: float) -> None:
        """Compare ``camera`` with all others that show the person, where each has done so for a while.

        ``live``: what cameras show; ``elapsed_s`` since the camera's last image.
        """
        lasting = [each for each, since_s in person.joined_s.items() if stamp_s - since_s >= _CERTAIN_S]
        known = [each for each in lasting if each in person.looks and (each, person.members.get(each)) in live]
        if camera in known:
            for other in known:
                if other != camera:
                    self.learn(camera, other, (person.looks[camera], person.looks[other]), elapsed_s)

    def learn(self, one: str, other: str, looks: tuple[Look, Look], elapsed_s: float) -> None:
        """Take the ``looks`` of a person in both cameras, one row each, into account, after ``elapsed_s``."""
        off, noise = light_between(*looks)
        a, b = self._row(one), self._row(other)
        self._relax(elapsed_s)
        surprise, variance = off - (self._mean[:, a] - self._mean[:, b]), self._variance(a, b)
        if not (np.square(surprise) / (variance + noise)).sum() < _UNLIKELY:
            return
        fresh = min(max(elapsed_s / _ALIKE_S, 1e-3), 1.0)
        seen = self._covariance[:, :, a] - self._covariance[:, :, b]
        gain = seen / (variance + noise / fresh)[:, None]
        self._mean = self._mean + gain * surprise[:, None]
        self._covariance = self._covariance - gain[:, :, None] * seen[:, None]

    def _variance(self, a: int, b: int) -> Floats:
        """(3,) of the difference between two cameras."""
        known = self._covariance
        return np.asarray(known[:, a, a] + known[:, b, b] - 2 * known[:, a, b])

    def _relax(self, elapsed_s: float) -> None:
        """Let cameras change."""
        held = float(np.exp(-elapsed_s / _CHANGES_S))
        prior = np.square(_CAMERAS)[:, None, None] * np.eye(len(self._rows))
        self._mean = held * self._mean
        self._covariance = held**2 * self._covariance + (1 - held**2) * prior

    def _row(self, camera: str) -> int:
        """The row of a camera, which may be new."""
        if camera not in self._rows:
            count = self._rows[camera] = len(self._rows)
            self._mean = np.pad(self._mean, ((0, 0), (0, 1)))
            self._covariance = np.pad(self._covariance, ((0, 0), (0, 1), (0, 1)))
            self._covariance[:, count, count] = np.square(_CAMERAS)
        return self._rows[camera]
