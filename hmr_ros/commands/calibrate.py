# SPDX-License-Identifier: Apache-2.0
"""`hmr calibrate`: fit covariances to a network's expected errors, and write them into its manifest.

The covariances are fitted on one half of the takes of held-out subjects and tested on the other half
(``evaluation/held_out/residuals.py``). Nothing is written unless the regions of the test half hold the fractions that
they claim.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import Manifest, file_sha256, load_manifest, models_dir, write_manifest
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.uncertainty import REFERENCE_ERROR_M, Calibration
from hmr_ros.engines.opening import open_engine
from hmr_ros.evaluation.held_out.case import SyntheticPeople
from hmr_ros.evaluation.held_out.covariance_fit import fit
from hmr_ros.evaluation.held_out.coverage import Coverage, coverage_by_joint, coverage_table, coverages
from hmr_ros.evaluation.held_out.drift import measure_drift
from hmr_ros.evaluation.held_out.predictor import Predictor, open_predictor
from hmr_ros.evaluation.held_out.residuals import Residuals, calibration_clips, residuals_of
from hmr_ros.evaluation.held_out.synthetic import BATCH, people_of_shards, sampled_people
from hmr_ros.evaluation.sequences.fusion_report import fusion_report
from hmr_ros.evaluation.sequences.trial import RATES_HZ, SOURCES, Trial
from hmr_ros.results.report_file import write_report
from hmr_ros.training.datasets.motion import Motion, load_motion
from hmr_ros.training.lifted import Lifter
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler, evaluated_people

EXAMPLES = (
    "hmr calibrate models/pose2mesh.json --motion motion.npz",
    "hmr calibrate models/fusion.json --motion motion.npz",
    "hmr calibrate models/global_to_pixel.json --motion motion.npz --shards shards_val --json calibration.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("model", type=Path, help="manifest (.json) of an exported network; its uncertainty is replaced")
    parser.add_argument("--motion", type=Path, required=True, help="motion file (docs/motion_format.md)")
    parser.add_argument(
        "--split", default="val", help="split of --motion whose subjects training never saw (%(default)s)"
    )
    parser.add_argument(
        "--shards", type=Path, help="images of them, of `hmr render --split val` (default: draw images)"
    )
    parser.add_argument(
        "--backgrounds", type=Path, help="directory of images without people, as backgrounds of drawn images"
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=4000,
        help="number of synthetic people (%(default)s); over time a hundredth of it",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same people (%(default)s)")
    parser.add_argument(
        "--tolerance", type=float, default=3.0, help="largest accepted coverage gap, percent (%(default)s)"
    )
    parser.add_argument("--body", type=Path, help="body model .npz in SMPL's schema (the shipped open body)")
    parser.add_argument("--json", type=Path, help="JSON file for the report")


@dataclass(frozen=True)
class Report:
    """A ``calibration`` and its coverage of other people in percent: by group, all people first, and by joint."""

    calibration: Calibration
    rows: list[Coverage]
    by_joint: dict[str, tuple[float, ...]]


def run(args: argparse.Namespace) -> int:
    """Calibrate, test and write; 1 if the test failed."""
    manifest = load_manifest(args.model)
    if manifest.kind == "fusion":
        return _run_on_sequences(args, manifest)
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    predictor, everything = open_predictor(args.model, body), load_motion(args.motion)
    motion = everything.select(args.split)
    print(_drift(everything, body))
    residuals = residuals_of(predictor, _people(args, predictor, motion, body), body, args.seed)
    print(f"{manifest.name} on {args.motion}, split {args.split}, seed {args.seed}: percent, 95 % intervals")
    report = _report(residuals, motion, predictor.joint_set)
    write_report(args.json, vars(args), {"unit": "percent", **dataclasses.asdict(report)})
    command = f"hmr calibrate, {args.samples} people, seed {args.seed}"
    return _write(args, manifest, report.calibration, report.rows[0].largest_gap, command)


def _run_on_sequences(args: argparse.Namespace, manifest: Manifest) -> int:
    """Calibrate the fusion: the covariances are the estimator's, scaled by its expected errors; the radii its own.

    With them the covariances of its forecasts.
    """
    estimator, body = models_dir() / "pose2mesh.json", load_body_model(args.body or models_dir() / "open_body.npz")
    motion, lifter = load_motion(args.motion).select(args.split), Lifter(estimator, body)
    if lifter.calibration is None:
        raise ValueError(f"{estimator}: not calibrated; run `hmr calibrate {estimator}` first")
    with contextlib.closing(open_engine(args.model)) as engine:
        cases = Trial(lifter, body, engine)(motion, max(1, args.samples // 100), args.seed)
        report = fusion_report(tqdm(cases, total=len(SOURCES) * len(RATES_HZ), unit="case"), motion, lifter.calibration)
    print(f"{manifest.name}: {report.text()}")
    write_report(args.json, vars(args), {"unit": "percent", **dataclasses.asdict(report)})
    command = f"hmr calibrate, {args.samples // 100} people in {len(SOURCES) * len(RATES_HZ)} cases, seed {args.seed}"
    return _write(args, manifest, report.calibration, report.largest_gap, command)


def _write(args: argparse.Namespace, manifest: Manifest, calibration: Calibration, gap: float, command: str) -> int:
    """Write ``manifest`` with ``calibration``, unless it is off by the ``gap``; the exit status."""
    if gap > args.tolerance:
        print(f"not written: the coverage of all people is off by {gap:.1f}, more than {args.tolerance:g} percent")
        return 1
    source = f"{command}, {args.motion.name}, split {args.split}, sha256 {file_sha256(args.motion)}"
    provenance = {**manifest.provenance, "uncertainty": source}
    write_manifest(dataclasses.replace(manifest, uncertainty=calibration, provenance=provenance), args.model)
    return 0


def _report(residuals: Residuals, motion: Motion, joint_set: str) -> Report:
    """Calibrate on one half of the takes, test on the other half, and print both."""
    known = calibration_clips(motion)[residuals.clip]
    test, takes = residuals.take(~known), motion.clip_id[residuals.clip]
    calibration = fit(residuals.take(known), joint_set)
    covered = coverages(test, calibration, joint_set, takes[~known])
    report = Report(calibration, covered, coverage_by_joint(test, calibration, joint_set))
    here, there = (f"{rows.sum()} estimates of {len(set(takes[rows]))} takes" for rows in (known, ~known))
    kinds = residuals.groupings[0]
    sources = [part for part in kinds.parts if (kinds.labels == part).any()]
    print(f"fitted to {here}, tested on {there}; keypoints: {', '.join(sources)}")
    print(coverage_table(covered), _facts(report), sep="\n")
    return report


def _people(
    args: argparse.Namespace, predictor: Predictor, motion: Motion, body: BodyModel
) -> Iterator[SyntheticPeople]:
    """Batches of people who move as in ``motion``, with images if the network reads them, under a progress bar."""
    mix = evaluated_people(PeopleMix())
    sampler: PeopleSampler | ImageSampler = PeopleSampler(motion, body, predictor.joint_set, mix)
    if predictor.reads_images:
        images = ImageMix(mix, backgrounds=str(args.backgrounds or ""))
        sampler = ImageSampler(motion, body, predictor.joint_set, images)
    batches = sampled_people(sampler, args.samples, args.seed)
    if args.shards:
        batches = (_checked(people, motion) for people in people_of_shards(args.shards, args.samples))
    yield from tqdm(batches, total=-(-args.samples // BATCH), unit="batch")


def _checked(people: SyntheticPeople, motion: Motion) -> SyntheticPeople:
    """``people``; ValueError if one of them moves as in a clip outside ``motion``, which training may have seen."""
    if strangers := set(people.clip.tolist()) - set(motion.clip.tolist()):
        raise ValueError(
            f"--shards: expected people of the split, got clips {sorted(strangers)[:5]} of others, which training may "
            "have seen; render images with the same --motion and --split"
        )
    return people


def _facts(report: Report) -> str:
    """The calibration and its worst joints as lines of text."""
    calibration, fractions = report.calibration, {joint: fraction[1] for joint, fraction in report.by_joint.items()}
    low, high = min(fractions, key=fractions.__getitem__), max(fractions, key=fractions.__getitem__)
    along, across = calibration.root_along, calibration.root_across
    return "\n".join(
        [
            f"90 % regions by joint: from {fractions[low]:.1f} ({low}) to {fractions[high]:.1f} ({high})",
            f"radii: joints {calibration.joint_radii}, root {calibration.root_radii}",
            f"root, with e the mean expected joint error in {REFERENCE_ERROR_M:g} m: along the line of sight "
            f"{along.scale:g} e^{along.exponent:g} of the distance, across it {across.scale:g} e^{across.exponent:g} m",
        ]
    )


def _drift(motion: Motion, body: BodyModel) -> str:
    """The drift of the training subjects while unseen as a line of text, to compare with ``core/uncertainty.py``."""
    drift = measure_drift(motion.select("train"), body)
    joints = ", ".join(f"{joint} {drift.joint_m[SMPL.index(joint)]:.2f}" for joint in SMPL.joints[1:])
    return (
        f"unseen people: the root drifts by {drift.root_m_s:.2f} m/s, joints within {drift.joint_time_s:.2f} s by (m): "
        f"{joints}"
    )
