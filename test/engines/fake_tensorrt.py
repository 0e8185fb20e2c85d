# SPDX-License-Identifier: Apache-2.0
"""TensorRT without a GPU, as far as the engines use it, on the memory of a FakeCuda.

The classes have the names that the real bindings of each version have, and no others (tensorrt_bindings.json, written
down from the wheels): using one that a version lacks is an AttributeError here as it would be there. It says nothing
about speed, or about whether TensorRT likes a network.
"""

from __future__ import annotations

import json
import types
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from test.engines.fake_cuda import FakeCuda

BINDINGS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("tensorrt_bindings.json").read_text(encoding="utf-8")
)
"""Library and version -> class -> its public names."""

Arrays = Mapping[str, np.ndarray]


@dataclass
class FakeNetwork:
    """What every engine of a FakeTensorRt is: ``inputs`` and ``outputs`` name -> (dtype, shape with named sizes)."""

    inputs: dict[str, tuple[str, tuple[int | str, ...]]]
    outputs: dict[str, tuple[str, tuple[int | str, ...]]]
    compute: Callable[[Arrays], Arrays]


@dataclass
class FakeTensorRt:
    """The module ``tensorrt`` or ``tensorrt_rtx`` of one of BINDINGS.

    ``configs`` are the configurations that were built with; ``breaks`` may hold "parse", "build", "deserialize",
    "context", "execute" or "validity": what is to fail.
    """

    bindings: str
    network: FakeNetwork
    cuda: FakeCuda
    breaks: set[str] = field(default_factory=set)
    configs: list[Any] = field(default_factory=list)
    phases: tuple[tuple[str, str | None, int], ...] = (("outer", None, 2), ("inner", "outer", 4))
    kernels_given: list[bytes] = field(default_factory=list)

    @property
    def edition(self) -> str:
        return self.bindings.split()[0]

    def module(self) -> types.ModuleType:
        module = types.ModuleType(self.edition)
        module.__version__ = self.bindings.split()[1]  # type: ignore[attr-defined]
        for name, members in BINDINGS[self.bindings].items():
            setattr(module, name, types.SimpleNamespace(**{m: f"{name}.{m}" for m in members.split()}))
        module.NetworkDefinitionCreationFlag.STRONGLY_TYPED = 0  # a bit's place
        classes = {"Builder": _Builder, "OnnxParser": _Parser, "Runtime": _Runtime}
        for name, cls in classes.items():
            setattr(module, name, lambda *a, name=name, cls=cls: self.make(name, cls, *a))
        module.IProgressMonitor = type("IProgressMonitor", (), {})
        module.ILogger = type("ILogger", (), {m: f"ILogger.{m}" for m in BINDINGS[self.bindings]["ILogger"].split()})
        return module

    def make(self, name: str, cls: type, *arguments: object) -> Any:
        """An object of ``cls`` that has no other names than the bindings' class ``name``."""
        allowed = set(BINDINGS[self.bindings][name].split())

        def check(attribute: str) -> None:
            if not attribute.startswith("_") and attribute not in allowed:
                raise AttributeError(f"{self.bindings}: {name} has no {attribute}")

        class Guarded(cls):  # type: ignore[misc]
            def __getattribute__(self, attribute: str) -> Any:
                check(attribute)
                return super().__getattribute__(attribute)

            def __setattr__(self, attribute: str, value: object) -> None:
                check(attribute)
                super().__setattr__(attribute, value)

        return Guarded(self, *arguments)


class _Object:
    def __init__(self, fake: FakeTensorRt, *arguments: object) -> None:
        self._fake = fake
        self._arguments = arguments


class _Tensor(_Object):
    def __init__(self, fake: FakeTensorRt, name: str) -> None:
        self._sizes = fake.network.inputs[name][1]
        self.name = name
        self.shape = tuple(size if isinstance(size, int) else -1 for size in self._sizes)

    def get_dimension_name(self, index: int) -> str:
        return str(self._sizes[index])


class _NetworkDefinition(_Object):
    @property
    def num_inputs(self) -> int:
        return len(self._fake.network.inputs)

    def get_input(self, index: int) -> Any:
        return self._fake.make("ITensor", _Tensor, list(self._fake.network.inputs)[index])


class _Config(_Object):
    def __init__(self, fake: FakeTensorRt) -> None:
        super().__init__(fake)
        self._log: list[tuple[object, ...]] = []
        fake.configs.append(self)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if not name.startswith("_"):
            self._log.append((name, value))

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self._log.append((pool, size))

    def set_flag(self, flag: str) -> None:
        self._log.append(("set", flag))

    def clear_flag(self, flag: str) -> None:
        self._log.append(("clear", flag))

    def set_compute_capability(self, capability: str, index: int) -> bool:
        self._log.append((index, capability))
        return True

    def add_optimization_profile(self, profile: Any) -> int:
        self._log.append(("profile", profile._shapes))
        return 0


class _Profile(_Object):
    def __init__(self, fake: FakeTensorRt) -> None:
        self._shapes: dict[str, tuple[object, ...]] = {}

    def set_shape(self, name: str, low: object, best: object, high: object) -> None:
        self._shapes[name] = (low, best, high)


class _HostMemory(bytes):
    pass


class _Builder(_Object):
    def create_network(self, flags: int) -> Any:
        assert flags == 1, "strongly typed"
        return self._fake.make("INetworkDefinition", _NetworkDefinition)

    def create_builder_config(self) -> Any:
        return self._fake.make("IBuilderConfig", _Config)

    def create_optimization_profile(self) -> Any:
        return self._fake.make("IOptimizationProfile", _Profile)

    def build_serialized_network(self, network: object, config: Any) -> bytes | None:
        monitor = config.progress_monitor
        for phase in self._fake.phases:
            monitor.phase_start(*phase)
        for name, _, steps in reversed(self._fake.phases):
            for step in range(steps):
                if not monitor.step_complete(name, step):
                    return None
            monitor.phase_finish(name)
        if "build" in self._fake.breaks:
            logger = self._arguments[0]
            logger.log("ILogger.ERROR", "no kernel for it")  # type: ignore[attr-defined]
            return None
        return _HostMemory(b"engine:" + self._fake.bindings.encode())


class _ParserError(_Object):
    def desc(self) -> str:
        return "an operation it does not know"

    def node_name(self) -> str:
        return "scatter"


class _Parser(_Object):
    num_errors = 1

    def parse(self, model: bytes) -> bool:
        return "parse" not in self._fake.breaks

    def get_error(self, index: int) -> Any:
        return self._fake.make("ParserError", _ParserError)


class _Runtime(_Object):
    engine_host_code_allowed = False

    def get_engine_validity(self, data: bytes) -> tuple[str, str]:
        return "EngineValidity." + ("INVALID" if "validity" in self._fake.breaks else "VALID"), "OLD_CUDA_DRIVER"

    def deserialize_cuda_engine(self, data: bytes) -> Any:
        if "deserialize" in self._fake.breaks or data != b"engine:" + self._fake.bindings.encode():
            return None
        return self._fake.make("ICudaEngine", _Engine)


class _RuntimeCache(_Object):
    def serialize(self) -> bytes:
        return b"kernels"

    def deserialize(self, blob: bytes) -> bool:
        self._fake.kernels_given.append(blob)
        return blob == b"kernels"


class _RuntimeConfig(_Object):
    dynamic_shapes_kernel_specialization_strategy = ""

    def set_execution_context_allocation_strategy(self, strategy: str) -> None:
        assert strategy == "ExecutionContextAllocationStrategy.USER_MANAGED"

    def create_runtime_cache(self) -> Any:
        return self._fake.make("IRuntimeCache", _RuntimeCache)

    def set_runtime_cache(self, cache: object) -> bool:
        return True


class _Engine(_Object):
    device_memory_size_v2 = 64

    @property
    def num_io_tensors(self) -> int:
        return len(self._all())

    def get_tensor_name(self, index: int) -> str:
        return list(self._all())[index]

    def get_tensor_mode(self, name: str) -> str:
        return "TensorIOMode." + ("INPUT" if name in self._fake.network.inputs else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> str:
        names = {"float32": "FLOAT", "uint8": "UINT8", "float16": "HALF"}
        return f"DataType.{names[self._all()[name][0]]}"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(size if isinstance(size, int) else -1 for size in self._all()[name][1])

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        return [tuple(s if isinstance(s, int) else bound for s in self._all()[name][1]) for bound in (1, 4, 8)]

    def create_runtime_config(self) -> Any:
        return self._fake.make("IRuntimeConfig", _RuntimeConfig)

    def create_execution_context(self, how: object) -> Any:
        return None if "context" in self._fake.breaks else self._fake.make("IExecutionContext", _Context)

    def _all(self) -> dict[str, tuple[str, tuple[int | str, ...]]]:
        return {**self._fake.network.inputs, **self._fake.network.outputs}


class _Context(_Object):
    def __init__(self, fake: FakeTensorRt) -> None:
        super().__init__(fake)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._sizes: dict[str, int] = {}
        self._addresses: dict[str, int] = {}
        self._scratch = 0

    def set_device_memory(self, memory: int, size: int) -> None:
        assert len(self._fake.cuda.memory[memory]) >= size
        self._scratch = memory

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        declared = self._fake.network.inputs[name][1]
        if any(isinstance(named, str) and not 1 <= size <= 8 for named, size in zip(declared, shape, strict=True)):
            return False
        self._shapes[name] = tuple(shape)
        self._sizes |= {str(d): s for d, s in zip(declared, shape, strict=True)}
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        sizes = {**self._fake.network.inputs, **self._fake.network.outputs}[name][1]
        return tuple(size if isinstance(size, int) else self._sizes.get(size, -1) for size in sizes)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def is_stream_capturable(self, stream: int) -> bool:
        return "capture" not in self._fake.breaks

    def execute_async_v3(self, stream: int) -> bool:
        network, cuda = self._fake.network, self._fake.cuda
        assert stream == 42
        assert self._scratch
        shapes = {name: self.get_tensor_shape(name) for name in (*network.inputs, *network.outputs)}
        where, this = dict(self._addresses), weakref.ref(self)

        def infer() -> None:
            assert this() is not None, "a graph was launched after the end of its context"
            arrays = {n: cuda.array(where[n], dtype, shapes[n]) for n, (dtype, _) in network.inputs.items()}
            for name, value in network.compute(arrays).items():
                cuda.array(where[name], network.outputs[name][0], shapes[name])[...] = value

        cuda.put(infer)
        return "execute" not in self._fake.breaks
