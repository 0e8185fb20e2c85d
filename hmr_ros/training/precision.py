# SPDX-License-Identifier: Apache-2.0
"""The precision that hidden layers are computed in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def hidden_precision(device: torch.device, bfloat16: bool) -> AbstractContextManager[object]:
    """The context of hidden layers: bfloat16 if the run asks for it and ``device`` computes it in hardware, else fp32.

    A processor without it emulates bfloat16, which takes twenty times as long as fp32.
    """
    if not (bfloat16 and has_bfloat16(device)):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def has_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
