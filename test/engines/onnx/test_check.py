# SPDX-License-Identifier: Apache-2.0
"""The check before any parser: it agrees with the onnx package, and takes nothing else for a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.manifest import Manifest, ManifestError, TensorSpec, file_sha256, models_dir, write_manifest
from hmr_ros.engines.onnx import check as onnx_check
from hmr_ros.engines.onnx.check import check, read_checked, summarise
from hmr_ros.engines.onnx.protobuf import ProtobufError
from hmr_ros.engines.runtime import EngineError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

MODELS = sorted(models_dir().glob("*.onnx"))
TYPES = {TensorProto.FLOAT: "float32", TensorProto.UINT8: "uint8"}


def network(weight: onnx.TensorProto | None = None, domain: str = "", opset: int = 17) -> onnx.ModelProto:
    """y = x + w with x (N, 3)."""
    weight = weight or numpy_helper.from_array(np.ones(3, np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"], domain=domain)],
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


MANIFEST = Manifest(
    name="sum",
    kind="person_boxes",
    file="sum.onnx",
    sha256="0" * 64,
    inputs=(TensorSpec("x", "float32", ("N", 3)),),
    outputs=(TensorSpec("y", "float32", ("N", 3)),),
    licence="Apache-2.0",
)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_agrees_with_the_onnx_package(path: Path) -> None:
    model, summary = onnx.load(path), summarise(path.read_bytes())
    assert summary.opset == model.opset_import[0].version
    for ours, theirs in ((summary.inputs, model.graph.input), (summary.outputs, model.graph.output)):
        assert [info.name for info in ours] == [value.name for value in theirs]
        for info, value in zip(ours, theirs, strict=True):
            tensor = value.type.tensor_type
            assert info.dtype == TYPES[tensor.elem_type]
            assert info.shape == tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_shipped_networks_pass(path: Path) -> None:
    manifest, model = read_checked(path.with_suffix(".json"))
    assert (manifest.file, model) == (path.name, path.read_bytes())


def test_every_weight_is_looked_at() -> None:
    """One NaN in any of the weights of a shipped network is found."""
    model = onnx.load(MODELS[-1])
    floats = [t for t in model.graph.initializer if t.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)]
    for tensor in (floats[0], floats[len(floats) // 2], floats[-1]):
        whole = tensor.raw_data
        values = numpy_helper.to_array(tensor).copy()
        values.flat[-1] = np.nan
        tensor.raw_data = values.tobytes()
        with pytest.raises(ProtobufError, match="NaN"):
            summarise(model.SerializeToString())
        tensor.raw_data = whole


@pytest.mark.parametrize(
    "values",
    [
        np.ones(3, np.float32),
        np.ones(3, np.float16),
        np.ones(3, np.float64),
        np.arange(3, dtype=np.int64),
        np.arange(3, dtype=np.int32),
        np.ones(3, bool),
        np.ones(3, np.uint8),
        np.array(2.0, np.float32),
        np.empty((0, 3), np.float32),
    ],
    ids=lambda values: f"{values.dtype}{values.shape}",
)
@pytest.mark.parametrize("raw", [True, False])
def test_weights_in_each_way_of_storing_them(values: np.ndarray, raw: bool) -> None:
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    data = values.tobytes() if raw else values.ravel().tolist()
    summarise(network(helper.make_tensor("w", kind, values.shape, data, raw=raw)).SerializeToString())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(dtype: type, raw: bool, bad: float) -> None:
    values = np.array([1, bad, 2], dtype)
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    weight = helper.make_tensor("w", kind, [3], values.tobytes() if raw else values.tolist(), raw=raw)
    with pytest.raises(ProtobufError, match="NaN or infinity"):
        summarise(network(weight).SerializeToString())


def external(location: str) -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    onnx.external_data_helper.set_external_data(weight, location)
    weight.ClearField("raw_data")
    return network(weight)


def external_in_a_constant() -> onnx.ModelProto:
    model = network()
    constant = helper.make_node("Constant", [], ["c"], value=external("w.bin").graph.initializer[0])
    model.graph.node.insert(0, constant)
    return model


def nested(depth: int) -> onnx.ModelProto:
    model = network()
    graph = model.graph
    for _ in range(depth):
        node = helper.make_node("If", ["x"], ["z"], then_branch=graph)
        graph = helper.make_graph([node], "outer", list(model.graph.input), list(model.graph.output))
    return helper.make_model(graph, opset_imports=model.opset_import)


def edited(edit: Callable[[onnx.ModelProto], object]) -> Callable[[], onnx.ModelProto]:
    def make() -> onnx.ModelProto:
        model = network()
        edit(model)
        return model

    return make


def sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().dims.append(3)


def sparse_constant(model: onnx.ModelProto) -> None:
    """A Constant node whose attribute is a sparse tensor."""
    value = helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("i", TensorProto.INT64, [1], [0]),
        [3],
    )
    model.graph.node.append(helper.make_node("Constant", [], ["c"], sparse_value=value))


def sparse_constants(model: onnx.ModelProto) -> None:
    """An attribute that is a list of sparse tensors."""
    sparse_constant(model)
    attribute = model.graph.node[-1].attribute[0]
    attribute.sparse_tensors.append(attribute.sparse_tensor)
    attribute.ClearField("sparse_tensor")


def function(model: onnx.ModelProto) -> None:
    model.functions.append(helper.make_function("f", "F", [], [], [], [helper.make_opsetid("", 17)]))


ATTACKS: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "weights outside the directory": (lambda: external("../../etc/passwd"), "another file"),
    "weights in an absolute path": (lambda: external("/etc/passwd"), "another file"),
    "weights beside it": (lambda: external("w.bin"), "another file"),
    "a constant in another file": (external_in_a_constant, "another file"),
    "a custom operator": (lambda: network(domain="evil.ops"), "'evil.ops'"),
    "a ready-made engine": (lambda: network(domain="com.microsoft"), "'com.microsoft'"),
    "a custom opset": (edited(lambda m: m.opset_import.append(helper.make_opsetid("x", 1))), "'x'"),
    "two opsets": (edited(lambda m: m.opset_import.append(helper.make_opsetid("", 18))), "one opset"),
    "an old opset": (lambda: network(opset=12), "from 13 to 20, got 12"),
    "a new opset": (lambda: network(opset=21), "got 21"),
    "a local function": (edited(function), "functions"),
    "deeply nested graphs": (lambda: nested(20), "deep"),
    "sparse weights": (edited(sparse), "sparse"),
    "a sparse constant": (edited(sparse_constant), "sparse constant"),
    "a list of sparse constants": (edited(sparse_constants), "sparse constant"),
    "text weights": (lambda: network(helper.make_tensor("w", TensorProto.STRING, [1], [b"x"])), "texts"),
    "too few weights": (edited(lambda m: m.graph.initializer[0].dims.__setitem__(0, 4)), "3 numbers for shape"),
    "half a number": (edited(lambda m: setattr(m.graph.initializer[0], "raw_data", b"12345")), "no whole numbers"),
    "a negative size": (edited(lambda m: m.graph.initializer[0].dims.__setitem__(0, -3)), "3 numbers for shape"),
    "an unknown type": (edited(lambda m: setattr(m.graph.initializer[0], "data_type", 99)), "element type 99"),
    "weights stored twice": (edited(lambda m: m.graph.initializer[0].float_data.append(1)), "2 times over"),
    "an input that is no tensor": (edited(lambda m: m.graph.input[0].type.Clear()), "no tensor"),
    "no graph": (onnx.ModelProto, "not an ONNX network"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_breaks_a_rule_is_refused(attack: str) -> None:
    make, hint = ATTACKS[attack]
    with pytest.raises(EngineError, match=hint):
        check(make().SerializeToString(), MANIFEST, Path("sum.onnx"))


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec("x", "float32", ("N", 4)),
        TensorSpec("x", "float32", ("N", 3, 1)),
        TensorSpec("x", "float16", ("N", 3)),
        TensorSpec("image", "float32", ("N", 3)),
    ],
)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_network_that_is_not_the_manifests_is_refused(spec: TensorSpec, side: str) -> None:
    with pytest.raises(EngineError, match="the manifest says"):
        check(network().SerializeToString(), dataclasses.replace(MANIFEST, **{side: (spec,)}), Path("sum.onnx"))


def test_a_fixed_size_in_the_manifest_may_be_open_in_the_network() -> None:
    manifest = dataclasses.replace(MANIFEST, inputs=(TensorSpec("x", "float32", (1, 3)),))
    check(network().SerializeToString(), manifest, Path("sum.onnx"))


def test_weights_listed_among_the_inputs_are_no_inputs() -> None:
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3]))
    check(model.SerializeToString(), MANIFEST, Path("sum.onnx"))


def test_damage_of_every_kind_ends_in_one_error(rng: np.random.Generator) -> None:
    """Random bytes changed, cut off, repeated or moved: read, or refused as a network; never anything else."""
    whole = np.frombuffer(network().SerializeToString(), np.uint8)
    refused = 0
    for _ in range(3000):
        data = whole.copy()
        data[rng.integers(len(data), size=rng.integers(1, 4))] = rng.integers(256)
        data = np.roll(data, rng.integers(3))[: rng.integers(len(data) // 2, len(data) + 1)]
        try:
            check(data.tobytes(), MANIFEST, Path("sum.onnx"))
        except EngineError:
            refused += 1
    assert refused > 2500


@pytest.mark.parametrize("data", [b"", b"\xff" * 30, b"\x3a\xff\xff\xff\xff\x0f", b"\x3b", b"\x00\x01", b"\x3a"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProtobufError):
        summarise(data)


def save(directory: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, directory / "sum.onnx")
    write_manifest(dataclasses.replace(MANIFEST, sha256=file_sha256(directory / "sum.onnx")), directory / "sum.json")
    return directory / "sum.json"


def test_another_file_than_the_manifests_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, network())
    with (tmp_path / "sum.onnx").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ManifestError, match="sha256"):
        read_checked(path)


def test_an_enormous_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, network())
    monkeypatch.setattr(onnx_check, "MAX_BYTES", 10)
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(EngineError, match="at most 10 bytes"):
        read_checked(path)
