# SPDX-License-Identifier: Apache-2.0
"""A queue of one item: the newest replaces the one before it, so that a slow reader never falls behind."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

from hmr_ros.core.temporal.freshness import Freshness

_Item = TypeVar("_Item")


class LatestSlot(Generic[_Item]):
    """Passes the newest item from one thread to another.

    ``lingered_s``: how long the last ``take`` let an item wait, s, to return the one after it, which was due.
    """

    def __init__(self) -> None:
        self.lingered_s = 0.0
        self._changed = threading.Condition()
        self._freshness = Freshness()
        self._item: _Item | None = None
        self._number = 0  # of the item
        self._closed = False

    @property
    def has_item(self) -> bool:
        """Whether ``take`` would return at once."""
        with self._changed:
            return self._item is not None

    def put(self, item: _Item) -> bool:
        """Store ``item``; True when it replaced one that was not taken."""
        with self._changed:
            replaced = self._item is not None
            self._item = item
            self._number += 1
            self._freshness.came(time.monotonic())
            self._changed.notify()
        return replaced

    def take(self) -> _Item | None:
        """Wait for an item, and for the next one where it is due at once; None once the slot is closed."""
        with self._changed:
            self._freshness.take(had_waited=self._item is not None)
            self._changed.wait_for(lambda: self._closed or self._item is not None)
            self.lingered_s = self._linger()
            item, self._item = self._item, None
            return None if self._closed else item

    def _linger(self) -> float:
        """Wait for a fresher item where that is worth it (freshness.py); for how long, s."""
        started_s, number = time.monotonic(), self._number
        if self._closed or not (patience_s := self._freshness.patience_s(started_s)):
            return 0.0
        self._changed.wait_for(lambda: self._closed or self._number != number, patience_s)
        return time.monotonic() - started_s

    def close(self) -> None:
        """Wake the reader for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
