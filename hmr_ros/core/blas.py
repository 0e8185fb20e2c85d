# SPDX-License-Identifier: Apache-2.0
"""numpy's linear algebra in the calling thread, for processes that are ours alone."""

from __future__ import annotations

import os

_VARIABLE = "OPENBLAS_NUM_THREADS"


def use_one_blas_thread() -> None:
    """Let OpenBLAS start no threads, unless the user has chosen their number. Call it before numpy is imported.

    Our matrices are too small to gain by threads, and idle ones spin for a while: with two cores they take from the
    networks' threads more than a third of the time (docs/latency.md).
    """
    os.environ.setdefault(_VARIABLE, "1")
