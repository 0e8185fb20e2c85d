# SPDX-License-Identifier: Apache-2.0
"""Probabilities from what networks give."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats


def sigmoid(logits: Floats) -> Floats:
    """0..1, for ``logits`` of any shape and size: the exponential does not overflow."""
    return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
