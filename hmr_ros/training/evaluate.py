"""``hmr evaluate``: errors of a lifting network, on synthetic people of held-out motion or on a licensed data set.

The protocol is that of ``evaluation/protocol.py``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
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
from hmr_ros.training.evaluation.predictor import Predictor, open_predictor
from hmr_ros.training.evaluation.protocol import SOURCES, groupings, measure, observed
from hmr_ros.training.evaluation.report import Errors, Row, join_errors, join_groupings, summarise, table
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler, judged_people

READERS: dict[str, AnnotationReader] = {"3dpw": read_3dpw, "human36m": read_human36m, "spin": read_spin}

BATCH = 250


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("model", type=Path, help="manifest (.json) of an exported network, or a checkpoint (.pt)")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--motion", type=Path, help="motion file (docs/motion_format.md): test on synthetic people")
    data.add_argument("--annotations", type=Path, help="annotations of a data set: test on its people")
    parser.add_argument("--format", choices=READERS, default="3dpw", help="of --annotations (%(default)s)")
    parser.add_argument("--split", default="val", help="subjects of --motion to test on (%(default)s)")
    parser.add_argument("--samples", type=int, default=4000, help="number of synthetic people (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same people (%(default)s)")
    parser.add_argument("--body", type=Path, help="body model .npz in SMPL's schema (the shipped open body)")
    parser.add_argument("--body-female", type=Path, help="the female SMPL model, for annotations made with it")
    parser.add_argument("--body-male", type=Path, help="the male one")
    parser.add_argument("--json", type=Path, help="write the report there, too")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    predictor = open_predictor(args.model, body)
    if args.annotations:
        genders = {"neutral": args.body, "female": args.body_female, "male": args.body_male}
        bodies = {gender: load_body_model(path) for gender, path in genders.items() if path} | {"neutral": body}
        rows = evaluate_annotated(predictor, READERS[args.format](args.annotations, body), body, bodies)
    else:
        motion = load_motion(args.motion).select(args.split)
        sampler = PeopleSampler(motion, body, predictor.joint_set, judged_people(PeopleMix()))
        rows = evaluate_synthetic(predictor, sampler, body, args.samples, args.seed)
    data = args.annotations or f"{args.motion}, split {args.split}, seed {args.seed}"
    print(f"{predictor.name} on {data}: mm, 95 % intervals")
    print(table(rows))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(rows, str(args.model), str(data), args.json)
    return 0


def evaluate_synthetic(
    predictor: Predictor, sampler: PeopleSampler, body: BodyModel, samples: int, seed: int
) -> list[Row]:
    """Rows for every 2D source: the same people are observed by each. Intervals draw whole motion clips."""
    errors: dict[str, list[Errors]] = {source: [] for source in SOURCES}
    groups, clips = [], []
    for first in tqdm(range(0, samples, BATCH), unit="batch"):
        people = sampler.sample(default_rng((seed, first)), min(BATCH, samples - first))
        groups.append(groupings(people))
        clips.append(people.clip.astype(str))
        for number, (source, mix) in enumerate(SOURCES.items()):
            rng = default_rng((seed, first, number))
            case = observed(people, predictor.joint_set, mix, body, rng)
            errors[source].append(measure(predictor, case, body))
    joined, clip = join_groupings(groups), np.concatenate(clips)
    return [row for source in SOURCES for row in summarise(source, join_errors(errors[source]), joined, clip)]


def evaluate_annotated(
    predictor: Predictor, people: AnnotatedPeople, body: BodyModel, bodies: Mapping[str, BodyModel]
) -> list[Row]:
    """One row for all ``people``; ``body`` is the network's, ``bodies`` are the truth's by gender."""
    errors, persons = [], []
    for case, part in cases(people, predictor.joint_set, bodies, BATCH):
        errors.append(measure(predictor, case, body))
        persons.append(part.person)
    return summarise("annotated", join_errors(errors), [], np.concatenate(persons))


def write_json(rows: Sequence[Row], model: str, data: str, path: Path) -> None:
    """The report and what it was made from, as JSON."""
    report = {
        "model": model,
        "data": data,
        "unit": "mm; depth in percent; placed is a share",
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
