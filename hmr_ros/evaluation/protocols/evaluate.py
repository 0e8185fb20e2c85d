# SPDX-License-Identifier: Apache-2.0
"""A network over the people of a protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Floats, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.metrics import Interval, bootstrap_mean
from hmr_ros.core.records import join_rows
from hmr_ros.evaluation.held_out.annotated import cases
from hmr_ros.evaluation.held_out.predictor import Predictor
from hmr_ros.evaluation.protocols.errors import PersonErrors, acceleration_errors, errors_of
from hmr_ros.evaluation.protocols.registry import ACCELERATION, Protocol
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.layouts import find_layout
from hmr_ros.training.datasets.possible import possible
from hmr_ros.training.real.images import ImageDirectory

_BATCH = 100


@dataclass(frozen=True)
class ProtocolRow:
    """One ``output`` of a network on ``count`` people; ``errors`` by metric, mm (PCK and AUC: percent)."""

    output: str
    count: int
    errors: dict[str, Interval]


def read_people(protocol: Protocol, root: Path, body: BodyModel) -> tuple[AnnotatedPeople, Path]:
    """The people of ``protocol`` below ``root`` with ground truth for its metrics, and the file they are read from."""
    layout, path = find_layout(root, protocol.dataset, protocol.split)
    people = possible(layout.read(path, body))
    people = people.take(people.fitted | people.measured)
    if not len(people):
        raise ValueError(f"{path}: no person with SMPL parameters or measured joints")
    return people, path


def evaluate(
    protocol: Protocol,
    predictor: Predictor,
    people: AnnotatedPeople,
    body: BodyModel,
    bodies: Mapping[str, BodyModel],
    images: ImageDirectory,
) -> list[ProtocolRow]:
    """One row for each output of the network; ``body`` is its model, ``bodies`` the ground truth's by gender."""
    parts, evaluated = person_errors(protocol, predictor, people, body, bodies, images)
    return [_row(output, protocol, join_rows(errors), evaluated) for output, errors in parts.items()]


def person_errors(
    protocol: Protocol,
    predictor: Predictor,
    people: AnnotatedPeople,
    body: BodyModel,
    bodies: Mapping[str, BodyModel],
    images: ImageDirectory,
) -> tuple[dict[str, list[PersonErrors]], AnnotatedPeople]:
    """Errors of each output of the network, in batches, and the people they are of, in the same order."""
    if not predictor.reads_images and not (people.kp2d_score > 0).any():
        raise ValueError(f"{predictor.name} reads 2D keypoints, and these annotations have none")
    parts: dict[str, list[PersonErrors]] = {}
    order = []
    shown = images if predictor.reads_images else None
    for case, part in cases(people, predictor.joint_set, bodies, _BATCH, shown):
        order.append(part)
        for found in predictor.predict(case):
            parts.setdefault(found.output, []).append(errors_of(found, case, body, protocol))
    return parts, join_rows([dataclasses.replace(part, kp2d_source="") for part in order])


def _row(output: str, protocol: Protocol, errors: PersonErrors, people: AnnotatedPeople) -> ProtocolRow:
    names = [metric for metric in protocol.metrics if metric != ACCELERATION]
    found = {name: _interval(values, people.person) for name, values in zip(names, errors.values.T, strict=True)}
    if ACCELERATION in protocol.metrics:
        values, rows = acceleration_errors(errors, people.track, people.frame)
        found[ACCELERATION] = _interval(values, people.person[rows])
    ordered = {metric: interval for metric in protocol.metrics if (interval := found[metric]) is not None}
    return ProtocolRow(output, len(errors), ordered)


def _interval(values: Floats, persons: Strings) -> Interval | None:
    """The mean over people who have a value, with an interval over persons; None where there are none."""
    known = np.isfinite(values)
    if not known.any():
        return None
    return bootstrap_mean(values[known], np.unique(persons[known], return_inverse=True)[1])
