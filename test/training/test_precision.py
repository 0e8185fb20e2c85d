# SPDX-License-Identifier: Apache-2.0
"""bfloat16 only where it is asked for and the processor has it."""

import pytest
import torch

from hmr_ros.training.precision import has_bfloat16, hidden_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("capability", ["avx512_bf16", "amx_bf16", "bf16"])
@pytest.mark.parametrize("there", [True, False])
def test_a_cpu_has_what_it_reports(monkeypatch, capability: str, there: bool):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, capability: there})
    assert has_bfloat16(CPU) == there
    assert not has_bfloat16(torch.device("meta")), "another device does not compute as the processor does"


@pytest.mark.parametrize(("wanted", "there"), [(True, True), (True, False), (False, True)])
def test_hidden_layers_are_rounded_only_if_asked_for_and_there(monkeypatch, wanted: bool, there: bool):
    monkeypatch.setattr("hmr_ros.training.precision.has_bfloat16", lambda device: there)
    with hidden_precision(CPU, wanted):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if wanted and there else torch.float32)
