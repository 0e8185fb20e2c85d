# SPDX-License-Identifier: Apache-2.0
"""The log of a training run: JSON lines, and TensorBoard events where tensorboard is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from hmr_ros.core.named_errors import named_os_errors


class RunLog:
    """Appends to ``log.jsonl`` in the directory of a run."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "log.jsonl"
        self._file = self._path.open("a", encoding="utf-8")
        self._totals: dict[str, Tensor] = {}
        self._count = 0
        self._events = None
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(directory))

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Count the loss terms of one step, without waiting for a GPU that still computes them."""
        self._count += 1
        for name, value in terms.items():
            value = value.detach().double()
            self._totals[name] = self._totals[name] + value if name in self._totals else value

    def flush(self, stage: str, step: int, rate: float) -> str:
        """Write the means since the last flush, and return them in words."""
        means = {name: total.item() / self._count for name, total in self._totals.items()}
        self._totals, self._count = {}, 0
        self.write({"stage": stage, "step": step, "time": time.time(), "rate": rate, "loss": means})
        return " ".join(f"{name} {value:.4f}" for name, value in means.items())

    def write(self, row: Mapping[str, object]) -> None:
        """Append one row; its mappings of numbers become TensorBoard scalars."""
        with named_os_errors(self._path):
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        for group, values in row.items():
            if self._events and isinstance(values, Mapping):
                for name, value in values.items():
                    self._events.add_scalar(f"{row['stage']}/{group}/{name}", value, row["step"])

    def close(self) -> None:
        """End the files."""
        with contextlib.suppress(OSError):  # what is left to write did not fit before, which was told
            self._file.close()
        if self._events:
            self._events.close()
