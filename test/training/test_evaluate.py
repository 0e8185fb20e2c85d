import argparse
import dataclasses
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hmr_ros.core.body_model import load_body_model
from hmr_ros.core.manifest import Manifest, TensorSpec, file_sha256, models_dir, write_manifest
from hmr_ros.training.datasets.motion import save_motion
from hmr_ros.training.evaluate import add_arguments, run
from test.training.datasets.test_motion import small_motion


@pytest.fixture
def rest_pose_model(tmp_path):
    """A network that always answers with the rest pose, as ONNX with its manifest."""
    body = load_body_model(models_dir() / "open_body.npz")
    joints = body.rest_joints(np.zeros((1, 10)))
    inputs = {"keypoints": ("N", 21, 3), "context": ("N", 1)}
    outputs = {"vertices": ("N", body.vertex_count, 3), "joints": ("N", 24, 3), "spread": ("N", 24)}
    answers = {
        "vertices": body.v_template[None] - joints[:, :1],
        "joints": joints - joints[:, :1],
        "spread": np.ones((1, 24)),
    }
    constants = [numpy_helper.from_array(x.astype(np.float32), f"{name}_rest") for name, x in answers.items()]
    constants += [
        numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        numpy_helper.from_array(np.array([1]), "axis"),
    ]
    nodes = [
        helper.make_node("Mul", ["context", "zero"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "axis"], ["solid"]),
        *(helper.make_node("Add", [f"{n}_rest", "flat" if n == "spread" else "solid"], [n]) for n in outputs),
    ]

    def infos(specs):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in specs.items()]

    graph = helper.make_graph(nodes, "rest", infos(inputs), infos(outputs), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "rest.onnx")
    manifest = Manifest(
        name="rest",
        kind="pose2mesh",
        file="rest.onnx",
        sha256=file_sha256(tmp_path / "rest.onnx"),
        inputs=tuple(TensorSpec(n, "float32", s) for n, s in inputs.items()),
        outputs=tuple(TensorSpec(n, "float32", s) for n, s in outputs.items()),
        licence="Apache-2.0",
        joint_set="coco_feet",
        body_model="open_body.npz",
        body_model_sha256=body.sha256,
    )
    write_manifest(manifest, tmp_path / "rest.json")
    return tmp_path / "rest.json", manifest


def parse(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(w) for w in words])


def test_an_exported_network_is_evaluated(rest_pose_model, tmp_path, capsys):
    save_motion(small_motion(), tmp_path / "motion.npz")
    path, out = rest_pose_model[0], tmp_path / "reports" / "rest.json"
    assert run(parse(path, "--motion", tmp_path / "motion.npz", "--samples", 60, "--json", out)) == 0
    report = json.loads(out.read_text())
    everyone = [row for row in report["rows"] if row["grouping"] == "all"]
    assert [row["source"] for row in everyone] == ["true", "human36m", "coco"]
    assert all(row["count"] == 60 for row in everyone)
    assert 150 < everyone[0]["mpjpe"]["mean"] < 1000
    parts = [row for row in report["rows"] if row["source"] == "true" and row["grouping"] == "view"]
    assert sum(row["count"] for row in parts) == 60
    assert "view: back" in capsys.readouterr().out


def test_unusable_models_are_explained(rest_pose_model, tmp_path):
    save_motion(small_motion(), tmp_path / "motion.npz")
    path, manifest = rest_pose_model
    with pytest.raises(ValueError, match=r"rest.onnx: expected a manifest \(.json\) or a checkpoint \(.pt\)"):
        run(parse(path.with_suffix(".onnx"), "--motion", tmp_path / "motion.npz"))
    write_manifest(dataclasses.replace(manifest, body_model_sha256="0" * 64), path)
    with pytest.raises(ValueError, match=r"rest.json: the network recovers open_body.npz, another body .* set --body"):
        run(parse(path, "--motion", tmp_path / "motion.npz"))
    write_manifest(dataclasses.replace(manifest, kind="landmarks"), path)
    with pytest.raises(ValueError, match="expected a pose2mesh network"):
        run(parse(path, "--motion", tmp_path / "motion.npz"))
