# SPDX-License-Identifier: Apache-2.0
"""One table from start to end: train what is missing, evaluate, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.evaluation.ablation.pose2mesh.costs import cost_of
from hmr_ros.evaluation.ablation.pose2mesh.report import Cost, TestLine, lines
from hmr_ros.evaluation.ablation.pose2mesh.tables import Arm, arms_of, check
from hmr_ros.evaluation.ablation.pose2mesh.testing import Test, TestErrors, stored_errors
from hmr_ros.evaluation.ablation.pose2mesh.training import seeded, trained
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import TrainConfig


@dataclass(frozen=True, eq=False)
class Ablation:
    """What all networks of the tables share: the recipe, its body, the people to evaluate on, and where runs lie."""

    config: TrainConfig
    body: BodyModel
    tests: list[Test]
    seeds: int
    out: Path

    def table(self, name: str) -> list[TestLine]:
        """The lines of the table ``name``; runs that are finished are read."""
        check(self.config)
        arms = arms_of(name, self.config)
        errors: list[list[dict[str, TestErrors]]] = [[] for _ in arms]
        for seed in tqdm(range(self.seeds), desc=name, unit="seed"):
            for runs, arm in zip(errors, arms, strict=True):
                runs.append(self._errors(arm, seed))
        return lines(arms, self._costs(arms), errors)

    def _errors(self, arm: Arm, seed: int) -> dict[str, TestErrors]:
        config = seeded(self.config, seed)
        network = trained(arm, config, self.body, self.out / f"seed{seed}")
        return stored_errors(self.tests, network, arm.of(config), self.body)

    def _costs(self, arms: Sequence[Arm]) -> list[Cost]:
        """Of every arm; networks that are alike are measured once."""
        topology = load_checkpoint(self.out / "seed0" / arms[0].file_name / "last.pt").topology
        configs = {config.paper: config for config in (arm.of(self.config) for arm in arms)}
        costs = {paper: cost_of(config, self.body, topology) for paper, config in configs.items()}
        return [costs[arm.of(self.config).paper] for arm in arms]
