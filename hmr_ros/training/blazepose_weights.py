# SPDX-License-Identifier: Apache-2.0
"""Weights of BlazePose's landmark network, from the ONNX file we ship, for ``BlazePoseTrunk``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper
from torch import nn

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.global_to_pixel.blazepose_trunk import BlazePoseTrunk
from hmr_ros.training.movenet_weights import copy_convolution

LATERALS = (218, 219, 228, 229, 253, 254, 272, 273)
"""Tensors that the pyramid's lateral convolutions make; the file numbers its tensors."""

LAST_OF_TRUNK = 271
TAIL = range(299, 336)
LANDMARKS = 336


def load_blazepose(trunk: BlazePoseTrunk, path: Path | None = None) -> None:
    """Copy the weights of ``path`` (default: the shipped file) into ``trunk``.

    Raises ValueError if the file is not that network.
    """
    path = path or models_dir() / "blazepose_landmarks.onnx"
    weights = _convolutions(onnx.load(path))
    bottom_up = sorted(n for n in weights if n <= LAST_OF_TRUNK and n not in LATERALS)
    for modules, tensors in (
        ((trunk.stem, trunk.levels, trunk.last), bottom_up),
        ((trunk.laterals,), LATERALS),
        ((trunk.tail,), [n for n in TAIL if n in weights]),
        ((trunk.points,), [LANDMARKS]),
    ):
        layers = [m for part in modules for m in part.modules() if isinstance(m, nn.Conv2d)]
        if len(layers) != len(tensors) or not weights.keys() >= set(tensors):
            raise ValueError(f"{path}: expected {len(layers)} convolutions of BlazePose, got {len(tensors)}")
        for layer, tensor in zip(layers, tensors, strict=True):
            copy_convolution(layer, *weights[tensor], f"{path}, tensor t{tensor}")


def _convolutions(model: ModelProto) -> dict[int, tuple[Float32s, Float32s]]:
    """Kernel and bias of each convolution by the number of the tensor it makes."""
    stored = {i.name: numpy_helper.to_array(i).astype(np.float32) for i in model.graph.initializer}
    names = {i.name.removesuffix("_kernel_half") for i in model.graph.initializer if i.name.endswith("_kernel_half")}
    return {int(name[1:]): (stored[f"{name}_kernel_half"], stored[f"{name}_bias_half"]) for name in names}
