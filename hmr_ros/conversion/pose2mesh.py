# SPDX-License-Identifier: Apache-2.0
"""Published weights of Pose2Mesh as a checkpoint of ours, for those who have them and the body model they are for.

The two networks are the same layers under other names, so nothing is computed. The graphs are not in the file: they are
made again from the faces of the body model, in the visiting order of numpy's scalar sort, which the weights were most
probably trained with. Where its sizes do not fit, the file is refused; that every node also is in its place is not
proved by that: evaluate the result.

Names: the released code of Choi et al., "Pose2Mesh", ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.networks.coarsening import MeshGraph
from hmr_ros.networks.meshnet import GraphBlock, MeshNet
from hmr_ros.networks.pose2mesh import Pose2Mesh, Pose2MeshConfig, build_graph, build_pose2mesh
from hmr_ros.networks.unstable_sort import scalar_quicksort_order
from hmr_ros.training.checkpoint import Checkpoint, at_stage
from hmr_ros.training.config import RunConfig, TrainConfig

Names = Iterator[tuple[str, str]]
"""Pairs of a module's name in our network and in the published one."""

_UNUSED = "pose_lifter.batch_norm1."
"""Declared by the released code, never called."""

JOINT_SETS_BY_SIZE = {17: "human36m", 19: "coco", 24: "smpl"}


def convert_published(path: Path, body: BodyModel, body_path: Path) -> Checkpoint:
    """The checkpoint of the weights in ``path`` for ``body``, which was read from ``body_path``.

    ValueError names the file, and what in it does not fit.
    """
    weights = read_published(path)
    first = weights.get("pose_lifter.w1.weight")
    joint_set = JOINT_SETS_BY_SIZE.get(first.shape[1] // 2) if first is not None else None
    if first is None or joint_set is None:
        raise ValueError(f"{path}: not the weights of Pose2Mesh on a body: no lifting network of 17, 19 or 24 joints")
    config = Pose2MeshConfig(joint_set=joint_set, posenet_width=first.shape[0])
    graph = build_graph(body, "pose2mesh", order=scalar_quicksort_order)
    network = build_pose2mesh(config, body, graph)
    _load(network, weights, path, graph)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    run = RunConfig(body=str(body_path), motion="")
    settings = TrainConfig(recipe="paper", run=run, paper=config)
    average = {name: value.clone() for name, value in state.items()}
    return at_stage(1, settings, graph.to_arrays(), state, average, body.sha256)


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of the released code by their names, read without running code."""
    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as err:
        raise ValueError(f"{path}: no such file") from err
    except Exception as err:  # torch.load raises whatever the damaged bytes lead to
        raise ValueError(f"{path}: not a checkpoint of Pose2Mesh's code ({type(err).__name__})") from err
    state = content.get("model_state_dict", content) if isinstance(content, Mapping) else {}
    return {name.removeprefix("module."): value for name, value in state.items() if isinstance(value, Tensor)}


def _numpy_scalars() -> list[Callable[..., object] | tuple[Callable[..., object], str]]:
    """What the numbers in the file's log of errors are made by, under its names of numpy 1 and 2."""
    kinds = [np.dtype(kind) for kind in (np.float64, np.float32, np.int64)]
    scalar = np.float64(0).__reduce__()[0]
    assert callable(scalar), "numpy pickles its numbers so"
    return [np.dtype, *map(type, kinds), *((scalar, f"{m}.multiarray.scalar") for m in ("numpy.core", "numpy._core"))]


def published_names(network: Pose2Mesh) -> dict[str, str]:
    """The published name of every tensor of ``network``."""
    modules = dict([*_posenet_names(network), *_mesh_names(network.mesh)])
    names = {}
    for name in network.state_dict():
        module, _, tensor = name.rpartition(".")
        names[name] = f"{modules[module]}.{tensor}"
    return names


def _posenet_names(network: Pose2Mesh) -> Names:
    yield "posenet.mlp.first", "pose_lifter.w1"
    yield "posenet.mlp.last", "pose_lifter.w2"
    for number in range(len(network.posenet.mlp.blocks)):
        block, published = f"posenet.mlp.blocks.{number}", f"pose_lifter.linear_stages.{number}"
        for position, name in ((0, "batch_norm1"), (3, "w1"), (4, "batch_norm2"), (7, "w2")):
            yield f"{block}.{position}", f"{published}.{name}"


def _mesh_names(mesh: nn.Module) -> Names:
    """The convolutions of all blocks are numbered on; each but the last has a normalisation of its number."""
    assert isinstance(mesh, MeshNet), "the published network"
    yield "mesh.lift", "pose2mesh.fc"
    blocks = [
        ("pose", mesh.pose),
        *((f"blocks.{n}", block) for n, block in enumerate(mesh.blocks)),
        ("last", mesh.last),
    ]
    first = 0
    for name, block in blocks:
        assert isinstance(block, GraphBlock), "made by MeshNet"
        for number in range(len(block.convs)):
            yield f"mesh.{name}.convs.{number}.linear", f"pose2mesh.cl.{first + number}"
            if number < len(block.norms):
                yield f"mesh.{name}.norms.{number}", f"pose2mesh.bn.{first + number}"
        first += len(block.convs)


def _load(network: Pose2Mesh, weights: Mapping[str, Tensor], path: Path, graph: MeshGraph) -> None:
    """Copy ``weights`` into ``network``; ValueError for what is missing, left over or of another shape."""
    names, state = published_names(network), network.state_dict()
    if lacking := sorted(set(names.values()) - weights.keys()):
        raise ValueError(f"{path}: lacks {len(lacking)} tensors of Pose2Mesh, such as {lacking[0]}")
    if left := sorted(name for name in weights.keys() - set(names.values()) if not name.startswith(_UNUSED)):
        raise ValueError(f"{path}: has {len(left)} tensors that Pose2Mesh has not, such as {left[0]}")
    for name, published in names.items():
        if weights[published].shape != state[name].shape:
            raise ValueError(
                f"{path}: {published}: expected shape {tuple(state[name].shape)}, got "
                f"{tuple(weights[published].shape)}; the body model's graphs have {graph.sizes[-1]} nodes at the "
                "coarsest level: is it the one that the weights were trained on?"
            )
    network.load_state_dict({name: weights[published] for name, published in names.items()})
