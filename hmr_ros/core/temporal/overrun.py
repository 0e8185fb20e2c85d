# SPDX-License-Identifier: Apache-2.0
"""A latency limit that the machine cannot keep: after a while without any body, late ones are better than none.

The policy of shedding.py publishes nothing that would be late. Where the limit is below what the machine needs at all,
that would be nothing for ever, and a robot could not tell it from an empty room.
"""

from __future__ import annotations

import dataclasses

from hmr_ros.core.temporal.shedding import Admission

SILENCE_S = 5.0
"""So long nothing was in time while images came, before late bodies are published."""

_CALM_S = 1.0
"""Every image of so long is expected in time before the limit is kept again."""


class Overrun:
    """Admits late images while a limit cannot be kept (``is_on``); ask it after each decision of the Shedder.

    Stamps may jump back. A limit that is changed gets the whole time again.

    >>> from hmr_ros.core.temporal.shedding import Shed
    >>> overrun, late = Overrun(), Admission(is_admitted=False, shed=Shed.SEARCHES, expected_s=0.2)
    >>> [overrun.admitted(late, stamp_s, limit_s=0.1).is_admitted for stamp_s in (0.0, 2.5, 5.0)]
    [False, False, True]
    """

    def __init__(self) -> None:
        self.is_on = False
        self._limit_s = self._last_s = 0.0
        self._silent_since_s: float | None = None
        self._fits_since_s: float | None = None

    def admitted(self, admission: Admission, stamp_s: float, limit_s: float) -> Admission:
        """The decision about an image before the work."""
        self._begin(stamp_s, limit_s)
        if self.is_on:
            self._end_if_calm(stamp_s, fits=admission.expected_s <= limit_s)
        return self._decided(admission, stamp_s)

    def publishable(self, admission: Admission, stamp_s: float) -> Admission:
        """The decision about its bodies, of an image for which ``admitted`` was asked before."""
        if admission.is_admitted:
            self._silent_since_s = None
        return self._decided(admission, stamp_s)

    def _begin(self, stamp_s: float, limit_s: float) -> None:
        """Forget another limit's state, and a silence in which no images came."""
        if limit_s != self._limit_s:
            self.is_on, self._limit_s = False, limit_s
            self._silent_since_s = self._fits_since_s = None
        if not 0 <= stamp_s - self._last_s <= SILENCE_S:
            self._silent_since_s = self._fits_since_s = None
        self._last_s = stamp_s

    def _end_if_calm(self, stamp_s: float, *, fits: bool) -> None:
        if not fits:
            self._fits_since_s = None
        elif self._fits_since_s is None:
            self._fits_since_s = stamp_s
        elif stamp_s - self._fits_since_s >= _CALM_S:
            self.is_on, self._silent_since_s, self._fits_since_s = False, None, None

    def _decided(self, admission: Admission, stamp_s: float) -> Admission:
        if not (admission.is_admitted or self.is_on):
            self._silent_since_s = stamp_s if self._silent_since_s is None else self._silent_since_s
            self.is_on = stamp_s - self._silent_since_s >= SILENCE_S
        return dataclasses.replace(admission, is_admitted=True) if self.is_on else admission
