# SPDX-License-Identifier: Apache-2.0
"""Compilation: of what, with which compiler; what comes out is what would come out without."""

import copy
import shutil

import pytest
import torch
from torch import nn

from hmr_ros.training import compiling
from hmr_ros.training.compiling import compile_network

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Network(nn.Module):
    """One part is called, the other one's parts."""

    def __init__(self) -> None:
        super().__init__()
        self.called = nn.Linear(3, 3)
        self.used = nn.ModuleDict({"first": nn.Linear(3, 3), "second": nn.ModuleList([nn.Linear(3, 3)])})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used["second"][0](self.used["first"](self.called(x)))


@pytest.fixture
def compiled(monkeypatch) -> list[nn.Module]:
    """Modules that are to be compiled; PyTorch's compiler alone takes seconds to import."""
    found: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **_: found.append(module))
    return found


def test_the_network_and_its_parts_are_compiled_and_no_mere_lists(monkeypatch, compiled):
    monkeypatch.setattr(shutil, "which", lambda name: name or None)
    network = Network()
    compile_network(network, CPU)
    assert compiled == [network, network.called, network.used["first"]]


def test_a_missing_compiler_is_told_before_it_is_needed(monkeypatch, compiled):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r"run\.compile: on a CPU PyTorch needs a C\+\+ compiler: install g\+\+"):
        compile_network(Network(), CPU)
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"run\.compile: on a GPU PyTorch compiles with Triton"):
        compile_network(Network(), CUDA)
    assert not compiled
    monkeypatch.setenv("CXX", "my++")
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "my++" else None)
    compile_network(Network(), CPU)
    assert len(compiled) == 3


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_gradients():
    torch.manual_seed(0)
    plain, x = Network(), torch.randn(4, 3)
    compiled = copy.deepcopy(plain)
    compile_network(compiled, CPU, "aot_eager")
    for network in (plain, compiled):
        network(x).square().sum().backward()
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    assert set(plain.state_dict()) == set(compiled.state_dict())
    assert copy.deepcopy(compiled)._compiled_call_impl is None, "an export holds nothing of it"
