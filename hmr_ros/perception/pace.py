# SPDX-License-Identifier: Apache-2.0
"""When a detector that follows people searches the whole image again."""

from __future__ import annotations

from hmr_ros.core.temporal.shedding import Shed

_SAVING = 4
"""Factor of the search period while searches are shed; new people are found that much later."""


class SearchPace:
    """Counts images between searches; the first image is searched."""

    def __init__(self) -> None:
        self._until_search = 0

    def is_due(self, urgent: bool, period: int, shed: Shed) -> bool:
        """Whether to search this image: in every ``period``-th one, more rarely while shed, and where it is urgent."""
        self._until_search -= 1
        if self._until_search >= 0 and not urgent:
            return False
        self._until_search = period * (_SAVING if shed >= Shed.SEARCHES else 1) - 1
        return True
