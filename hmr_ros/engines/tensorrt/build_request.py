# SPDX-License-Identifier: Apache-2.0
"""What a TensorRT engine is built from and for: everything that decides whether a stored engine may be used again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.config import PRECISIONS
from hmr_ros.core.manifest import WHOLE_IMAGE_KINDS, Manifest
from hmr_ros.engines.runtime import BATCH_SIZES

Progress = Callable[[str, float], None]
"""Called with the current phase and the fraction of the build that is done, 0 to 1. What it raises ends the build."""

EDITIONS = ("tensorrt", "tensorrt_rtx")
"""The full TensorRT (Jetson, data centre, desktop) and TensorRT for RTX (desktop only, builds without a GPU)."""

ANY_GPU, NO_DRIVER = "any", "none"
"""``gpu_name`` and ``driver`` of an engine that is built for another machine than this one."""

DEFAULT_WORKSPACE_BYTES = 2 << 30
"""What TensorRT may take at most. MoveNet MultiPose asks for 1.08 GB at the largest image size; with less no engine of
it can be built, and TensorRT only says "OutOfMemory".
"""


@dataclass(frozen=True)
class EngineTarget:
    """Where an engine runs.

    ``edition`` is one of EDITIONS and ``version`` the library's own, for example "10.3.0"; ``compute_capability`` is
    "sm_86", or several joined by "+" for an RTX engine that serves them all; ``precision`` is one of PRECISIONS, the
    network's own: engines are strongly typed, so a builder never changes it.
    """

    edition: str
    version: str
    gpu_name: str
    compute_capability: str
    driver: str
    precision: str

    def __post_init__(self) -> None:
        if self.edition not in EDITIONS:
            raise ValueError(f"edition: expected one of {EDITIONS}, got {self.edition!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {PRECISIONS}, got {self.precision!r}")
        for capability in self.compute_capabilities:
            if not capability.removeprefix("sm_").isdecimal() or not capability.startswith("sm_"):
                raise ValueError(f"compute_capability: expected sm_86 or sm_86+sm_89, got {self.compute_capability!r}")

    @property
    def compute_capabilities(self) -> tuple[str, ...]:
        """Each of the GPUs it is for: ("sm_86", "sm_89")."""
        return tuple(self.compute_capability.split("+"))


@dataclass(frozen=True)
class SizeRange:
    """Sizes that an engine takes along one dimension; it is fastest at ``optimum``."""

    minimum: int
    optimum: int
    maximum: int

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= self.optimum <= self.maximum:
            raise ValueError(f"expected 1 <= minimum <= optimum <= maximum, got {self}")


class BatchProfile(SizeRange):
    """The range of the batch dimension, "N" in manifests."""


EVERY_BATCH = BatchProfile(BATCH_SIZES[0], BATCH_SIZES[-2], BATCH_SIZES[-1])
"""For networks that see people, one batch row each."""

ONE_IMAGE = BatchProfile(1, 1, 1)
"""For networks that see whole images."""

IMAGE_SIZES = {"H": SizeRange(64, 352, 1664), "W": SizeRange(64, 640, 1664)}
"""Of networks that search images of any size: best for the middle `detector.size`, up to the largest of panoramas."""


@dataclass(frozen=True)
class BuildRequest:
    """One engine to build. Two equal requests give engines that are good for each other's use.

    ``workspace_bytes`` limits scratch memory on the GPU. ``version_compatible`` engines run on later minor versions of
    the library, ``hardware_compatible`` ones on other GPUs of the same or a later generation; both run slower.
    """

    onnx_path: Path
    onnx_sha256: str
    target: EngineTarget
    profile: BatchProfile
    workspace_bytes: int = DEFAULT_WORKSPACE_BYTES
    version_compatible: bool = False
    hardware_compatible: bool = False

    def __post_init__(self) -> None:
        if self.workspace_bytes <= 0:
            raise ValueError(f"workspace_bytes: expected a positive number, got {self.workspace_bytes}")


def request_for(json_path: Path, manifest: Manifest, target: EngineTarget) -> BuildRequest:
    """The engine of the network beside ``json_path``, in the network's own precision, not that of ``target``."""
    target = dataclasses.replace(target, precision=precision_of(manifest))
    profile = ONE_IMAGE if manifest.kind in WHOLE_IMAGE_KINDS else EVERY_BATCH
    return BuildRequest(manifest.model_path(json_path), manifest.sha256, target, profile)


def precision_of(manifest: Manifest) -> str:
    """One of PRECISIONS; `hmr fp16` writes it down."""
    return manifest.provenance.get("precision", PRECISIONS[0])
