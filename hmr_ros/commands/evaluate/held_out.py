# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate`: errors of networks on synthetic people of held-out motion, or on a data set's annotations."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.baselines import BASELINES
from hmr_ros.evaluation.baselines.pose_prior import fit_pose_prior
from hmr_ros.evaluation.held_out.annotated import evaluate_annotated
from hmr_ros.evaluation.held_out.case import SyntheticPeople
from hmr_ros.evaluation.held_out.predictor import Predictor, open_predictor
from hmr_ros.evaluation.held_out.report import Row, table
from hmr_ros.evaluation.held_out.synthetic import BATCH, evaluate_synthetic, people_of_shards, sampled_people
from hmr_ros.evaluation.json_report import Report, write_json
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.datasets.readers import READERS
from hmr_ros.training.datasets.reading import naming
from hmr_ros.training.real.images import ImageDirectory
from hmr_ros.training.synthetic.cameras import CameraMix
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler, evaluated_people

_STEEPEST_DEG = 80.0
"""Largest pitch of cameras whose height is asked for."""


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print the table."""
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    paths = [path for path in (args.model, args.beside) if path]
    predictors = [open_predictor(path, body, oracle=args.oracle and path is args.model) for path in paths]
    predictors += baseline_of(args, predictors[0], body)
    data = args.annotations or args.shards or f"{args.motion}, split {args.split}, seed {args.seed}"
    data = f"{data}, without {args.missing}" if args.missing else data
    for limits, what in ((args.distance, "people"), (args.camera_height, "cameras")):
        data = f"{data}, {what} at {limits[0]:g} to {limits[1]:g} m" if limits else data
    rows, verdicts = (_annotated if args.annotations else _synthetic)(args, predictors, body)
    print(f"{' and '.join(predictor.name for predictor in predictors)} on {data}: mm, 95 % intervals")
    print("\n".join([table(rows), *verdicts]))
    write_json(args.json, vars(args), Report(" ".join(map(str, paths)), str(data), verdicts, rows))
    return 0


def bodies_of(args: argparse.Namespace) -> tuple[BodyModel, dict[str, BodyModel]]:
    """The network's body model, and those of annotations by gender."""
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    genders = {"female": args.body_female, "male": args.body_male}
    return body, {gender: load_body_model(path) for gender, path in genders.items() if path} | {"neutral": body}


def baseline_of(args: argparse.Namespace, beside: Predictor, body: BodyModel) -> list[Predictor]:
    """The method of --baseline, if any: it reads the same keypoints as ``beside``."""
    if not args.baseline:
        return []
    path = args.prior or args.motion
    if not path:
        raise ValueError("--baseline: give --prior, a motion file that tells which poses are likely")
    return [BASELINES[args.baseline](body, beside.joint_set, fit_pose_prior(load_motion(path).select("train")))]


def _annotated(
    args: argparse.Namespace, predictors: Sequence[Predictor], body: BodyModel
) -> tuple[list[Row], list[str]]:
    _, bodies = bodies_of(args)
    people = READERS[args.format](args.annotations, body)
    images = ImageDirectory(args.images) if args.images else None
    with naming(args.annotations):
        return [row for p in predictors for row in evaluate_annotated(p, people, body, bodies, images)], []


def _synthetic(
    args: argparse.Namespace, predictors: Sequence[Predictor], body: BodyModel
) -> tuple[list[Row], list[str]]:
    if args.beside and len({predictor.reads_images for predictor in predictors[:2]}) < 2:
        raise ValueError("--beside: expected the other method, Pose2Mesh beside Global-to-Pixel or the reverse")
    evaluation = evaluate_synthetic(predictors, _people(args, predictors, body), body, args.seed, args.missing)
    return evaluation.rows(), evaluation.verdicts()


def cameras_of(args: argparse.Namespace) -> CameraMix:
    """Cameras as in training, or those that are asked for, which may look down as steeply as they have to."""
    mix = CameraMix()
    for name, limits in (("distance", args.distance), ("height", args.camera_height)):
        if limits and not 0 < limits[0] <= limits[1]:
            raise ValueError(f"cameras, {name}: expected 0 < LOW <= HIGH in m, got {limits[0]:g} {limits[1]:g}")
    if args.distance:
        mix = dataclasses.replace(mix, distance=tuple(args.distance))
    if args.camera_height:
        mix = dataclasses.replace(mix, height=tuple(args.camera_height), pitch=_STEEPEST_DEG)
    return mix


def _people(args: argparse.Namespace, predictors: Sequence[Predictor], body: BodyModel) -> Iterator[SyntheticPeople]:
    """Batches of people, with images if a network reads them, under a progress bar."""
    joint_set, *others = sorted({predictor.joint_set for predictor in predictors})
    if others:
        raise ValueError(f"--beside: expected a network that reads the keypoints {joint_set!r}, too, got {others}")
    if args.shards:
        batches = people_of_shards(args.shards, args.samples)
    else:
        mix = evaluated_people(PeopleMix(cameras=cameras_of(args)))
        motion = load_motion(args.motion).select(args.split)
        sampler: PeopleSampler | ImageSampler = PeopleSampler(motion, body, joint_set, mix)
        if any(predictor.reads_images for predictor in predictors):
            sampler = ImageSampler(motion, body, joint_set, ImageMix(mix, backgrounds=str(args.backgrounds or "")))
        batches = sampled_people(sampler, args.samples, args.seed)
    yield from tqdm(batches, total=-(-args.samples // BATCH), unit="batch")
