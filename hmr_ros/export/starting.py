# SPDX-License-Identifier: Apache-2.0
"""Where a run starts that goes on from a trained network: a checkpoint, or an exported network without one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto
from scipy.sparse import coo_array, csr_array

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import Manifest, file_sha256, load_manifest, verify
from hmr_ros.export.checkpoint import FP16_TOLERANCE, exportable, model_path
from hmr_ros.export.graph_pairs import Graph
from hmr_ros.export.onnx_graph import largest_difference
from hmr_ros.export.reading import read_weights
from hmr_ros.networks.compact_pose2mesh import CompactTopology
from hmr_ros.training.checkpoint import Checkpoint, at_stage, load_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipes import AnyRecipe, Arrays, network_settings, trained_network
from hmr_ros.training.recipes.compact import CompactRecipe

READABLE = ("compact", "fusion", "global_to_pixel", "hands")
"""Recipes whose networks are exported as they are trained; those of the papers are folded first."""


def started(path: Path, config: TrainConfig, recipe: AnyRecipe, body: BodyModel) -> Checkpoint:
    """A run of ``config`` before its first step that has the weights of ``path``: best.pt, or .json or .onnx.

    ``recipe`` is a new one of ``config``: what ``path`` does not hold, as it is not exported, is as it is there.
    Where ``run.mean_with`` names other runs, it has the mean of theirs and of these weights.
    Raises ValueError that names the file and what does not fit.
    """
    if path.suffix == ".pt":
        found = _of_checkpoint(path, config, body)
    elif path.suffix in (".json", ".onnx"):
        found = _of_exported(path.with_suffix(".json"), config, recipe, body)
    else:
        raise ValueError(f"{path}: expected best.pt of a run, or the .json or .onnx of an exported network")
    return _mean(found, [(other, _of_checkpoint(other, config, body)) for other in map(Path, config.run.mean_with)])


def _mean(first: Checkpoint, others: Sequence[tuple[Path, Checkpoint]]) -> Checkpoint:
    """``first`` with the mean of its weights and those of ``others``; counters and the mesh's graphs are its own."""
    for path, other in others:
        if any(not np.array_equal(other.topology[name], graph) for name, graph in _graphs(first.topology).items()):
            raise ValueError(f"{path}: its mesh is coarsened otherwise; average runs that started from one network")
    if not others:
        return first
    every = [first.weights, *(other.weights for _, other in others)]
    weights = {
        name: torch.stack([w[name] for w in every]).mean(0) if value.is_floating_point() else value
        for name, value in first.weights.items()
    }
    return dataclasses.replace(first, weights=weights, average=weights)


def _graphs(topology: Arrays) -> Arrays:
    """All of ``topology`` but the up-sampling, which each run fits to bodies of its own."""
    return {name: array for name, array in topology.items() if not name.startswith("upsampling.")}


def _of_checkpoint(path: Path, config: TrainConfig, body: BodyModel) -> Checkpoint:
    found = load_checkpoint(path)
    _check_recipe(path, found.config.recipe, config.recipe)
    _check_body(path, found.body_sha256, body.sha256)
    if network_settings(found.config) != network_settings(config):
        raise ValueError(
            f"{path}: a network of other settings: set [{_settings_name(config)}] as in config.json beside it"
        )
    return at_stage(0, config, found.topology, found.average, found.average, body.sha256)


def _of_exported(path: Path, config: TrainConfig, recipe: AnyRecipe, body: BodyModel) -> Checkpoint:
    manifest = load_manifest(path)
    _check_recipe(path, manifest.provenance.get("recipe", manifest.kind), config.recipe)
    if config.recipe not in READABLE:
        raise ValueError(f"{path}: networks of this recipe are folded when they are exported; start from a best.pt")
    _check_body(path, manifest.body_model_sha256, file_sha256(model_path(config)))
    model = _model(path, manifest)
    state = recipe.modules.state_dict()
    try:
        new = at_stage(0, config, _topology(recipe.topology, model), state, state, body.sha256)
        network = trained_network(new, body)
        network.load_state_dict(read_weights(model, exportable(new, network, body), network))
    except ValueError as err:
        exporter = manifest.provenance.get("exporter", "an unknown version")
        raise ValueError(
            f"{path}: {err}. Set [{_settings_name(config)}] as for that network; it was exported by {exporter}"
        ) from err
    difference = largest_difference(model, exportable(new, network, body))
    if not difference <= FP16_TOLERANCE:
        raise ValueError(f"{path}: what was read gives other outputs, {difference:.3g} m off; start from a best.pt")
    recipe.modules["network"].load_state_dict(network.state_dict())
    if isinstance(recipe, CompactRecipe):
        recipe.fit_lift_head()
    weights = recipe.modules.state_dict()
    return dataclasses.replace(new, weights=weights, average=weights)


def _check_recipe(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(f"{path}: a network of the recipe {found}, not {expected}")


def _check_body(path: Path, found: str | None, expected: str) -> None:
    if found not in (None, "", expected):
        raise ValueError(f"{path}: trained on another body model; set run.body to that one")


def _settings_name(config: TrainConfig) -> str:
    """The section of the recipe's network."""
    return "global_to_pixel" if config.recipe == "hands_pixel" else config.recipe


def _model(path: Path, manifest: Manifest) -> ModelProto:
    """The network of ``manifest``; ValueError if its weights are rounded to int8."""
    content = verify(manifest, path)
    try:
        model = onnx.load_from_string(content)
    except Exception as err:  # whatever the bytes lead to
        raise ValueError(f"{manifest.model_path(path)}: not an ONNX file ({type(err).__name__})") from err
    if any("Quantize" in node.op_type or "Integer" in node.op_type for node in model.graph.node):
        raise ValueError(f"{path}: its weights are rounded to int8; start from the network that it was made of")
    return model


def _topology(new: Arrays, model: ModelProto) -> Arrays:
    """``new`` with the up-sampling of ``model``, where there is one: it was fitted to the bodies of another run."""
    if "upsampling.data" not in new:
        return new
    topology = CompactTopology.from_arrays(new)
    return dataclasses.replace(topology, upsampling=_upsampling(Graph.of(model), topology)).to_arrays()


def _upsampling(graph: Graph, topology: CompactTopology) -> csr_array:
    """The map (V, n) from nodes to vertices, which the file holds by patches of vertices (``BlockLaplacian``)."""
    last, _ = graph.made[graph.uncast(graph.outputs[0])]
    names = ("upsampling.patches.weights", "upsampling.patches.gather", graph.uncast(last.input[-1]))
    if last.op_type != "Gather" or not graph.stored.keys() >= set(names):
        raise ValueError("upsampling: not in the file")
    weights, nodes, order = (np.asarray(graph.stored[name]) for name in names)
    vertices, size = len(topology.order_of_vertices), len(topology.vertices)
    patches, rows, _ = weights.shape
    patch, row, column = np.nonzero(weights)
    node = nodes.reshape(patches, -1)[patch, column]
    if len(order) != vertices or node.max() >= size:
        raise ValueError(f"upsampling: of a mesh of {len(order)} vertices, or of another number of nodes than {size}")
    entries = (weights[patch, row, column].astype(np.float64), (rows * patch + row, node))
    return csr_array(coo_array(entries, shape=(rows * patches, size)).tocsr()[order])
