# SPDX-License-Identifier: Apache-2.0
"""A licensed SMPL or MANO model, from its pickle to the .npz that hmr_ros reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.body.body_model import SMPL_KEYS, legs_swapped, load_body_model
from hmr_ros.core.body.hand_model import HAND_TREE, load_hand_model
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.restricted_pickle import array, read_pickle

_RIGHT_LEG_FIRST = [0, 4, 5, 6, 1, 2, 3, *range(7, 17)]

_MANO_KEYS = ("hands_mean", "hands_components")
"""What MANO's files have besides SMPL's keys: the mean pose, and the directions of its pose space."""


def convert(source: Path, out: Path, coco17: Path | None = None, human36m: Path | None = None) -> bool:
    """Write the arrays of the pickle ``source`` and the given keypoint regressors to ``out``.

    True where ``human36m`` had the left leg first, as SPIN's file has; it is written with the right leg first.

    Raises ValueError for files that hold no such model, or that name what no model needs; ``out`` is then untouched.
    """
    if out.suffix != ".npz":
        raise ValueError(f"{out}: the converted file must end in .npz")
    arrays = _smpl_arrays(source)
    for key, path in (("J_regressor_coco17", coco17), ("J_regressor_h36m17", human36m)):
        if path:
            arrays[key] = _regressor(path, vertex_count=len(arrays["v_template"]))
    rows = arrays.get("J_regressor_h36m17")
    swapped = rows is not None and legs_swapped(rows.astype(np.float64), arrays["v_template"].astype(np.float64))
    if rows is not None and swapped:
        arrays["J_regressor_h36m17"] = rows[_RIGHT_LEG_FIRST]
    with atomic_path(out) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
        load = load_hand_model if is_hand(arrays) else load_body_model
        load(temporary)
    return swapped


def is_hand(arrays: Mapping[str, NDArray[np.generic]]) -> bool:
    """Whether the arrays of a model have the number of MANO's joints."""
    return bool(arrays["kintree_table"].shape[-1:] == (HAND_TREE.size,))


def _smpl_arrays(source: Path) -> dict[str, NDArray[np.generic]]:
    try:
        content = read_pickle(source.read_bytes())
        if missing := [key for key in SMPL_KEYS if key not in content]:
            raise ValueError(f"it lacks {missing}, so it is no SMPL model")
        keys = (*SMPL_KEYS, *(key for key in _MANO_KEYS if key in content))
        return {key: array(content[key], key) for key in keys}
    except (OSError, ValueError, IndexError, OverflowError, TypeError) as err:
        raise ValueError(f"{source}: {err}") from err


def _regressor(path: Path, vertex_count: int) -> NDArray[np.generic]:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as err:
        raise ValueError(f"{path}: not a .npy file of numbers ({err})") from err
    if not isinstance(rows, np.ndarray) or rows.shape != (17, vertex_count):
        raise ValueError(f"{path}: expected an array of shape (17, {vertex_count}), got {getattr(rows, 'shape', rows)}")
    return rows
