# SPDX-License-Identifier: Apache-2.0
"""When a subscriber heard of an image."""

from __future__ import annotations

from typing import NamedTuple


class Heard(NamedTuple):
    """A message about the image of ``stamp_ns``: when it was sent and received, and when the subscriber had it, ns."""

    stamp_ns: int
    source_ns: int
    received_ns: int
    taken_ns: int
