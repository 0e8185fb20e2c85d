# SPDX-License-Identifier: Apache-2.0
"""Archives of arrays (.npz) from elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUM")
"""Of archives with and without arrays, and of single arrays; numpy takes all other files for pickles."""


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[NpzFile]:
    """The archive at ``path``; pickles are refused: reading one runs the code it holds.

    Raises ValueError, also from the block, for what numpy, zlib and zipfile raise on a damaged archive or on arrays
    that are not what the block expects; OSError where the file cannot be opened.
    """
    with path.open("rb") as stream:
        try:
            if stream.read(4) not in _BEGINNINGS:
                raise ValueError("it is not an .npz archive")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                if not isinstance(archive, NpzFile):
                    raise ValueError("it is one array, not an archive of arrays")
                yield archive
        except ValueError:
            raise
        except Exception as err:  # a damaged archive can raise anything
            raise ValueError(f"it is not a readable archive ({type(err).__name__}: {err})") from err
