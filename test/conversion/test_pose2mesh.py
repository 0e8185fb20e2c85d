# SPDX-License-Identifier: Apache-2.0
import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.commands.convert_pose2mesh import add_arguments, run
from hmr_ros.conversion import pose2mesh
from hmr_ros.conversion.pose2mesh import convert_published, published_names, read_published
from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.pose2mesh import Pose2MeshConfig, build_pose2mesh, normalise_pose
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.recipes import trained_network
from test.networks.test_pose2mesh import BODY, GRAPH, THIN, build

BODY_FILE = models_dir() / "open_body.npz"


@pytest.fixture
def thin(monkeypatch):
    """Graphs and layers of a small network in place of the published ones."""
    monkeypatch.setattr(pose2mesh, "build_graph", lambda *_, **__: GRAPH)
    monkeypatch.setattr(
        pose2mesh, "build_pose2mesh", lambda config, body, graph: build_pose2mesh(config, body, graph, THIN)
    )


def published(net) -> dict[str, torch.Tensor]:
    """The weights of ``net`` as the released code writes them."""
    names, state = published_names(net), net.state_dict()
    unused = {"pose_lifter.batch_norm1.weight": torch.ones(3)}
    return OrderedDict({f"module.{names[name]}": value for name, value in state.items()} | unused)


def write(path: Path, weights: dict[str, torch.Tensor]) -> Path:
    torch.save({"epoch": 15, "model_state_dict": weights, "test_log": [np.float64(1.5)]}, path)
    return path


def test_names_are_those_of_the_released_code():
    names = set(published_names(build()).values())
    linear = {
        f"{layer}.{part}"
        for layer in ("pose_lifter.w1", "pose_lifter.w2", "pose2mesh.fc")
        for part in ("weight", "bias")
    }
    statistics = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert linear <= names
    for stage in range(2):
        for part in ("w1", "w2"):
            assert f"pose_lifter.linear_stages.{stage}.{part}.weight" in names
        for part in ("batch_norm1", "batch_norm2"):
            assert {f"pose_lifter.linear_stages.{stage}.{part}.{name}" for name in statistics} <= names
    convolutions = {name for name in names if name.startswith("pose2mesh.cl.")}
    count = len(convolutions) // 2
    assert convolutions == {f"pose2mesh.cl.{n}.{part}" for n in range(count) for part in ("weight", "bias")}
    norms = {name.rpartition(".")[0] for name in names if name.startswith("pose2mesh.bn.")}
    assert norms == {f"pose2mesh.bn.{n}" for n in range(count - 1)}, "the last convolution has none"


def test_the_converted_network_is_the_published_one(thin, tmp_path, capsys):
    net = build(joint_set="coco")
    weights = write(tmp_path / "final.pth.tar", published(net))
    out = tmp_path / "run" / "best.pt"
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args([str(weights), "--body", str(BODY_FILE), "--out", str(out)])) == 0
    assert "reads the keypoints coco" in capsys.readouterr().out
    checkpoint = load_checkpoint(out)
    assert (checkpoint.config.recipe, checkpoint.config.run.body) == ("paper", str(BODY_FILE.resolve()))
    assert checkpoint.body_sha256 == BODY.sha256
    again = build_pose2mesh(checkpoint.config.paper, BODY, GRAPH, THIN)
    again.load_state_dict(checkpoint.averaged_weights("network"))
    x = normalise_pose(*net.example_inputs())
    assert torch.equal(again.eval()(x).vertices, net(x).vertices)


def test_what_does_not_fit_is_told(thin, tmp_path):
    weights = published(build())
    path = tmp_path / "final.pth.tar"

    def refused(changed: dict[str, torch.Tensor], words: str) -> None:
        with pytest.raises(ValueError, match=f"final.pth.tar: {words}"):
            convert_published(write(path, changed), BODY, BODY_FILE)

    refused({n: v for n, v in weights.items() if "cl.3.bias" not in n}, "lacks 1 tensors of .* pose2mesh.cl.3.bias")
    refused(weights | {"module.other": torch.zeros(1)}, "has 1 tensors that Pose2Mesh has not, such as other")
    refused(weights | {"module.pose2mesh.fc.bias": torch.zeros(7)}, "pose2mesh.fc.bias: expected shape .* got \\(7,\\)")
    refused({"module.conv1.weight": torch.zeros(2, 2)}, "not the weights of Pose2Mesh on a body")


def test_files_that_are_none_are_told(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_published(tmp_path / "final.pth.tar")
    (tmp_path / "best.pth.tar").write_bytes(b"PK\\x03\\x04 but no archive")
    with pytest.raises(ValueError, match="not a checkpoint of Pose2Mesh's code"):
        read_published(tmp_path / "best.pth.tar")


@pytest.mark.slow
def test_weights_of_the_published_size_become_a_network_to_evaluate(tmp_path):
    config = Pose2MeshConfig(posenet_width=64)
    graph = pose2mesh.build_graph(BODY, "pose2mesh", order=pose2mesh.scalar_quicksort_order)
    net = build_pose2mesh(config, BODY, graph).eval()
    path = write(tmp_path / "final.pth.tar", published(net))
    network = trained_network(convert_published(path, BODY, BODY_FILE), BODY)
    x = normalise_pose(*net.example_inputs(1))
    assert torch.equal(network(x).vertices, net(x).vertices)
