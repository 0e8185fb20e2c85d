# SPDX-License-Identifier: Apache-2.0
"""BlazePose's two networks: where the MediaPipe wheel holds them, and their interface as ONNX with a manifest."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.conversion.artefact import write_network
from hmr_ros.core.manifest import Manifest, TensorSpec

WHEEL_VERSION = "0.10.21"
DOWNLOAD_COMMAND = f"pip download --no-deps mediapipe=={WHEEL_VERSION}"
REQUIREMENTS = "pip install tflite onnx"


@dataclass(frozen=True)
class Source:
    """One network: its file in the wheel, its digest, and its interface as ONNX.

    ``image_size`` (H, W): numbers, or names of dynamic sizes. The ONNX network takes RGB pixels 0..255 and maps them to
    ``pixel * scale + offset`` itself. ``outputs``: the source's name of each output to keep -> its name and shape.
    """

    name: str
    kind: str
    member: str
    sha256: str
    joint_set: str | None
    image_size: tuple[int | str, int | str]
    scale: float
    offset: float
    outputs: Mapping[str, TensorSpec]

    @property
    def file_name(self) -> str:
        """The .tflite file's name without its directory."""
        return Path(self.member).name

    @property
    def image(self) -> TensorSpec:
        """The only input of the ONNX network."""
        return TensorSpec("image", "uint8", ("N", *self.image_size, 3))


DETECTOR = Source(
    name="blazepose_detector",
    kind="detector",
    member="mediapipe/modules/pose_detection/pose_detection.tflite",
    sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    joint_set=None,
    image_size=("H", "W"),
    scale=1 / 127.5,
    offset=-1.0,
    outputs={
        "Identity": TensorSpec("regressions", "float32", ("N", "A", 12)),
        "Identity_1": TensorSpec("logits", "float32", ("N", "A", 1)),
    },
)
LANDMARKS = Source(
    name="blazepose_landmarks",
    kind="landmarks",
    member="mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    joint_set="blazepose",
    image_size=(256, 256),
    scale=1 / 255,
    offset=0.0,
    outputs={  # without Identity_2, a mask that costs a third of the rest, and Identity_4, its own 3D pose
        "Identity": TensorSpec("landmarks", "float32", ("N", 39, 5)),
        "Identity_1": TensorSpec("presence", "float32", ("N", 1)),
        "Identity_3": TensorSpec("heatmaps", "float32", ("N", 39, 64, 64)),
    },
)
SOURCES = (DETECTOR, LANDMARKS)


def unpack(wheel: Path, directory: Path) -> None:
    """Copy the two .tflite files from ``wheel`` into ``directory``. Raises ValueError when it does not hold them."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for source in SOURCES:
                (directory / source.file_name).write_bytes(archive.read(source.member))
    except (OSError, KeyError, zipfile.BadZipFile) as err:
        raise ValueError(f"{wheel}: not the MediaPipe wheel ({err}); fetch it with: {DOWNLOAD_COMMAND}") from err


def convert(source: Source, tflite_path: Path, out: Path, origin: Mapping[str, str]) -> Manifest:
    """Write ``<name>.onnx`` and ``<name>.json`` to ``out``; ``origin`` goes into the manifest's provenance."""
    content = _read_checked(source, tflite_path)
    try:
        from hmr_ros.conversion.detector.onnx_writer import Interface, network_to_onnx
        from hmr_ros.conversion.detector.tflite_reader import read_tflite
    except ImportError as err:
        raise ValueError(f"the converter needs a missing module ({err}); run: {REQUIREMENTS}") from err
    interface = Interface(source.image, source.scale, source.offset, source.outputs)
    model = network_to_onnx(read_tflite(content), interface, source.name).SerializeToString()
    manifest = Manifest(
        name=source.name,
        kind=source.kind,
        file=f"{source.name}.onnx",
        sha256="",
        inputs=(source.image,),
        outputs=tuple(source.outputs.values()),
        licence="Apache-2.0",
        joint_set=source.joint_set,
        provenance={
            "upstream": "BlazePose of MediaPipe, Copyright The MediaPipe Authors",
            **origin,
            "member": source.member,
            "member_sha256": source.sha256,
            "command": "hmr convert-detector",
        },
    )
    return write_network(model, manifest, out)


def _read_checked(source: Source, path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as err:
        raise ValueError(f"{path}: cannot be read ({err}); it is part of the wheel: {DOWNLOAD_COMMAND}") from err
    digest = hashlib.sha256(content).hexdigest()
    if digest != source.sha256:
        raise ValueError(
            f"{path}: sha256 is {digest}, expected {source.sha256}, that of MediaPipe {WHEEL_VERSION}: "
            f"{DOWNLOAD_COMMAND}"
        )
    return content
