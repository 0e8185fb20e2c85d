# SPDX-License-Identifier: Apache-2.0
"""The settings of how networks are run."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.settings import setting, validate

BACKENDS = ("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "onnxruntime:cuda", "onnxruntime:tensorrt")
"""What may run the networks: "auto" is the fastest that works here; after the colon, ONNX Runtime's provider."""

PRECISIONS = ("fp32", "fp16")
"""Arithmetic of networks on a GPU."""

CPU_PRECISIONS = ("auto", "fp32", "int8")
"""Arithmetic of networks on a CPU, where they have a model in int8."""

BUILD_TIMEOUT_S = 3600.0
"""Maximum time to build one engine: the largest networks take a quarter of an hour on the smallest Jetson."""


@dataclass(frozen=True)
class EngineSettings:
    """How networks are run: the library, its threads, and the TensorRT engines.

    >>> EngineSettings(backend="tensorflow")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: backend: expected auto, tensorrt, tensorrt_rtx, onnxruntime, ... got 'tensorflow'
    """

    backend: str = setting(
        "auto",
        doc="library that runs the networks; auto takes the fastest that works",
        choices=BACKENDS,
        read_only=True,
    )
    engine_cache: str = setting(
        "", doc="directory of TensorRT engines; empty: ~/.cache/hmr_ros/engines (XDG_CACHE_HOME)", read_only=True
    )
    allow_engine_build: bool = setting(
        True,
        doc="build missing TensorRT engines; false: use existing ones, else the CPU (backend: auto)",
        read_only=True,
    )
    engine_build_timeout_s: float = setting(
        BUILD_TIMEOUT_S,
        doc="maximum time to build one engine, which then fails",
        low=10,
        high=7200,
        read_only=True,
    )
    serve_while_building: bool = setting(
        True,
        doc="run on the CPU while TensorRT builds, then switch; false: configuring waits until engines are built",
        read_only=True,
    )
    precision: str = setting(
        "fp16",
        doc="arithmetic of TensorRT: fp16 where the network has a checked fp16 model (hmr fp16), or fp32 throughout",
        choices=PRECISIONS,
        read_only=True,
    )
    cpu_precision: str = setting(
        "fp32",
        doc="arithmetic of searching networks on a CPU; int8 sees fewer people in poor images; auto: int8 where faster",
        choices=CPU_PRECISIONS,
        read_only=True,
    )
    device_id: int = setting(
        0,
        doc="index of the GPU among those of CUDA_VISIBLE_DEVICES; one per process",
        low=0,
        high=15,
        read_only=True,
    )
    num_threads: int = setting(
        0, doc="CPU threads of the networks; 0: the number of cores, at most 4", low=0, high=256, read_only=True
    )

    def __post_init__(self) -> None:
        validate(self)
