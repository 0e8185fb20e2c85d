# SPDX-License-Identifier: Apache-2.0
"""Weights of a trained lifting network, for a run that starts from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from hmr_ros.training.checkpoint import load_checkpoint

_PREFIX = "lifting."
_FP16 = (".stored", ".half")
"""What `hmr export --fp16-weights` appends to the names of the weights that it stores as fp16, and what it did once."""


def load_lifting(lifting: nn.Module, path: Path) -> None:
    """Copy the lifting network of ``path``, a Pose2Mesh checkpoint (.pt) or exported network (.onnx), into ``lifting``.

    Raises ValueError that names a file that has no lifting network, or one of another size.
    """
    weights = _of_onnx(path) if path.suffix == ".onnx" else load_checkpoint(path).averaged_weights("network")
    found = {name.removeprefix(_PREFIX): value for name, value in weights.items() if name.startswith(_PREFIX)}
    try:
        lifting.load_state_dict(found)
    except RuntimeError as err:
        raise ValueError(f"{path}: its lifting network is not of the configured size: {err}") from err


def _of_onnx(path: Path) -> dict[str, Tensor]:
    try:
        stored = onnx.load(path).graph.initializer
    except Exception as err:  # whatever the damaged bytes lead to
        raise ValueError(f"{path}: not an ONNX file ({type(err).__name__})") from err
    return {
        plain(weight.name): torch.from_numpy(numpy_helper.to_array(weight).astype(np.float32))
        for weight in stored
        if weight.name.startswith(_PREFIX)
    }


def plain(name: str) -> str:
    """The ``name`` of a weight in the network."""
    for suffix in _FP16:
        name = name.removesuffix(suffix)
    return name
