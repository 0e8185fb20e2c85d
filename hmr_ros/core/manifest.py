# SPDX-License-Identifier: Apache-2.0
"""The contract of an artefact: ``<name>.onnx`` lies beside ``<name>.json``, which says what the network expects.

A manifest is the only thing that training and the robot share, so it is checked before a network is opened: schema
here, the file's sha256 by ``verify``, tensor names and shapes by the engine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hmr_ros.core.forecasts import ForecastCalibration
from hmr_ros.core.json_fields import Number, mapping, number, numbers, optional_text, rows, text
from hmr_ros.core.named_errors import named_os_errors
from hmr_ros.core.share import share_dir
from hmr_ros.core.uncertainty import Calibration, JointDeviations, RootDeviation

WHOLE_IMAGE_KINDS = ("person_boxes", "multipose")
"""Networks that see whole images, one at a time: NanoDet, MoveNet MultiPose."""

HAND_KINDS = ("hand_landmarks", "hand_recrop")
"""Networks that see hands, one row each: MediaPipe's landmarks, and regions of hands."""

KINDS = (
    *WHOLE_IMAGE_KINDS,
    "landmarks",
    "keypoints",
    "pose2mesh",
    "global_to_pixel",
    "fusion",
    *HAND_KINDS,
    "hand_pose2mesh",
)
"""The others see people or hands, one row each: BlazePose's landmarks, MoveNet Thunder's keypoints, bodies, poses of
bodies fused over time, meshes of hands."""

DTYPES = ("float16", "float32", "int32", "int64", "uint8", "bool")
MODELS_VARIABLE = "HMR_ROS_MODELS"

FORMAT = 1
"""Version of the JSON layout; raised when an old reader would misunderstand a new file."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

Normaliser = Number | str | tuple[Number, ...]


class ManifestError(ValueError):
    """A manifest is missing, malformed, or does not belong to its file; the message says what to do."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: ``shape`` holds sizes, or names for sizes that vary ("N" = batch)."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise ManifestError("a tensor needs a name, got ''")
        if self.dtype not in DTYPES:
            raise ManifestError(f"tensor {self.name!r}: expected a dtype of {DTYPES}, got {self.dtype!r}")
        for size in self.shape:
            if isinstance(size, bool) or not (isinstance(size, str) or (isinstance(size, int) and size > 0)):
                raise ManifestError(f"tensor {self.name!r}: sizes are positive integers or names, got {size!r}")


@dataclass(frozen=True)
class Manifest:
    """What an artefact is, expects and was made from.

    ``file`` is a bare name beside the JSON file; ``sha256`` is its digest in lower-case hex. ``normalisation`` holds
    the constants that make the inputs (the keys depend on ``kind``); ``provenance`` says how the file was made;
    ``metrics`` are the figures it reached, in the unit that each key names. ``uncertainty``: what the errors that it
    expects mean (``hmr calibrate``); None: not calibrated.
    """

    name: str
    kind: str
    file: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    licence: str
    joint_set: str | None = None
    body_model: str | None = None
    body_model_sha256: str | None = None
    normalisation: Mapping[str, Normaliser] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    uncertainty: Calibration | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ManifestError(f"manifest {self.name!r}: expected a kind of {KINDS}, got {self.kind!r}")
        if not self.file or Path(self.file).name != self.file or "\\" in self.file:
            raise ManifestError(f"manifest {self.name!r}: file must be a bare name beside it, got {self.file!r}")
        for digest in filter(None, (self.sha256, self.body_model_sha256)):
            if not _SHA256.fullmatch(digest):
                raise ManifestError(f"manifest {self.name!r}: expected 64 lower-case hex digits, got {digest!r}")
        for tensors in (self.inputs, self.outputs):
            if not tensors or len({t.name for t in tensors}) != len(tensors):
                raise ManifestError(f"manifest {self.name!r}: inputs and outputs need unique names, got {tensors}")

    def model_path(self, json_path: Path) -> Path:
        """The artefact that lies beside the manifest ``json_path``."""
        return json_path.parent / self.file


def load_manifest(json_path: Path) -> Manifest:
    """Read and check a manifest. Raises ManifestError for anything that is not a whole, known manifest."""
    try:
        raw = json.loads(json_path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise ManifestError(f"{json_path}: no such manifest; name the .json file that lies beside the network") from err
    except (OSError, ValueError, RecursionError) as err:  # also numbers that are too long, and what is nested too deep
        raise ManifestError(f"{json_path}: not a readable manifest ({err}); export or install it again") from err
    try:
        return _parse(raw)
    except ValueError as err:
        raise ManifestError(f"{json_path}: {err}") from err


def write_manifest(manifest: Manifest, json_path: Path) -> None:
    """Write ``manifest`` as JSON; a reader sees the old file or the whole new one, never a part."""
    content = json.dumps({"format": FORMAT, **dataclasses.asdict(manifest)}, indent=2, ensure_ascii=False)
    with atomic_path(json_path) as temporary:
        temporary.write_text(content + "\n", encoding="utf-8")


def verify(manifest: Manifest, json_path: Path) -> bytes:
    """Content of the artefact beside ``json_path``.

    Raises ManifestError unless it is what ``manifest`` describes. Parse these bytes, not the file again:
    they are what was verified.
    """
    path = manifest.model_path(json_path)
    if not path.is_file():
        raise ManifestError(f"{path}: missing, though {json_path.name} describes it; export or install it again")
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != manifest.sha256:
        raise ManifestError(
            f"{path}: sha256 is {actual}, {json_path.name} says {manifest.sha256}: the file is damaged or belongs to "
            "another manifest; export or install both again"
        )
    return content


def file_sha256(path: Path) -> str:
    """Digest of a file in lower-case hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that becomes ``path`` when the block ends well, and vanishes otherwise."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with named_os_errors(path):
            yield temporary
        temporary.chmod(0o644)  # mkstemp makes private files, but artefacts are for all users
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def models_dir() -> Path:
    """The directory of artefacts: $HMR_ROS_MODELS, or else the shipped one (``share_dir``)."""
    if chosen := os.environ.get(MODELS_VARIABLE):
        if not Path(chosen).is_dir():
            raise FileNotFoundError(f"{MODELS_VARIABLE}={chosen} is not a directory; correct or unset the variable")
        return Path(chosen)
    return share_dir() / "models"


def _parse(raw: object) -> Manifest:
    """Build a Manifest from decoded JSON; every mistake is a ManifestError that names the field."""
    if not isinstance(raw, dict):
        raise ManifestError(f"expected a JSON object, got {type(raw).__name__}")
    if raw.get("format") != FORMAT:
        raise ManifestError(f"expected format {FORMAT}, got {raw.get('format')!r}; was it made by another version?")
    if unknown := raw.keys() - {f.name for f in dataclasses.fields(Manifest)} - {"format"}:
        raise ManifestError(f"unknown fields {sorted(unknown)}")
    return Manifest(
        name=text(raw, "name"),
        kind=text(raw, "kind"),
        file=text(raw, "file"),
        sha256=text(raw, "sha256"),
        inputs=_tensors(raw, "inputs"),
        outputs=_tensors(raw, "outputs"),
        licence=text(raw, "licence"),
        joint_set=optional_text(raw, "joint_set"),
        body_model=optional_text(raw, "body_model"),
        body_model_sha256=optional_text(raw, "body_model_sha256"),
        normalisation={key: _normaliser(key, value) for key, value in mapping(raw, "normalisation").items()},
        provenance={key: str(value) for key, value in mapping(raw, "provenance").items()},
        metrics={key: number(key, value) for key, value in mapping(raw, "metrics").items()},
        uncertainty=_calibration(mapping(raw, "uncertainty")) if raw.get("uncertainty") is not None else None,
    )


def _calibration(raw: Mapping[str, object]) -> Calibration:
    try:
        return Calibration(
            seen=_joint_deviations(mapping(raw, "seen")),
            unseen=_joint_deviations(mapping(raw, "unseen")),
            root_along=_root_deviation(mapping(raw, "root_along")),
            root_across=_root_deviation(mapping(raw, "root_across")),
            levels=numbers(raw, "levels"),
            joint_radii=numbers(raw, "joint_radii"),
            root_radii=numbers(raw, "root_radii"),
            forecast=_forecast(mapping(raw, "forecast")) if raw.get("forecast") is not None else None,
            **{name: number(name, raw[name]) for name in _DOUBTS if name in raw},
        )
    except ValueError as err:
        raise ManifestError(f"uncertainty: {err}; run `hmr calibrate` again") from err


_DOUBTS = ("joint_doubt", "along_doubt", "across_doubt", "seen_power")
"""Absent from manifests that were calibrated before, and of networks that read images."""


def _forecast(raw: Mapping[str, object]) -> ForecastCalibration:
    return ForecastCalibration(
        root_along=numbers(raw, "root_along"),
        root_across=numbers(raw, "root_across"),
        joints=rows(raw, "joints"),
        joint_radii=rows(raw, "joint_radii"),
        root_radii=rows(raw, "root_radii"),
    )


def _joint_deviations(raw: Mapping[str, object]) -> JointDeviations:
    return JointDeviations(numbers(raw, "along"), numbers(raw, "across"))


def _root_deviation(raw: Mapping[str, object]) -> RootDeviation:
    return RootDeviation(number("scale", raw.get("scale")), number("exponent", raw.get("exponent")))


def _normaliser(key: str, value: object) -> Normaliser:
    if isinstance(value, list):
        return tuple(number(key, v) for v in value)
    return value if isinstance(value, str) else number(key, value)


def _tensors(raw: Mapping[str, object], key: str) -> tuple[TensorSpec, ...]:
    tensors = raw.get(key)
    if not isinstance(tensors, list):
        raise ManifestError(f"{key}: expected a list of tensors, got {tensors!r}")
    return tuple(_tensor(key, tensor) for tensor in tensors)


def _tensor(key: str, raw: object) -> TensorSpec:
    if not isinstance(raw, dict) or raw.keys() != {"name", "dtype", "shape"} or not isinstance(raw["shape"], list):
        raise ManifestError(f"{key}: a tensor has a name, a dtype and a list as shape, got {raw!r}")
    return TensorSpec(text(raw, "name"), text(raw, "dtype"), tuple(raw["shape"]))
