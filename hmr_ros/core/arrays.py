# SPDX-License-Identifier: Apache-2.0
"""Names for the types of arrays, which annotations use; shapes and units stand in docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array of whatever type."""

Floats = NDArray[np.floating]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Ints = NDArray[np.integer]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]

Image = NDArray[np.uint8]
"""(H, W, 3) RGB, or (H, W) of one channel."""

Bytes = NDArray[np.uint8]
