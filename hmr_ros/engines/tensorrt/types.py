# SPDX-License-Identifier: Apache-2.0
"""What this package uses of TensorRT's Python API: the part that 10.3, 10.13, 11.4 and RTX 1.7 have in common.

Names and signatures are TensorRT's own (its reference describes them). The tests look every name up in the bindings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Shape = Sequence[int]


class Tensor(Protocol):
    """ITensor: an input or output of a network that is being built."""

    name: str
    shape: Shape

    def get_dimension_name(self, index: int) -> str:
        """The ONNX name of a size that varies."""


class Network(Protocol):
    """INetworkDefinition."""

    num_inputs: int

    def get_input(self, index: int) -> Tensor:
        """An input."""


class OptimizationProfile(Protocol):
    """IOptimizationProfile."""

    def set_shape(self, input: str, min: Shape, opt: Shape, max: Shape) -> None:
        """Which shapes an input may have."""


class BuilderConfig(Protocol):
    """IBuilderConfig."""

    progress_monitor: object
    hardware_compatibility_level: object
    num_compute_capabilities: int  # RTX only

    def set_memory_pool_limit(self, pool: object, pool_size: int) -> None:
        """Bytes that a MemoryPoolType may take."""

    def set_flag(self, flag: object) -> None:
        """Switch a BuilderFlag on."""

    def clear_flag(self, flag: object) -> None:
        """Switch a BuilderFlag off."""

    def add_optimization_profile(self, profile: OptimizationProfile) -> int:
        """-1 if the profile is not valid."""

    def set_compute_capability(self, compute_capability: object, index: int) -> bool:
        """RTX only."""


class HostMemory(Protocol):
    """IHostMemory."""

    nbytes: int

    def __buffer__(self, flags: int, /) -> memoryview:
        """The bytes."""


class Builder(Protocol):
    """Builder."""

    def create_network(self, flags: int) -> Network:
        """``flags``: bits of NetworkDefinitionCreationFlag."""

    def create_builder_config(self) -> BuilderConfig:
        """With defaults."""

    def create_optimization_profile(self) -> OptimizationProfile:
        """Empty."""

    def build_serialized_network(self, network: Network, config: BuilderConfig) -> HostMemory | None:
        """None if it failed; the logger got the reason."""


class ParserError(Protocol):
    """ParserError."""

    def desc(self) -> str:
        """What is wrong."""

    def node_name(self) -> str:
        """With which ONNX node."""


class OnnxParser(Protocol):
    """OnnxParser."""

    num_errors: int

    def parse(self, model: bytes) -> bool:
        """Fill the network that the parser was made with."""

    def get_error(self, index: int) -> ParserError:
        """Why parsing failed."""


class ExecutionContext(Protocol):
    """IExecutionContext."""

    def set_input_shape(self, name: str, shape: Shape) -> bool:
        """False if the profile does not hold ``shape``."""

    def get_tensor_shape(self, name: str) -> Shape:
        """Of an input, or of the output that follows from all inputs."""

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Where on the GPU a tensor lies."""

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue one inference."""

    def set_device_memory(self, memory: int, size: int) -> None:
        """Scratch memory of a USER_MANAGED context."""

    def is_stream_capturable(self, stream: int) -> bool:
        """RTX only."""


class CudaEngine(Protocol):
    """ICudaEngine."""

    num_io_tensors: int
    device_memory_size_v2: int

    def get_tensor_name(self, index: int) -> str:
        """Name of an input or output."""

    def get_tensor_mode(self, name: str) -> object:
        """TensorIOMode.INPUT or OUTPUT."""

    def get_tensor_dtype(self, name: str) -> object:
        """DataType."""

    def get_tensor_shape(self, name: str) -> Shape:
        """-1 for sizes that vary."""

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> Sequence[Shape]:
        """Smallest, best and largest shape of an input."""

    def create_execution_context(self, how: object) -> ExecutionContext | None:
        """``how``: an ExecutionContextAllocationStrategy, or with RTX a RuntimeConfig. None if it failed."""

    def create_runtime_config(self) -> RuntimeConfig:
        """Not in 10.3."""


class Runtime(Protocol):
    """Runtime."""

    engine_host_code_allowed: bool

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> CudaEngine | None:
        """None if it does not fit; the logger got the reason."""

    def get_engine_validity(self, buffer: bytes) -> tuple[object, object]:
        """EngineValidity and diagnostics. RTX only."""


class RuntimeCache(Protocol):
    """IRuntimeCache, RTX only: kernels compiled for this GPU."""

    def serialize(self) -> HostMemory:
        """For the next start."""

    def deserialize(self, blob: bytes) -> bool:
        """False if it is damaged or of another GPU, driver or version."""


class RuntimeConfig(Protocol):
    """IRuntimeConfig; what is used of it is RTX's."""

    dynamic_shapes_kernel_specialization_strategy: object

    def create_runtime_cache(self) -> RuntimeCache:
        """Empty."""

    def set_execution_context_allocation_strategy(self, strategy: object) -> None:
        """ExecutionContextAllocationStrategy."""

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        """Let contexts use ``cache``."""
