# SPDX-License-Identifier: Apache-2.0
"""What a run tells while it works: a bar, and lines above it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

try:
    from tqdm import tqdm
except ModuleNotFoundError:  # a robot that has ROS's dependencies alone
    tqdm = None

_Item = TypeVar("_Item")


class Bar(Protocol):
    """Counts images."""

    def update(self) -> None:
        """One image more is done."""


class Progress(Protocol):
    """Where a run tells how far it is."""

    def say(self, text: str) -> None:
        """Report one line."""

    def bar(self, count: int) -> contextlib.AbstractContextManager[Bar]:
        """A bar of ``count`` images, 0: unknown."""


class Silence:
    """A bar that is not shown."""

    def update(self) -> None:
        """Show nothing."""


class Terminal:
    """A bar on a terminal where tqdm is installed, and lines on standard error above it."""

    def say(self, text: str) -> None:
        """One line."""
        write = print if tqdm is None else tqdm.write
        write(f"hmr run: {text}", file=sys.stderr)

    def bar(self, count: int, unit: str = "image") -> contextlib.AbstractContextManager[Bar]:
        """A bar, if standard error is a terminal."""
        if tqdm is None:
            return contextlib.nullcontext(Silence())
        bar: contextlib.AbstractContextManager[Bar] = tqdm(total=count or None, unit=unit, disable=None)
        return bar


def counted(items: Iterable[_Item], bar: Bar) -> Iterator[_Item]:
    """``items``, each of which moves the ``bar`` once it is dealt with."""
    for item in items:
        yield item
        bar.update()
