# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from hmr_ros.cli import main
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import load_manifest, models_dir, verify
from hmr_ros.core.settings import from_mapping
from hmr_ros.engines.opening import open_engine
from hmr_ros.export.checkpoint import TOLERANCE, check_difference, exportable, tensor_spec
from hmr_ros.export.onnx_graph import Exportable, largest_difference, to_onnx, with_fp16_weights
from hmr_ros.networks.coarsening import build_mesh_graph
from hmr_ros.networks.global_to_pixel.hrnet import WIDTHS
from hmr_ros.networks.meshnet import DeployedMeshNet
from hmr_ros.training.checkpoint import Checkpoint, save_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipes.paper import build_network

from ..networks.meshes import age, joint_features
from ..networks.test_meshnet import GRAPH, JOINTS, SMALL, MeshNet
from ..training.recipes.test_global_to_pixel import BODY, recipe


@pytest.fixture(scope="module")
def network() -> Exportable:
    torch.manual_seed(0)
    net = age(MeshNet(JOINTS, GRAPH, SMALL))
    return Exportable(DeployedMeshNet(net), (joint_features(17, 5, batch=4),), ("pose",), ("vertices",))


@pytest.fixture(scope="module")
def model(network) -> onnx.ModelProto:
    return to_onnx(network)


def test_onnx_runtime_gives_the_same(model, network):
    assert largest_difference(model, network, batches=(1, 3)) <= 1e-5


def test_another_network_is_noticed(model, network):
    wrong = replace(network, module=lambda x: network.module(x) + 1e-3)
    assert largest_difference(model, wrong) == pytest.approx(1e-3, rel=0.1)
    for difference in (2e-5, float("nan")):
        with pytest.raises(ValueError, match="not written"):
            check_difference(difference, 1e-5)


def test_batch_is_named_and_other_sizes_are_numbers(model):
    (pose,), (vertices,) = map(tensor_spec, model.graph.input), map(tensor_spec, model.graph.output)
    assert (pose.name, pose.dtype, pose.shape) == ("pose", "float32", ("N", 17, 5))
    assert (vertices.name, vertices.dtype, vertices.shape) == ("vertices", "float32", ("N", 200, 3))


def test_only_operations_that_every_engine_runs_fast(model):
    assert {node.op_type for node in model.graph.node} <= {"Add", "Gather", "Gemm", "MatMul", "Relu", "Reshape"}


def test_the_file_holds_no_trace_of_the_machine(model):
    data = model.SerializeToString()
    assert b".py" not in data
    assert b"stack_trace" not in data


def test_fp16_weights_halve_the_file(model, network):
    half = with_fp16_weights(model)
    assert half.ByteSize() < 0.7 * model.ByteSize()  # gather indices and biases stay
    assert 0 < largest_difference(half, network) < 2e-3
    assert [tensor_spec(x) for x in half.graph.output] == [tensor_spec(x) for x in model.graph.output]


@pytest.mark.slow
def test_a_network_with_hrnet_is_exported(monkeypatch):
    monkeypatch.setitem(WIDTHS, "hrnet_w32", 4)
    made = recipe(global_to_pixel__backbone="hrnet_w32")
    checkpoint = Checkpoint(
        made._config, made.topology, {}, {}, stage=1, step=0, best=0.0, validation={}, optimiser={}, schedule={}
    )
    network = exportable(checkpoint, made.modules["network"].eval(), BODY)
    check_difference(largest_difference(to_onnx(network), network), TOLERANCE)


def test_weights_beyond_float16_are_refused():
    linear = nn.Linear(64, 64)
    nn.init.constant_(linear.weight, 1e5)
    with pytest.raises(ValueError, match="too large for fp16"):
        with_fp16_weights(to_onnx(Exportable(linear, (torch.zeros(2, 64),), ("x",), ("y",))))


@pytest.fixture
def checkpoint(tmp_path):
    """A run of the paper's recipe with the smallest network, untrained."""
    settings = {"recipe": "paper", "paper": {"posenet_width": 16, "network": "fc", "fc_width": 8}}
    config = from_mapping(settings, TrainConfig)
    body = load_body_model(models_dir() / "open_body.npz")
    topology = build_mesh_graph(body.faces, body.v_template, levels=9).finest(8).to_arrays()
    weights = nn.ModuleDict({"network": build_network(config, body, topology)}).state_dict()
    path = tmp_path / "best.pt"
    report = {"mpjpe_true": 50.0, "missed_rendered": 20.0}
    save_checkpoint(Checkpoint(config, topology, weights, weights, 1, 10, 50.0, report, {}, {}), path)
    return path


def test_command_writes_an_artefact_that_opens(checkpoint, tmp_path, capsys):
    out = tmp_path / "models" / "tiny"
    assert main(["export", str(checkpoint), "--out", str(out)]) == 0
    assert "mm from PyTorch" in capsys.readouterr().out
    json_path = out.with_suffix(".json")
    manifest = load_manifest(json_path)
    verify(manifest, json_path)
    assert (manifest.kind, manifest.joint_set, manifest.body_model) == ("pose2mesh", "human36m", "open_body")
    assert manifest.metrics == {"mpjpe_true_mm": 50.0, "missed_rendered_percent": 20.0}
    engine = open_engine(json_path, threads=1)
    outputs = engine.run({"keypoints": np.random.default_rng(0).uniform(0, 500, (3, 17, 2)).astype(np.float32)})
    assert outputs["vertices"].shape == (3, 6890, 3)
    assert np.abs(outputs["joints"][:, 0]).max() < 1e-6
    assert sorted(p.name for p in out.parent.iterdir()) == ["tiny.json", "tiny.onnx"]
    assert "/" not in json.loads(json_path.read_text())["provenance"]["command"]


def test_wrong_checkpoint_is_named(tmp_path, capsys):
    (tmp_path / "x.pt").write_bytes(b"nonsense")
    assert main(["export", str(tmp_path / "x.pt"), "--out", str(tmp_path / "y")]) == 1
    assert "x.pt: not a checkpoint" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "x.pt"]


def test_fp16_weights_are_named_in_the_command_of_the_manifest(checkpoint, tmp_path):
    assert main(["export", str(checkpoint), "--out", str(tmp_path / "tiny"), "--fp16-weights"]) == 0
    manifest = load_manifest(tmp_path / "tiny.json")
    assert manifest.provenance["command"] == "hmr export --fp16-weights"
    names = {tensor.name for tensor in onnx.load(tmp_path / "tiny.onnx").graph.initializer if tensor.data_type == 10}
    assert names, "weights are stored as FLOAT16"
