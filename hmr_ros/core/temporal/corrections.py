# SPDX-License-Identifier: Apache-2.0
"""What keypoints put right on fused bodies, smoothed: keypoints tremble from image to image, people do not.

It is the correction that is smoothed, not the body. A motion is in the body that is corrected, so that nothing lags but
what was wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hmr_ros.core.arrays import Floats, Ints

MEMORY_S = 0.05
"""Time constant, chosen on people of the training subjects (docs/fusion.md); at 10 Hz and below it does little."""


class CorrectionMemory:
    """Corrections by track id, smoothed by a causal first-order low-pass filter that is exact for any interval."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, Floats]] = {}

    def reset(self) -> None:
        """Forget all tracks."""
        self._last = {}

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        for track_id in ids:
            self._last.pop(track_id, None)

    def __call__(self, ids: Ints, stamp_s: float, corrections: Floats) -> Floats:
        """``corrections`` (N, K) of the tracks ``ids`` (N,) at ``stamp_s``, smoothed (N, K); a first one stays."""
        smoothed = np.array(corrections, np.float64)
        for row, track_id in zip(smoothed, ids.tolist(), strict=True):
            since_s, before = self._last.get(track_id, (stamp_s, row))
            if stamp_s > since_s:
                row += np.exp((since_s - stamp_s) / MEMORY_S) * (before - row)
            self._last[track_id] = stamp_s, row.copy()
        return smoothed
