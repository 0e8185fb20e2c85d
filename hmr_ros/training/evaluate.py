"""``hmr evaluate``: errors of a network, on synthetic people of held-out motion or on a licensed data set.

A network that reads images is shown rendered pictures, Pose2Mesh keypoints alone; with ``--beside`` both are judged on
the same people. The protocol is that of ``evaluation/protocol.py``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import default_rng
from tqdm import tqdm

from hmr_ros.core.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import atomic_path, models_dir
from hmr_ros.training.datasets.annotated import AnnotatedPeople, AnnotationReader
from hmr_ros.training.datasets.human36m import read_human36m
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.datasets.spin import read_spin
from hmr_ros.training.datasets.threedpw import read_3dpw
from hmr_ros.training.evaluation.annotated import cases
from hmr_ros.training.evaluation.case import SyntheticPeople, observed
from hmr_ros.training.evaluation.comparison import gains, verdict
from hmr_ros.training.evaluation.crop_predictor import GLOBAL, LOCAL
from hmr_ros.training.evaluation.predictor import Predictor, open_predictor
from hmr_ros.training.evaluation.protocol import SOURCES, errors_of, groupings
from hmr_ros.training.evaluation.report import (
    Errors,
    Grouping,
    Row,
    Strings,
    join_errors,
    join_groupings,
    summarise,
    table,
)
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.shards import read_shard, shards_of
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler, judged_people

READERS: dict[str, AnnotationReader] = {"3dpw": read_3dpw, "human36m": read_human36m, "spin": read_spin}

BATCH = 250


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("model", type=Path, help="manifest (.json) of an exported network, or a checkpoint (.pt)")
    parser.add_argument("--beside", type=Path, help="another network to judge on the same people")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--motion", type=Path, help="motion file (docs/motion_format.md): test on synthetic people")
    data.add_argument("--shards", type=Path, help="folder of pictures (hmr render): test on the people in them")
    data.add_argument("--annotations", type=Path, help="annotations of a data set: test on its people")
    parser.add_argument("--format", choices=READERS, default="3dpw", help="of --annotations (%(default)s)")
    parser.add_argument("--split", default="val", help="subjects of --motion to test on (%(default)s)")
    parser.add_argument("--backgrounds", type=Path, help="folder of pictures without people (procedural without it)")
    parser.add_argument("--samples", type=int, default=4000, help="number of synthetic people (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same people (%(default)s)")
    parser.add_argument("--body", type=Path, help="body model .npz in SMPL's schema (the shipped open body)")
    parser.add_argument("--body-female", type=Path, help="the female SMPL model, for annotations made with it")
    parser.add_argument("--body-male", type=Path, help="the male one")
    parser.add_argument("--json", type=Path, help="write the report there, too")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    predictors = [open_predictor(path, body) for path in (args.model, args.beside) if path]
    names = " and ".join(predictor.name for predictor in predictors)
    if args.annotations:
        genders = {"neutral": args.body, "female": args.body_female, "male": args.body_male}
        bodies = {gender: load_body_model(path) for gender, path in genders.items() if path} | {"neutral": body}
        people = READERS[args.format](args.annotations, body)
        rows = [row for predictor in predictors for row in evaluate_annotated(predictor, people, body, bodies)]
        verdicts = []
    else:
        judgement = judge(predictors, _synthetic_people(args, predictors, body), body, args.seed)
        rows, verdicts = judgement.rows(), judgement.verdicts()
    data = args.annotations or args.shards or f"{args.motion}, split {args.split}, seed {args.seed}"
    print(f"{names} on {data}: mm, 95 % intervals")
    print("\n".join([table(rows), *verdicts]))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(
            rows, verdicts, " ".join(str(path) for path in (args.model, args.beside) if path), str(data), args.json
        )
    return 0


def _synthetic_people(
    args: argparse.Namespace, predictors: Sequence[Predictor], body: BodyModel
) -> Iterator[SyntheticPeople]:
    """Batches of people, in pictures if anybody needs to see them, with a progress bar."""
    joint_sets = {predictor.joint_set for predictor in predictors}
    if len(joint_sets) > 1:
        raise ValueError(f"--beside: expected a network that reads the same keypoints, got {sorted(joint_sets)}")
    if args.shards:
        batches = shown_people(args.shards, args.samples)
    else:
        motion, mix = load_motion(args.motion).select(args.split), judged_people(PeopleMix())
        pictures = ImageMix(people=mix, backgrounds=str(args.backgrounds or ""))
        sampler = (
            ImageSampler(motion, body, *joint_sets, pictures)
            if any(predictor.reads_images for predictor in predictors)
            else PeopleSampler(motion, body, *joint_sets, mix)
        )
        batches = sampled_people(sampler, args.samples, args.seed)
    yield from tqdm(batches, total=-(-args.samples // BATCH), unit="batch")


def sampled_people(sampler: PeopleSampler | ImageSampler, samples: int, seed: int) -> Iterator[SyntheticPeople]:
    """New people; who is in a batch depends on the seed and its number only."""
    for first in range(0, samples, BATCH):
        yield sampler.sample(default_rng((seed, first)), min(BATCH, samples - first))


def shown_people(folder: Path, samples: int) -> Iterator[SyntheticPeople]:
    """The first ``samples`` people of the shards of a folder."""
    for path in shards_of(folder):
        shard = read_shard(path).take(slice(samples))
        for first in range(0, len(shard), BATCH):
            yield shard.take(slice(first, first + BATCH))
        samples -= len(shard)
        if not samples:
            return


@dataclass(frozen=True, eq=False)
class Judgement:
    """Errors of every output of every method by 2D source, on people in ``groupings``; ``clips`` (N,) they are from."""

    errors: Mapping[tuple[str, str], Errors]
    groupings: Sequence[Grouping]
    clips: Strings

    def rows(self) -> list[Row]:
        """The report; outputs of one source and split one below the other."""
        out: list[Row] = []
        for source in SOURCES:
            tables = [
                summarise(source, output, errors, self.groupings, self.clips)
                for (of_source, output), errors in self.errors.items()
                if of_source == source
            ]
            out += [row for same in zip(*tables, strict=True) for row in same]
        return out

    def verdicts(self) -> list[str]:
        """Per 2D source, whether the local stage improves on the global stage, where there are both."""
        out = []
        for source in SOURCES:
            local, coarse = self.errors.get((source, LOCAL)), self.errors.get((source, GLOBAL))
            if local and coarse:
                found = gains(local, coarse, self.groupings, self.clips)
                out.append(f"{source}: {verdict(LOCAL, GLOBAL, found)}")
        return out


def judge(predictors: Sequence[Predictor], batches: Iterable[SyntheticPeople], body: BodyModel, seed: int) -> Judgement:
    """Every 2D source observes the same people. Without keypoints, only networks that read images are judged."""
    errors: dict[tuple[str, str], list[Errors]] = {}
    groups, clips, first = [], [], 0
    for people in batches:
        for number, (source, mix) in enumerate(SOURCES.items()):
            able = [predictor for predictor in predictors if mix or predictor.reads_images]
            if able:
                case = observed(people, able[0].joint_set, mix, body, default_rng((seed, first, number)))
            for found in (answer for predictor in able for answer in predictor.recover(case)):
                errors.setdefault((source, found.output), []).append(errors_of(found, case, body))
        groups.append(groupings(people))
        clips.append(people.clip.astype(str))
        first += len(people)
    joined = {key: join_errors(parts) for key, parts in errors.items()}
    return Judgement(joined, join_groupings(groups), np.concatenate(clips))


def evaluate_annotated(
    predictor: Predictor, people: AnnotatedPeople, body: BodyModel, bodies: Mapping[str, BodyModel]
) -> list[Row]:
    """One row for all ``people``; ``body`` is the network's, ``bodies`` are the truth's by gender."""
    errors, persons = [], []
    for case, part in cases(people, predictor.joint_set, bodies, BATCH):
        found = predictor.recover(case)[-1]
        errors.append(errors_of(found, case, body))
        persons.append(part.person)
    return summarise("annotated", found.output, join_errors(errors), [], np.concatenate(persons))


def write_json(rows: Sequence[Row], verdicts: Sequence[str], model: str, data: str, path: Path) -> None:
    """The report and what it was made from, as JSON."""
    report = {
        "model": model,
        "data": data,
        "unit": "mm; pck and depth in percent; placed is a share",
        "verdicts": verdicts,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
