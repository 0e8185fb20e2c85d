# SPDX-License-Identifier: Apache-2.0
"""One of two processes that take a step together; run by test_distributed.py with a directory for their results."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hmr_ros.training.device import choose_device
from hmr_ros.training.distributed import join_process_group, leave_process_group


def main(directory: Path) -> None:
    group = join_process_group(choose_device("cpu"))
    used, unused = nn.Linear(3, 1, bias=False), nn.Linear(2, 2)
    nn.init.zeros_(used.weight)
    data = torch.full((4, 3), float(group.rank + 1))

    def loss(batch: torch.Tensor, stage: str, progress: float) -> dict[str, torch.Tensor]:
        return {"error": (used(batch) - 1).square().mean()}

    alone = torch.autograd.grad(loss(data, "", 0.0)["error"], used.weight)[0]
    np.save(directory / f"gradient{group.rank}.npy", alone.numpy())
    parallel = group.parallel(loss, nn.ModuleList([used, unused]), partly_used=True)
    parallel(data, "", 0.0)["error"].backward()
    with torch.no_grad():
        used.weight -= used.weight.grad
    np.save(directory / f"{group.rank}.npy", used.weight.detach().numpy())
    leave_process_group()


main(Path(sys.argv[1]))
