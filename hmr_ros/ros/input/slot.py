# SPDX-License-Identifier: Apache-2.0
"""A queue of one item: the newest replaces the one before it, so that a slow reader never falls behind."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class LatestSlot(Generic[_Item]):
    """Passes the newest item from one thread to another."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: _Item | None = None
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
            self._changed.notify()
        return replaced

    def take(self) -> _Item | None:
        """Wait for an item and remove it; None once the slot is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None)
            item, self._item = self._item, None
            return None if self._closed else item

    def close(self) -> None:
        """Wake the reader for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
