# SPDX-License-Identifier: Apache-2.0
"""A device that stands in for a GPU: it computes on the CPU, and refuses tensors that were not moved to it.

Its tensors say that they are on PyTorch's device "meta", whose operations PyTorch leaves to us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")

_aten = torch.ops.aten
_CROSSES = {_aten._to_copy.default, _aten.copy_.default}
_INDICES_MAY_STAY = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default}


class Separate(Tensor):
    """A tensor of ``DEVICE`` with the numbers of ``held``."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Separate:
        out = Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=DEVICE
        )
        out.held = held
        return out

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"Separate({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """Makes new tensors on ``DEVICE`` when code asks for it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


class _FromNumbers(TorchFunctionMode):
    """Tensors of given numbers, which PyTorch would make without their numbers on a device that it takes for empty."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is Tensor.new_tensor and isinstance(args[0], Separate):
            return args[0].held.new_tensor(*args[1:], **kwargs).to(DEVICE)
        if func in (torch.tensor, torch.as_tensor) and "device" in kwargs:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


@contextmanager
def separate_device() -> Iterator[torch.device]:
    """``DEVICE``, for as long as the context lasts."""
    with _FromNumbers(), _Factories():
        yield DEVICE


def compute(func: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> object:
    """What ``func`` gives, on ``DEVICE`` if it is asked for or has arguments there."""
    leaves = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    there = [x for x in leaves if isinstance(x, Separate)]
    asked = kwargs.get("device")
    if there and func not in _CROSSES:
        refuse_others(func, args if func not in _INDICES_MAY_STAY else (args[0], *args[2:]), kwargs)
    target = bool(there) if asked is None else torch.device(asked).type == DEVICE.type
    if asked is not None and target:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    out = func(*tree_map(held, args), **tree_map(held, kwargs))
    if func._schema.name.endswith("_"):  # in place
        return args[0] if func._schema.returns else None
    return tree_map(lambda x: Separate(x) if isinstance(x, Tensor) else x, out) if target else out


def held(x: object) -> object:
    """The CPU's tensor of one on ``DEVICE``; anything else unchanged."""
    return x.held if isinstance(x, Separate) else x


def refuse_others(func: object, args: object, kwargs: object) -> None:
    """RuntimeError for a tensor of the CPU; single numbers may mix, as with a GPU."""
    for x in tree_leaves((args, kwargs)):
        if isinstance(x, Tensor) and not isinstance(x, Separate) and x.ndim:
            raise RuntimeError(f"{func}: a tensor {tuple(x.shape)} of the CPU among those of another device")
