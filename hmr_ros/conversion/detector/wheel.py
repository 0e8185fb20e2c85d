# SPDX-License-Identifier: Apache-2.0
"""Networks of the MediaPipe wheel: where it holds them, and their conversion to ONNX with a manifest."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.conversion.artefact import write_network
from hmr_ros.core.manifest import Manifest, TensorSpec, file_sha256

WHEEL_VERSION = "0.10.21"
DOWNLOAD_COMMAND = f"pip download --no-deps mediapipe=={WHEEL_VERSION}"
REQUIREMENTS = "pip install tflite onnx"


@dataclass(frozen=True)
class Source:
    """One network: its file in the wheel, its digest, and its interface as ONNX.

    ``image_size``: (H, W). The ONNX network takes RGB pixels 0..255 and maps them to ``pixel * scale + offset`` itself.
    ``outputs``: the source's name of each output to keep -> its name and shape.
    ``upstream`` and ``command`` go into the manifest: what it is part of, and the command that converts it.
    """

    name: str
    kind: str
    member: str
    sha256: str
    joint_set: str | None
    image_size: tuple[int, int]
    scale: float
    offset: float
    outputs: Mapping[str, TensorSpec]
    upstream: str
    command: str

    @property
    def file_name(self) -> str:
        """The .tflite file's name without its directory."""
        return Path(self.member).name

    @property
    def image(self) -> TensorSpec:
        """The only input of the ONNX network."""
        return TensorSpec("image", "uint8", ("N", *self.image_size, 3))


def convert_all(sources: Sequence[Source], wheel: Path | None, directory: Path | None, out: Path) -> Iterator[str]:
    """Convert ``sources`` of the ``wheel``, or of the .tflite files in ``directory``; a line for each file.

    Raises as ``convert_wheel`` and ``convert_directory`` do.
    """
    if directory:
        return convert_directory(sources, directory, out)
    if wheel:
        return convert_wheel(sources, wheel, out)
    raise ValueError("expected a wheel, or a directory")


def convert_wheel(sources: Sequence[Source], wheel: Path, out: Path) -> Iterator[str]:
    """Convert ``sources`` from the file ``wheel``; a line for each file that is written. Raises ValueError."""
    with tempfile.TemporaryDirectory() as directory:
        unpack(sources, wheel, Path(directory))
        origin = {"wheel": wheel.name, "wheel_sha256": file_sha256(wheel)}
        yield from convert_directory(sources, Path(directory), out, origin)


def convert_directory(
    sources: Sequence[Source], directory: Path, out: Path, origin: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Convert ``sources`` from the .tflite files in ``directory``; a line for each file that is written."""
    out.mkdir(parents=True, exist_ok=True)
    for source in sources:
        manifest = convert(source, directory / source.file_name, out, origin or {"directory": directory.name})
        yield f"{out / manifest.file}: {(out / manifest.file).stat().st_size / 1e6:.1f} MB from {source.file_name}"


def unpack(sources: Sequence[Source], wheel: Path, directory: Path) -> None:
    """Copy the .tflite files from ``wheel`` into ``directory``. Raises ValueError when it does not hold them."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for source in sources:
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
            "upstream": source.upstream,
            **origin,
            "member": source.member,
            "member_sha256": source.sha256,
            "command": source.command,
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
