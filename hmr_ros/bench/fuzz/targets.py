# SPDX-License-Identifier: Apache-2.0
"""What reads input from outside, and the errors by which it refuses some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, eq=False)
class Target:
    """``read`` takes any of ``inputs``, or raises one of ``refusals``; nothing else, and no warning.

    ``share``: how many of a thousand inputs are for it; slow readers get fewer.
    """

    name: str
    inputs: SearchStrategy[bytes]
    read: Callable[[bytes], None]
    refusals: tuple[type[Exception], ...]
    share: int
