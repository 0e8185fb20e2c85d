# SPDX-License-Identifier: Apache-2.0
"""Names of threads where the system shows them: `top -H`, `perf`, `py-spy`, and `hmr bench ros`."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

_LONGEST = 15
"""Bytes of a name that Linux keeps."""


def show_name(name: str) -> None:
    """Give the calling thread ``name``; nothing where the system has no names of threads."""
    with contextlib.suppress(OSError):
        comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
        comm.write_text(name[:_LONGEST], encoding="utf-8")
