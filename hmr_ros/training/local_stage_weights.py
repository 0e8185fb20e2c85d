# SPDX-License-Identifier: Apache-2.0
"""The local stage of a trained Global-to-Pixel, for a run that starts from what it makes of keypoints alone.

Its lifting network and mean pose come along, as it was trained on them. Another backbone has other features, so
whatever reads images starts from random weights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import GraphProto, NodeProto, numpy_helper
from torch import Tensor

from hmr_ros.core.arrays import Float32s
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.lifting_weights import plain

_NOT_EXPORTED = ("lifting.network.features.", "lifting.network.joint_error.")
"""Parts of Pose2Mesh's lifting network that Global-to-Pixel does not use."""

_RENAMED = {"pixel_stage.spread.": "pixel_stage.joint_error."}
"""Names of older files, and what they are now."""


def load_local_stage(network: GlobalToPixel, path: Path) -> None:
    """Copy the local stage of ``path``, a checkpoint (.pt) or exported network (.onnx) of Global-to-Pixel.

    Raises ValueError that names the file if it has none, or one of another size.
    """
    weights = network_weights(path)
    wanted = _wanted(network)
    missing = [name for name, old in wanted.items() if weights.get(name, torch.empty(0)).shape != old.shape]
    if missing:
        raise ValueError(f"{path}: its local stage is not of the configured size, or there is none: no {missing[0]}")
    network.load_state_dict({name: weights[name] for name in wanted}, strict=False)


def _wanted(network: GlobalToPixel) -> dict[str, Tensor]:
    """The weights of ``network`` that are copied."""
    reading = {id(weight) for part in network.pixel_stage.reading_images() for weight in part.parameters()}
    reading -= {id(weight) for weight in network.pixel_stage.joint_error.parameters()}
    return {
        name: value
        for name, value in network.state_dict(keep_vars=True).items()
        if name.startswith(("pixel_stage.", "lifting.", "mean."))
        and not name.startswith(_NOT_EXPORTED)
        and id(value) not in reading
    }


def network_weights(path: Path) -> dict[str, Tensor]:
    """All weights of a checkpoint or of an exported network, by their names in the network."""
    if path.suffix != ".onnx":
        return dict(load_checkpoint(path).averaged_weights("network"))
    try:
        graph = onnx.load(path).graph
    except Exception as err:  # whatever the damaged bytes lead to
        raise ValueError(f"{path}: not an ONNX file ({type(err).__name__})") from err
    stored = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    named = dict(_of_products(graph, stored)) | {plain(name): array for name, array in stored.items()}
    return {_renamed(name): torch.from_numpy(np.array(array, np.float32)) for name, array in named.items()}


def _of_products(graph: GraphProto, stored: Mapping[str, Float32s]) -> Iterator[tuple[str, Float32s]]:
    """Weights of linear layers, which the exporter transposes and leaves without a name; their biases have theirs."""
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    users: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    for node in graph.node:
        factor = source.get(node.input[1], node.input[1]) if node.op_type == "MatMul" else ""
        if factor in stored:
            for bias in _biases(users[node.output[0]], source):
                yield f"{bias.removesuffix('bias')}weight", stored[factor].T


def _biases(users: list[NodeProto], source: Mapping[str, str]) -> Iterator[str]:
    """What ``users`` of a product add to it, by name."""
    added = (plain(source.get(name, name)) for node in users if node.op_type == "Add" for name in node.input)
    return (name for name in added if name.endswith(".bias"))


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name
