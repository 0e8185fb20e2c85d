# SPDX-License-Identifier: Apache-2.0
"""Weights of MoveNet Thunder, from the ONNX file we ship, for ``MoveNetTrunk``."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, numpy_helper
from torch import nn

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.global_to_pixel.movenet_trunk import MoveNetTrunk


def load_movenet(trunk: MoveNetTrunk, path: Path | None = None) -> None:
    """Copy the weights of ``path`` (default: the shipped file) into ``trunk``.

    Raises ValueError if the file is not that network.
    """
    path = path or models_dir() / "movenet_thunder.onnx"
    stored = list(_convolutions(onnx.load(path)))
    layers = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    if len(layers) != len(stored):
        raise ValueError(f"{path}: expected {len(layers)} convolutions of MoveNet Thunder, got {len(stored)}")
    for number, (layer, (kernel, bias)) in enumerate(zip(layers, stored, strict=True)):
        copy_convolution(layer, kernel, bias, f"{path}, convolution {number}")


@torch.no_grad()
def average_with_movenet(trunk: MoveNetTrunk, fraction: float, path: Path | None = None) -> None:
    """Replace the weights of ``trunk`` by the mean of them and MoveNet's own, which have the weight ``fraction``.

    The mean of a network and what it was trained further from keeps most of what either is good at (Wortsman et al.,
    "Robust fine-tuning of zero-shot models", CVPR 2022). ``path``: as ``load_movenet``.
    """
    own = copy.deepcopy(trunk)
    load_movenet(own, path)
    for weight, theirs in zip(trunk.parameters(), own.parameters(), strict=True):
        weight.lerp_(theirs, fraction)


def _convolutions(model: ModelProto) -> Iterator[tuple[Float32s, Float32s | None]]:
    """Kernel, and bias where there is one, of each convolution in the order of the graph."""
    stored = {i.name: numpy_helper.to_array(i).astype(np.float32) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:  # weights are stored as fp16
            stored[node.output[0]] = stored[node.input[0]]
        if node.op_type == "Conv":
            weights = [stored[name] for name in node.input[1:]]
            yield weights[0], weights[1] if len(weights) > 1 else None


def copy_convolution(layer: nn.Conv2d, kernel: Float32s, bias: Float32s | None, source: str) -> None:
    """Copy ``kernel`` (out, in, h, w) and ``bias`` (out,) into ``layer``; ValueError names ``source``."""
    if tuple(layer.weight.shape) != kernel.shape:
        raise ValueError(f"{source}: expected a kernel of shape {tuple(layer.weight.shape)}, got {kernel.shape}")
    if (layer.bias is None) != (bias is None):
        raise ValueError(f"{source}: expected {'no' if layer.bias is None else 'a'} bias")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel))
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(torch.from_numpy(bias))
