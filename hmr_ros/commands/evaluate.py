# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate`: report the errors of a network on synthetic people of held-out motion or on a licensed data set.

With --protocol, as the papers do (docs/datasets.md).

With --ground, the distances and sizes of moving people on grounds that are true, wrong or estimated; with --smoothing,
how far their positions tremble and trail. With --sequences, people over time, whose keypoints have errors that persist:
errors, lag and trembling of what the robot publishes.

A network that reads images gets rendered images, Pose2Mesh keypoints alone; with --beside, two networks are evaluated
on the same people. ``evaluation/held_out/protocol.py`` defines the errors and groups.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import atomic_path, file_sha256, models_dir
from hmr_ros.core.records import join_rows
from hmr_ros.engines.opening import open_engine
from hmr_ros.evaluation.ground import report as ground_report
from hmr_ros.evaluation.ground.report import GroundRow
from hmr_ros.evaluation.ground.trial import PEOPLE, Trial
from hmr_ros.evaluation.held_out.annotated import evaluate_annotated
from hmr_ros.evaluation.held_out.case import SyntheticPeople
from hmr_ros.evaluation.held_out.predictor import Predictor, body_of, open_predictor
from hmr_ros.evaluation.held_out.report import Row, table
from hmr_ros.evaluation.held_out.synthetic import BATCH, evaluate_synthetic, people_of_shards, sampled_people
from hmr_ros.evaluation.protocols.evaluate import evaluate, read_people
from hmr_ros.evaluation.protocols.registry import PROTOCOLS
from hmr_ros.evaluation.protocols.report import ProtocolReport, described, text
from hmr_ros.evaluation.sequences import report as sequence_report
from hmr_ros.evaluation.sequences.forecasts import ForecastRow, forecast_rows, forecast_table
from hmr_ros.evaluation.sequences.report import SequenceRow
from hmr_ros.evaluation.sequences.trial import RATES_HZ, SOURCES
from hmr_ros.evaluation.sequences.trial import Trial as SequenceTrial
from hmr_ros.evaluation.smoothing import report as smoothing_report
from hmr_ros.evaluation.smoothing.report import SmoothingRow
from hmr_ros.evaluation.smoothing.trial import Trial as SmoothingTrial
from hmr_ros.perception.pose2mesh import Pose2Mesh
from hmr_ros.training.datasets.annotated import AnnotationReader
from hmr_ros.training.datasets.coco_fits import read_coco_fits
from hmr_ros.training.datasets.eft import read_eft
from hmr_ros.training.datasets.human36m import read_human36m
from hmr_ros.training.datasets.motion import Motion, load_motion
from hmr_ros.training.datasets.spin import read_spin
from hmr_ros.training.datasets.threedpw import read_3dpw
from hmr_ros.training.datasets.threedpw_pickles import read_3dpw_pickles
from hmr_ros.training.lifted import Lifter
from hmr_ros.training.real.images import ImageDirectory
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler, evaluated_people
from hmr_ros.training.synthetic.visibility import GROUPS

_PEOPLE = 4000
_OVER_TIME = {"ground": 200, "smoothing": 48, "sequences": 40}
"""Number of people, or for sequences of each case, of the evaluations over time."""

READERS: dict[str, AnnotationReader] = {
    "3dpw": read_3dpw,
    "3dpw-pickles": read_3dpw_pickles,
    "human36m": read_human36m,
    "spin": read_spin,
    "coco-fits": read_coco_fits,
    "eft": read_eft,
}

EXAMPLES = (
    "hmr evaluate models/pose2mesh.json --motion motion.npz",
    "hmr evaluate models/global_to_pixel.json --beside models/pose2mesh.json --motion motion.npz --backgrounds photos",
    "hmr evaluate models/pose2mesh.json --ground --motion motion.npz",
    "hmr evaluate models/pose2mesh.json --smoothing --motion motion.npz",
    "hmr evaluate models/pose2mesh.json --sequences --fusion models/fusion.json --motion motion.npz",
    "hmr evaluate runs/paper/best.pt --protocol 3dpw --data DATA --body-female f.npz --body-male m.npz",
    "hmr evaluate runs/pose2mesh/best.pt --annotations 3DPW --format 3dpw --body-female f.npz --body-male m.npz",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("model", type=Path, help="manifest (.json) of an exported network, or a checkpoint (.pt)")
    parser.add_argument("--beside", type=Path, help="the other method's network, evaluated on the same people")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--motion", type=Path, help="motion file (docs/motion_format.md): evaluate on synthetic people")
    data.add_argument("--shards", type=Path, help="shards of `hmr render`: evaluate on the people in their images")
    data.add_argument("--annotations", type=Path, help="annotations of a data set: evaluate on its people")
    data.add_argument("--data", type=Path, help="directory of the papers' data sets (docs/datasets.md), for --protocol")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="frames, joints and errors of a paper's table")
    parser.add_argument("--format", choices=READERS, default="3dpw", help="format of --annotations (%(default)s)")
    parser.add_argument("--images", type=Path, help="directory of the annotations' images (default: in --data)")
    parser.add_argument("--split", default="val", help="split of --motion to evaluate on (%(default)s)")
    parser.add_argument("--backgrounds", type=Path, help="directory of images without people (default: procedural)")
    parser.add_argument(
        "--samples",
        type=int,
        help="number of synthetic people (4000; with --ground 200, with --smoothing 48, with --sequences 40 each)",
    )
    over_time = parser.add_mutually_exclusive_group()
    over_time.add_argument("--ground", action="store_true", help="evaluate people on the ground (docs/ground.md)")
    over_time.add_argument(
        "--smoothing", action="store_true", help="evaluate the smoothing of positions (docs/tracking.md)"
    )
    over_time.add_argument("--sequences", action="store_true", help="evaluate poses over time (docs/fusion.md)")
    parser.add_argument("--fusion", type=Path, help="with --sequences: manifest of the fusion network")
    parser.add_argument("--missing", choices=GROUPS, help="keypoints that no synthetic person has")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same people (%(default)s)")
    parser.add_argument("--body", type=Path, help="body model .npz in SMPL's schema (default: the network's)")
    parser.add_argument("--body-female", type=Path, help="the female SMPL model, for annotations made with it")
    parser.add_argument("--body-male", type=Path, help="the male SMPL model")
    parser.add_argument("--json", type=Path, help="JSON file for the report")


@dataclass(frozen=True)
class Report:
    """The result: ``rows`` of the table and ``verdicts`` in words on ``model``, evaluated on ``data``."""

    model: str
    data: str
    verdicts: list[str]
    rows: Sequence[Row | GroundRow | SmoothingRow | SequenceRow]
    forecasts: Sequence[ForecastRow] = ()


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the table."""
    if bool(args.protocol) != bool(args.data):
        raise ValueError("--protocol and --data go together: what to evaluate, and where the data sets lie")
    over_time = next((kind for kind in _OVER_TIME if getattr(args, kind)), None)
    args.samples = args.samples or (_OVER_TIME[over_time] if over_time else _PEOPLE)
    if args.missing and (over_time or args.annotations):
        raise ValueError(f"--missing: of synthetic people alone, without --{over_time or 'annotations'}")
    if args.fusion and not args.sequences:
        raise ValueError("--fusion: fuses poses over time; give --sequences, too")
    if over_time:
        return _run_on_sequences(args) if args.sequences else _run_over_time(args)
    args.body = args.body or body_of(args.model)
    if args.protocol:
        return _run_protocol(args)
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    paths = [path for path in (args.model, args.beside) if path]
    predictors = [open_predictor(path, body) for path in paths]
    data = args.annotations or args.shards or f"{args.motion}, split {args.split}, seed {args.seed}"
    data = f"{data}, without {args.missing}" if args.missing else data
    rows, verdicts = (_annotated if args.annotations else _synthetic)(args, predictors, body)
    report = Report(" ".join(map(str, paths)), str(data), verdicts, rows)
    print(f"{' and '.join(predictor.name for predictor in predictors)} on {data}: mm, 95 % intervals")
    print("\n".join([table(rows), *verdicts]))
    if args.json:
        write_json(report, args.json)
    return 0


def _run_over_time(args: argparse.Namespace) -> int:
    """Evaluate people who move, on the ground or smoothed, and print the table."""
    if not args.motion or args.model.suffix != ".json":
        raise ValueError(
            f"--{'ground' if args.ground else 'smoothing'}: expected the manifest (.json) of a network that reads "
            "keypoints, and --motion"
        )
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    motion = load_motion(args.motion).select(args.split)
    data = f"{args.motion}, split {args.split}, seed {args.seed}"
    with contextlib.closing(open_engine(args.model)) as engine:
        estimator = Pose2Mesh(engine, body)
        rows, text = (_on_ground if args.ground else _smoothed)(args, estimator, body, motion)
    print(f"{args.model} {text.format(data=data)}")
    if args.json:
        write_json(Report(str(args.model), data, [], rows), args.json)
    return 0


def _on_ground(
    args: argparse.Namespace, estimator: Pose2Mesh, body: BodyModel, motion: Motion
) -> tuple[Sequence[GroundRow], str]:
    """Distances and sizes on the ground, and the table."""
    cameras = math.ceil(args.samples / PEOPLE)
    by_camera = list(tqdm(Trial(estimator, body)(motion, cameras, args.seed), total=cameras, unit="camera"))
    outcomes = {name: join_rows([found[name] for found in by_camera]) for name in by_camera[0]}
    rows = ground_report.rows(outcomes, estimator.calibration)
    return rows, f"on the ground, {{data}}: percent and cm\n{ground_report.table(rows)}"


def _smoothed(
    args: argparse.Namespace, estimator: Pose2Mesh, body: BodyModel, motion: Motion
) -> tuple[Sequence[SmoothingRow], str]:
    """What is left of noise, and what trails, and the table."""
    trial = SmoothingTrial(estimator, body)(motion, args.samples, args.seed)
    rows = smoothing_report.rows(join_rows(list(tqdm(trial, total=args.samples, unit="person"))))
    return rows, f"over time, {{data}}\n{smoothing_report.table(rows)}"


def _run_protocol(args: argparse.Namespace) -> int:
    """Evaluate by a protocol, and print what was evaluated on what, and the errors."""
    protocol = PROTOCOLS[args.protocol]
    body, bodies = _bodies(args)
    predictor = open_predictor(args.model, body)
    people, path = read_people(protocol, args.data, body)
    images = ImageDirectory(args.images or args.data / protocol.dataset)
    rows = evaluate(protocol, predictor, people, body, bodies, images)
    facts = {
        "protocol": f"{protocol.name}: {protocol.title}",
        "network": f"{predictor.name} ({args.model}, sha256 {file_sha256(args.model)})",
        "body": f"{args.body or 'open_body.npz'}, sha256 {body.sha256}",
        "data": described(path),
        "keypoints": people.kp2d_source,
        "cameras": "of the annotations" if np.isfinite(people.K).all() else "assumed (docs/datasets.md)",
    }
    report = ProtocolReport(protocol.name, str(args.model), facts, rows)
    print(text(report))
    if args.json:
        write_json(report, args.json)
    return 0


def _bodies(args: argparse.Namespace) -> tuple[BodyModel, dict[str, BodyModel]]:
    """The network's body model, and those of annotations by gender."""
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    genders = {"female": args.body_female, "male": args.body_male}
    return body, {gender: load_body_model(path) for gender, path in genders.items() if path} | {"neutral": body}


def _run_on_sequences(args: argparse.Namespace) -> int:
    """Evaluate people over time, and print the tables."""
    if not args.motion or args.model.suffix != ".json":
        raise ValueError("--sequences: expected the manifest (.json) of a compact Pose2Mesh, and --motion")
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    motion = load_motion(args.motion).select(args.split)
    with contextlib.ExitStack() as opened:
        fusion = opened.enter_context(contextlib.closing(open_engine(args.fusion))) if args.fusion else None
        trial = SequenceTrial(Lifter(args.model, body), body, fusion)
        cases = tqdm(trial(motion, args.samples, args.seed), total=len(SOURCES) * len(RATES_HZ), unit="case")
        found = [(sequence_report.rows(case), forecast_rows(case)) for case in cases]
    rows, forecasts = ([row for rows in column for row in rows] for column in zip(*found, strict=True))
    models = " ".join(str(path) for path in (args.model, args.fusion) if path)
    report = Report(models, f"{args.motion}, split {args.split}, seed {args.seed}", [], rows, forecasts)
    print(f"{models} over time, {report.data}\n{sequence_report.table(rows)}")
    if forecasts:
        print(f"\nforecasts\n{forecast_table(forecasts)}")
    if args.json:
        write_json(report, args.json)
    return 0


def _annotated(
    args: argparse.Namespace, predictors: Sequence[Predictor], body: BodyModel
) -> tuple[list[Row], list[str]]:
    _, bodies = _bodies(args)
    people = READERS[args.format](args.annotations, body)
    images = ImageDirectory(args.images) if args.images else None
    return [row for p in predictors for row in evaluate_annotated(p, people, body, bodies, images)], []


def _synthetic(
    args: argparse.Namespace, predictors: Sequence[Predictor], body: BodyModel
) -> tuple[list[Row], list[str]]:
    if len({predictor.reads_images for predictor in predictors}) < len(predictors):
        raise ValueError("--beside: expected the other method, Pose2Mesh beside Global-to-Pixel or the reverse")
    evaluation = evaluate_synthetic(predictors, _people(args, predictors, body), body, args.seed, args.missing)
    return evaluation.rows(), evaluation.verdicts()


def _people(args: argparse.Namespace, predictors: Sequence[Predictor], body: BodyModel) -> Iterator[SyntheticPeople]:
    """Batches of people, with images if a network reads them, under a progress bar."""
    joint_set, *others = sorted({predictor.joint_set for predictor in predictors})
    if others:
        raise ValueError(f"--beside: expected a network that reads the keypoints {joint_set!r}, too, got {others}")
    if args.shards:
        batches = people_of_shards(args.shards, args.samples)
    else:
        motion, mix = load_motion(args.motion).select(args.split), evaluated_people(PeopleMix())
        sampler: PeopleSampler | ImageSampler = PeopleSampler(motion, body, joint_set, mix)
        if any(predictor.reads_images for predictor in predictors):
            sampler = ImageSampler(motion, body, joint_set, ImageMix(mix, backgrounds=str(args.backgrounds or "")))
        batches = sampled_people(sampler, args.samples, args.seed)
    yield from tqdm(batches, total=-(-args.samples // BATCH), unit="batch")


def write_json(report: Report | ProtocolReport, path: Path) -> None:
    """Write the report as JSON."""
    content = {"unit": "mm; pck and depth in percent; placed is a fraction", **dataclasses.asdict(report)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
