# SPDX-License-Identifier: Apache-2.0
"""The variants of the ablation, and the paper's errors for them."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.settings import Value, updated
from hmr_ros.training.config import TrainConfig


@dataclass(frozen=True)
class Variant:
    """A row of the table: the network with one setting changed, and the paper's errors on Human3.6M in mm."""

    name: str
    setting: str
    value: Value
    paper_mpjpe: float
    paper_pa_mpjpe: float

    def of(self, config: TrainConfig) -> TrainConfig:
        """``config`` as this variant trains it."""
        return updated(config, {f"global_to_pixel.{self.setting}": self.value}) if self.setting else config


FULL = Variant("full", "", "", 42.3, 32.1)
WITHOUT_LOCAL = Variant("no local encoding", "local", "off", 47.8, 35.2)
VARIANTS = (
    FULL,
    Variant("fixed matching", "match", "fixed", 44.1, 33.5),
    Variant("fixed RoI", "sampler", "roi", 44.5, 33.8),
    Variant("no residual", "residual", "off", 45.6, 34.0),
    WITHOUT_LOCAL,
)
"""In the paper's order, best first. Source of the figures: a summary of Xiao et al., ECCV 2024."""
