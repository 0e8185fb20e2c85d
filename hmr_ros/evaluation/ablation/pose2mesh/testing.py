# SPDX-License-Identifier: Apache-2.0
"""Errors of trained networks, each on the same people: synthetic ones with every 2D error, or those of a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.records import join_rows
from hmr_ros.evaluation.held_out.predictor import Predictor, open_predictor
from hmr_ros.evaluation.held_out.synthetic import evaluate_synthetic, sampled_people
from hmr_ros.evaluation.protocols.evaluate import person_errors, read_people
from hmr_ros.evaluation.protocols.registry import ACCELERATION, Protocol
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.datasets.reading import naming
from hmr_ros.training.real.images import ImageDirectory
from hmr_ros.training.synthetic.people import PeopleSampler, evaluated_people

METRICS = ("MPJPE", "PA-MPJPE", "MPVPE")


@dataclass(frozen=True, eq=False)
class TestErrors:
    """Errors on one test's people: ``values`` by metric, (N,) mm each; ``persons`` (N,) whom or what clip they are."""

    __test__ = False  # no test of pytest's

    values: Mapping[str, Floats]
    persons: Strings


@dataclass(frozen=True, eq=False)
class SyntheticTest:
    """Synthetic people of the motion's split "val", as the recipe draws them but in recorded poses."""

    motion: Motion
    people: int
    key = "synthetic"

    def errors(self, network: Path, config: TrainConfig, body: BodyModel) -> dict[str, TestErrors]:
        """By the kind of 2D error."""
        predictor = open_predictor(network, body)
        mix = evaluated_people(config.people)
        sampler = PeopleSampler(self.motion.select("val"), body, predictor.joint_set, mix)
        found = evaluate_synthetic([predictor], sampled_people(sampler, self.people, 0), body, 0)
        return {
            f"2D: {source}": TestErrors(
                dict(zip(METRICS, (errors.mpjpe, errors.pa_mpjpe, errors.mpvpe), strict=True)), found.clips
            )
            for (source, _), errors in found.errors.items()
        }


@dataclass(frozen=True, eq=False)
class ProtocolTest:
    """The people of a protocol below ``root``."""

    protocol: Protocol
    root: Path
    bodies: Mapping[str, BodyModel]

    @property
    def key(self) -> str:
        """A name for files."""
        return self.protocol.name

    def errors(self, network: Path, config: TrainConfig, body: BodyModel) -> dict[str, TestErrors]:
        """By the name of the protocol; without metrics that some people have no ground truth for."""
        predictor = open_predictor(network, body)
        values, persons = self._of(predictor, body)
        names = [name for name in self.protocol.metrics if name != ACCELERATION]
        columns = {name: column for name, column in zip(names, values.T, strict=True) if name in METRICS}
        known = {name: column for name, column in columns.items() if np.isfinite(column).all()}
        return {self.protocol.name: TestErrors(known, persons)}

    def _of(self, predictor: Predictor, body: BodyModel) -> tuple[Floats, Strings]:
        """Values (N, M) by metric and the persons (N,)."""
        people, path = read_people(self.protocol, self.root, body)
        images = ImageDirectory(self.root / self.protocol.dataset)
        with naming(path):
            by_output, evaluated = person_errors(self.protocol, predictor, people, body, self.bodies, images)
        return join_rows(list(by_output.values())[-1]).values, evaluated.person


Test = SyntheticTest | ProtocolTest


def stored_errors(tests: list[Test], network: Path, config: TrainConfig, body: BodyModel) -> dict[str, TestErrors]:
    """Errors on all tests; kept in a file for each beside the checkpoint ``network``."""
    found: dict[str, TestErrors] = {}
    for test in tests:
        path = network.with_name(f"errors_{test.key}.npz")
        if not path.exists():
            _save(test.errors(network, config, body), path)
        found |= _load(path)
    return found


def _save(found: Mapping[str, TestErrors], path: Path) -> None:
    arrays: dict[str, NDArray[np.generic]] = {f"{test}|person": errors.persons for test, errors in found.items()}
    for test, errors in found.items():
        arrays |= {f"{test}|{name}": values for name, values in errors.values.items()}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # its stubs take any keyword for allow_pickle


def _load(path: Path) -> dict[str, TestErrors]:
    with np.load(path) as archive:
        tests = dict.fromkeys(name.rpartition("|")[0] for name in archive.files)
        return {
            test: TestErrors(
                {name: archive[f"{test}|{name}"] for name in METRICS if f"{test}|{name}" in archive.files},
                archive[f"{test}|person"],
            )
            for test in tests
        }
