# SPDX-License-Identifier: Apache-2.0
"""What seeds were approved to give: the same seed is to mean the same image from version to version.

Shards that were rendered in part go on after an update, and a plan's shard i is to be the same for all (render.py).
approved.json holds coarse images. After a deliberate change of what is drawn, look at ``hmr render --sheet``, then run
these tests once with HMR_APPROVE=1, which writes the file again, and say so in the changelog.
"""

import json
import os
from pathlib import Path

import cv2
import numpy as np

_FILE = Path(__file__).with_name("approved.json")


def coarse(image: np.ndarray) -> np.ndarray:
    """The mean levels of an image (H, W) or (H, W, 3) in 4 x 3 cells, of its channels, and its contrast."""
    levels = image.reshape(*image.shape[:2], -1).astype(np.float64)
    cells = cv2.resize(levels.mean(-1), (3, 4), interpolation=cv2.INTER_AREA)
    edges = [np.abs(np.diff(levels, axis=axis)).mean() if levels.shape[axis] > 1 else 0.0 for axis in (0, 1)]
    return np.concatenate([cells.ravel(), levels.mean((0, 1)), [levels.std()], edges])


def assert_approved(name: str, numbers: np.ndarray, atol: float) -> None:
    """``numbers`` are those approved under ``name``; libraries may differ by ``atol``."""
    known = json.loads(_FILE.read_text()) if _FILE.exists() else {}
    if os.environ.get("HMR_APPROVE"):
        known[name] = np.round(np.asarray(numbers, float).ravel(), 4).tolist()
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(known.items())]
        _FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return
    np.testing.assert_allclose(np.ravel(numbers), known[name], atol=atol, err_msg=name)
