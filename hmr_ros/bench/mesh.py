# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh's mesh network, one person: the paper's widths on the open body in three forms.

"plain": PyTorch, sparse matrix products on the padded graphs, as it is trained. "deployed": the same network as it
is exported, in ONNX Runtime. "default": the shipped network, which also lifts the pose. Weights are random, which does
not change the time, and the mesh is scaled to 1 m, the size of a body, so that differences are in m.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.bench.timing import time_in_turns
from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import HUMAN36M

if TYPE_CHECKING:
    import onnxruntime

    from hmr_ros.networks.meshnet import MeshNet


THREADS = 2
DEPLOYED_GOAL, DEFAULT_GOAL, DIFFERENCE_GOAL = 2.5, 6.0, 1e-5


def run(options: Options) -> Row:
    """Time the forms in turns and compare their outputs."""
    import torch

    torch.set_num_threads(THREADS)
    pose = np.random.default_rng(0).normal(size=(1, HUMAN36M.size, 5)).astype(np.float32)
    net = _paper_meshnet(pose)
    session = _deployed_session(net, pose)

    def plain() -> Float32s:
        with torch.inference_mode():
            vertices: Float32s = net(torch.from_numpy(pose)).numpy()
        return vertices

    def deployed() -> Float32s:
        (vertices,) = session.run(None, {"pose": pose})
        return np.asarray(vertices)

    difference = float(np.abs(plain() - deployed()).max())
    calls: dict[str, Callable[[], object]] = {"plain": plain, "deployed": deployed, **_default()}
    timings = time_in_turns(calls, options.repeats)
    figures = {f"plain / {name}": timings.ratio("plain", name) for name in timings.names[1:]}
    goals = {
        f"deployed at least {DEPLOYED_GOAL} times faster": figures["plain / deployed"] >= DEPLOYED_GOAL,
        f"outputs differ by at most {DIFFERENCE_GOAL} m": difference <= DIFFERENCE_GOAL,
    }
    if "default" in calls:
        goals[f"default at least {DEFAULT_GOAL:g} times faster"] = figures["plain / default"] >= DEFAULT_GOAL
    return {
        "settings": {
            "threads": THREADS,
            "repeats": options.repeats,
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
            "nodes_plain": [len(real) for real in net.graph.real],
            "nodes_deployed": [int(real.sum()) for real in net.graph.real],
        },
        "medians_ms": timings.medians_ms(),
        "figures": figures | {"largest difference, m": difference},
        "goals": goals,
    }


def _paper_meshnet(pose: Float32s) -> MeshNet:
    import torch

    from hmr_ros.networks.coarsening import joint_laplacian
    from hmr_ros.networks.meshnet import MeshNet
    from hmr_ros.networks.pose2mesh import build_graph

    torch.manual_seed(0)
    graph = build_graph(load_body_model(models_dir() / "open_body.npz"), "pose2mesh")
    net = MeshNet(joint_laplacian(HUMAN36M), graph).eval()
    with torch.no_grad():
        net.get_parameter("last.convs.1.linear.weight").div_(net(torch.from_numpy(pose)).abs().max())
    return net


def _deployed_session(net: MeshNet, pose: Float32s) -> onnxruntime.InferenceSession:
    """The network as ``hmr export`` writes it, with the session options of the robot's engine."""
    import onnxruntime
    import torch

    from hmr_ros.export.onnx_graph import Exportable, to_onnx
    from hmr_ros.networks.meshnet import DeployedMeshNet

    example = torch.from_numpy(np.repeat(pose, 2, axis=0))
    model = to_onnx(Exportable(DeployedMeshNet(net), (example,), ("pose",), ("vertices",)))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _default() -> dict[str, Callable[[], object]]:
    """The shipped network, if there is one."""
    from hmr_ros.engines.opening import open_engine

    path = models_dir() / "pose2mesh.json"
    if not path.is_file():
        return {}
    engine = open_engine(path, threads=THREADS)
    rng = np.random.default_rng(0)
    inputs = {
        spec.name: rng.uniform(0, 1, [1 if size == "N" else int(size) for size in spec.shape]).astype(spec.dtype)
        for spec in engine.manifest.inputs
    }
    return {"default": lambda: engine.run(inputs)}
