# SPDX-License-Identifier: Apache-2.0
"""Evaluation of methods on synthetic people, drawn from a seed or read from shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Floats, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.evaluation.held_out.case import Case, SyntheticPeople, observed
from hmr_ros.evaluation.held_out.combined import combined, correlation, products
from hmr_ros.evaluation.held_out.comparison import gains, verdict
from hmr_ros.evaluation.held_out.crop_predictor import GLOBAL, LOCAL
from hmr_ros.evaluation.held_out.predictor import Predictor, own_case
from hmr_ros.evaluation.held_out.protocol import OWN, SOURCES, errors_of, groupings
from hmr_ros.evaluation.held_out.report import Errors, Grouping, Row, join_groupings, summarise
from hmr_ros.training.synthetic.images import ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import read_shard, shards_of
from hmr_ros.training.synthetic.people import PeopleSampler
from hmr_ros.training.synthetic.visibility import in_group

BATCH = 250


def sampled_people(sampler: PeopleSampler | ImageSampler, samples: int, seed: int) -> Iterator[SyntheticPeople]:
    """``samples`` people in batches; the content of a batch depends on the seed and its number only."""
    for first in range(0, samples, BATCH):
        yield sampler.sample(default_rng((seed, first)), min(BATCH, samples - first))


def people_of_shards(directory: Path, samples: int) -> Iterator[SyntheticPeople]:
    """The first ``samples`` people of the shards of a directory."""
    for path in shards_of(directory):
        shard = read_shard(path).take(slice(samples))
        for first in range(0, len(shard), BATCH):
            yield shard.take(slice(first, first + BATCH))
        samples -= len(shard)
        if not samples:
            return


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Errors by 2D source and output, on N people in ``groupings``; ``clips`` (N,) that they move as.

    ``correlations`` of the errors of two methods, by 2D source, where there are two.
    """

    errors: Mapping[tuple[str, str], Errors]
    groupings: Sequence[Grouping]
    clips: Strings
    correlations: Mapping[str, float] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """The rows of the report, by source, then split, then output."""
        out: list[Row] = []
        for source in (*SOURCES, OWN):
            tables = [
                summarise(source, output, errors, self.groupings, self.clips)
                for (of_source, output), errors in self.errors.items()
                if of_source == source
            ]
            out += [row for same in zip(*tables, strict=True) for row in same]
        return out

    def verdicts(self) -> list[str]:
        """For every 2D source with both stages, how far the local stage improves on the global stage."""
        out = []
        for source in (*SOURCES, OWN):
            local, coarse = self.errors.get((source, LOCAL)), self.errors.get((source, GLOBAL))
            if local and coarse:
                found = gains(local, coarse, self.groupings, self.clips)
                out.append(f"{source}: {verdict(LOCAL, GLOBAL, found)}")
        return out + [f"{source}: both methods' errors correlate by {r:.2f}" for source, r in self.correlations.items()]


def evaluate_synthetic(
    predictors: Sequence[Predictor],
    batches: Iterable[SyntheticPeople],
    body: BodyModel,
    seed: int,
    missing: str | None = None,
) -> Evaluation:
    """Evaluate all ``predictors`` on the same people and 2D sources; without keypoints, only those that read images.

    Where one of them finds keypoints itself, all are evaluated with these, too.

    Two methods are also evaluated together (``combined``).
    ``missing``: the group of keypoints (training.synthetic.visibility.GROUPS) that nobody has.
    """
    errors: dict[tuple[str, str], list[Errors]] = {}
    shared: dict[str, list[Floats]] = {}
    groups, clips, first = [], [], 0
    for people in batches:
        for source, case in _cases(predictors, people, body, (seed, first)):
            case = case if missing is None else case.without(in_group(JOINT_SETS[case.joint_set], missing))
            able = [predictor for predictor in predictors if SOURCES.get(source, OWN) or predictor.reads_images]
            answers = [predictor.predict(case) for predictor in able]
            if [predictor.reads_images for predictor in able] in ([True, False], [False, True]):
                published = answers[0][-1], answers[1][-1]
                answers.append(combined(*published))
                shared.setdefault(source, []).append(products(*published, case))
            for found in (answer for of_one in answers for answer in of_one):
                errors.setdefault((source, found.output), []).append(errors_of(found, case, body))
        groups.append(groupings(people))
        clips.append(people.clip.astype(str))
        first += len(people)
    joined = {key: join_rows(parts) for key, parts in errors.items()}
    correlations = {source: correlation(np.concatenate(parts)) for source, parts in shared.items()}
    return Evaluation(joined, join_groupings(groups), np.concatenate(clips), correlations)


def _cases(
    predictors: Sequence[Predictor], people: SyntheticPeople, body: BodyModel, key: tuple[int, int]
) -> Iterator[tuple[str, Case]]:
    """The same ``people`` with the keypoints of each 2D source that one of the ``predictors`` can do with."""
    joint_set, reads_images = predictors[0].joint_set, any(predictor.reads_images for predictor in predictors)
    for number, (source, mix) in enumerate(SOURCES.items()):
        if mix or reads_images:
            yield source, observed(people, joint_set, mix, body, default_rng((*key, number)))
    if own := own_case(predictors, people, body, default_rng((*key, len(SOURCES)))):
        yield OWN, own
