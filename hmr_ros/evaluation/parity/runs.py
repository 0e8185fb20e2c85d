# SPDX-License-Identifier: Apache-2.0
"""Ways of running a network on recorded inputs: engine, ONNX graph, PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest
from hmr_ros.evaluation.parity.inputs import Inputs

if TYPE_CHECKING:
    from onnx import ModelProto

    from hmr_ros.engines.runtime import Engine

Run = Callable[[Inputs], Mapping[str, "Array"]]

REPEATED = 3
"""Number of inputs that are run twice, to see whether the outputs repeat."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The outputs for each of the inputs; ``repeatable``: a second run gives the same bits."""

    outputs: list[Mapping[str, Array]]
    repeatable: bool


def answers(name: str, run: Run, inputs: Sequence[Inputs]) -> Answers:
    """Run all ``inputs``, under a progress bar called ``name``."""
    outputs = [run(arrays) for arrays in tqdm(inputs, name, unit="input", leave=False)]
    again = [run(arrays) for arrays in inputs[-REPEATED:]]
    pairs = zip(outputs[-REPEATED:], again, strict=True)
    return Answers(outputs, all(np.array_equal(a[key], b[key]) for a, b in pairs for key in a))


def engine_run(engine: Engine) -> Run:
    """The network as the robot runs it."""
    return engine.run


def onnx_run(model: ModelProto, manifest: Manifest) -> Run:
    """An ONNX graph in memory, run by ONNX Runtime on the CPU."""
    from hmr_ros.engines.onnx.engine import OnnxEngine
    from hmr_ros.engines.runtime import default_threads

    return OnnxEngine(manifest, model.SerializeToString(), default_threads()).run


def pytorch_run(checkpoint_path: Path) -> Run:
    """The network of a training run, before any export."""
    import torch

    from hmr_ros.core.body.body_model import load_body_model
    from hmr_ros.core.manifest import models_dir
    from hmr_ros.export.checkpoint import exportable
    from hmr_ros.training.checkpoint import load_checkpoint
    from hmr_ros.training.recipes import trained_network

    checkpoint = load_checkpoint(checkpoint_path)
    body = load_body_model(Path(checkpoint.config.run.body or models_dir() / "open_body.npz"))
    network = exportable(checkpoint, trained_network(checkpoint, body), body)
    module = network.module.eval()

    def run(inputs: Inputs) -> Mapping[str, Array]:
        with torch.inference_mode():
            outputs = module(*(torch.from_numpy(inputs[name]) for name in network.inputs))
        outputs = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
        return {name: output.numpy() for name, output in zip(network.outputs, outputs, strict=True)}

    return run
