# SPDX-License-Identifier: Apache-2.0
"""Errors of the operating system that name the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def named_os_errors(path: Path) -> Iterator[None]:
    """Name ``path`` in an OSError of the block that names no file, as that of a full disk."""
    try:
        yield
    except OSError as err:
        if err.errno is None or err.filename is not None:
            raise
        raise OSError(err.errno, err.strerror, str(path)) from err
