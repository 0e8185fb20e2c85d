# SPDX-License-Identifier: Apache-2.0
"""`hmr ablate`: train a method with one part changed at a time, at equal budget, and compare the errors.

Global-to-Pixel loses one part at a time. Its backbone is frozen, so features are computed once for all runs; without
shards of `hmr render`, images are drawn. Pose2Mesh is trained with other targets, networks and data (--table), and
evaluated on synthetic people, or by --protocol on the papers' data. Finished runs are kept in --out; the command
resumes where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.random import default_rng
from tqdm import tqdm

from hmr_ros.commands import add_settings
from hmr_ros.core.arrays import Strings
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import atomic_path, file_sha256, models_dir
from hmr_ros.core.settings import updated
from hmr_ros.evaluation.ablation.features import chunks_of_shards, network_of, stored_images
from hmr_ros.evaluation.ablation.pose2mesh.report import markdown as tables_of
from hmr_ros.evaluation.ablation.pose2mesh.run import Ablation
from hmr_ros.evaluation.ablation.pose2mesh.smaller_body import write_smaller_body
from hmr_ros.evaluation.ablation.pose2mesh.tables import TABLES
from hmr_ros.evaluation.ablation.pose2mesh.testing import ProtocolTest, SyntheticTest, Test
from hmr_ros.evaluation.ablation.report import groups, lines, markdown, markdown_of_groups
from hmr_ros.evaluation.ablation.runs import Material, Weights, errors_of_run, global_stage
from hmr_ros.evaluation.ablation.variants import VARIANTS
from hmr_ros.evaluation.held_out.annotated import check_bodies
from hmr_ros.evaluation.held_out.case import Case, observed
from hmr_ros.evaluation.held_out.protocol import SOURCES
from hmr_ros.evaluation.held_out.protocol import groupings as groupings_of
from hmr_ros.evaluation.held_out.report import Errors, Grouping, join_groupings
from hmr_ros.evaluation.protocols.evaluate import read_people
from hmr_ros.evaluation.protocols.registry import PROTOCOLS
from hmr_ros.export.starting import started
from hmr_ros.results.report_file import write_report
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.datasets.reading import naming
from hmr_ros.training.recipe_files import find_recipe, load_recipe
from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe
from hmr_ros.training.synthetic.images.shards.render import Plan, write_shards
from hmr_ros.training.synthetic.people import evaluated_people

SHARD_SIZE = 250


EXAMPLES = (
    "hmr ablate global_to_pixel --motion motion.npz --backgrounds photos_of_places",
    "hmr ablate pose2mesh --motion motion.npz --table cells",
    "hmr ablate my_paper.toml --table data --protocol 3dpw --body-female f.npz --body-male m.npz",
)

_SHIPPED = {"pose2mesh": "ablation_pose2mesh", "global_to_pixel": "ablation"}
"""The shipped settings of each method."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("config", type=Path, help="pose2mesh, global_to_pixel, or a TOML file of one of them")
    add_settings(parser, "mesh.steps=500")
    parser.add_argument("--motion", help="motion file, instead of the config's run.motion")
    parser.add_argument("--backgrounds", type=Path, help="directory of images without people, for new images")
    parser.add_argument("--train", type=Path, help="shards of `hmr render --split train` (default: draw images)")
    parser.add_argument("--val", type=Path, help="shards of `hmr render --split val` (default: draw images)")
    parser.add_argument("--images", type=int, default=6000, help="number of images to train on (%(default)s)")
    parser.add_argument("--people", type=int, default=2000, help="number of people to evaluate on (%(default)s)")
    parser.add_argument(
        "--head-start",
        type=int,
        default=8,
        help="steps that train the global stage first, as a multiple of images.steps (%(default)s)",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="best.pt or exported network (.json) of Global-to-Pixel whose weights all runs start from (default: new)",
    )
    parser.add_argument(
        "--source",
        choices=SOURCES,
        default="projection",
        help="keypoints that Global-to-Pixel is evaluated with: exact, with small or gross errors, or none; with any, "
        "training gives keypoints as the config says (%(default)s)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant (%(default)s)")
    parser.add_argument("--out", type=Path, help="directory of runs, features and report (runs/ablation[_pose2mesh])")
    pose2mesh = parser.add_argument_group("Pose2Mesh")
    pose2mesh.add_argument(
        "--table",
        choices=(*TABLES, "data"),
        action="append",
        help="what to compare; may be given several times (cells). data: the data sets of [data], added one by one",
    )
    pose2mesh.add_argument(
        "--vertices",
        type=int,
        help="reduce the body to about so many vertices first, for machines without a GPU; 778 go with paper.levels=5",
    )
    pose2mesh.add_argument("--protocol", choices=PROTOCOLS, action="append", help="evaluate by it on [data] root")
    pose2mesh.add_argument("--body-female", type=Path, help="the female SMPL model, for 3DPW's ground truth")
    pose2mesh.add_argument("--body-male", type=Path, help="the male SMPL model")


def run(args: argparse.Namespace) -> int:
    """Train the runs that are missing, then print the table."""
    if args.seeds < 1:
        raise ValueError(f"--seeds: expected at least 1, got {args.seeds}")
    args.config = find_recipe(Path(_SHIPPED.get(str(args.config), args.config)))
    if load_recipe(args.config, args.settings).recipe == "paper":
        return _run_pose2mesh(args)
    args.out = args.out or Path("runs/ablation")
    config = _config(args)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    _keep_settings(config, args)
    material, groupings, clips = _material(config, args)
    errors = []
    for seed in tqdm(range(args.seeds), desc="seeds", unit="seed"):
        seeded = dataclasses.replace(config, run=dataclasses.replace(config.run, seed=config.run.seed + seed))
        errors.append(_errors(seeded, material, args.head_start * config.images.steps, args.out / f"seed{seed}"))
    of_variants = [list(runs) for runs in zip(*errors, strict=True)]
    found, by_occlusion = lines(of_variants, clips), groups(of_variants, groupings, clips)
    text = "\n\n".join([markdown(found), markdown_of_groups(by_occlusion)])
    report = {
        "seeds": args.seeds,
        **_budget(args),
        "steps": config.images.steps,
        "batch_size": config.images.batch_size,
        "unit": "mm",
        "rows": found,
        "groups": by_occlusion,
    }
    _write_both(args, "ablation", report, text)
    print(text)
    return 0


def _run_pose2mesh(args: argparse.Namespace) -> int:
    """Train and evaluate what the tables need, and print them."""
    args.out = args.out or Path("runs/ablation_pose2mesh")
    config = load_recipe(args.config, args.settings)
    if args.motion:
        config = updated(config, {"run.motion": str(Path(args.motion).resolve())})
    body = load_body_model(Path(config.run.body) if config.run.body else models_dir() / "open_body.npz")
    if args.vertices:
        path = (args.out / f"body_{args.vertices}.npz").resolve()
        body, config = write_smaller_body(body, args.vertices, path), updated(config, {"run.body": str(path)})
    _keep(json.dumps({"people": args.people} | dataclasses.asdict(config), indent=1) + "\n", args.out)
    ablation = Ablation(config, body, _tests(args, config, body), args.seeds, args.out)
    for name in args.table or ["cells"]:
        found = ablation.table(name)
        report = {"table": name, "seeds": args.seeds, "unit": "mm", "rows": found}
        _write_both(args, name, report, tables_of(found))
        print(tables_of(found))
    return 0


def _tests(args: argparse.Namespace, config: TrainConfig, body: BodyModel) -> list[Test]:
    """The protocols that are asked for, or else synthetic people. Errors here cost no training."""
    if not args.protocol:
        if not config.run.motion:
            raise ValueError("run.motion: set it, or --motion, for the synthetic people to evaluate on; or --protocol")
        return [SyntheticTest(load_motion(config.run.motion), args.people)]
    given = {"female": args.body_female, "male": args.body_male}
    bodies = {gender: load_body_model(path) for gender, path in given.items() if path} | {"neutral": body}
    tests = [ProtocolTest(PROTOCOLS[name], Path(config.data.root), bodies) for name in args.protocol]
    for test in tests:
        people, path = read_people(test.protocol, test.root, body)
        with naming(path):
            check_bodies(people, bodies)
    return [*tests]


def _errors(config: TrainConfig, material: Material, first_steps: int, directory: Path) -> list[Errors]:
    """Errors of every variant with one seed."""
    start = global_stage(config, material, first_steps, directory / "global_stage.pt")
    return [
        errors_of_run(variant, config, material, start, directory / f"{variant.setting or 'full'}.npz")
        for variant in VARIANTS
    ]


def _config(args: argparse.Namespace) -> TrainConfig:
    """The settings of the TOML file and the command line; ValueError where variants could not be compared."""
    config = load_recipe(args.config, args.settings)
    if config.recipe != "global_to_pixel" or config.crops.backbone or config.local.steps:
        raise ValueError(
            f"{args.config}: expected recipe = 'global_to_pixel', crops.backbone = 0 (features are computed once) and "
            "local.steps = 0 (variants start equal), or recipe = 'paper'; got "
            f"{config.recipe!r}, {config.crops.backbone} and {config.local.steps}"
        )
    motion = str(Path(args.motion or config.run.motion).resolve())
    start = str(args.start or config.run.start)
    backgrounds = str(args.backgrounds.resolve()) if args.backgrounds else config.image_mix.backgrounds
    return dataclasses.replace(
        config,
        run=dataclasses.replace(config.run, motion=motion, start=start),
        image_mix=dataclasses.replace(config.image_mix, people=config.people, backgrounds=backgrounds),
    )


def _keep_settings(config: TrainConfig, args: argparse.Namespace) -> None:
    """Store the settings in ``--out``; ValueError if its runs were made with other settings."""
    images = {"train_images": str(args.train), "val_images": str(args.val)}
    images |= {"start_sha256": file_sha256(Path(config.run.start))} if config.run.start else {}
    _keep(json.dumps(_budget(args) | images | dataclasses.asdict(config), indent=1) + "\n", args.out)


def _keep(text: str, out: Path) -> None:
    """Store the settings ``text`` in ``out``; ValueError if its runs were made with others."""
    path = out / "settings.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ValueError(f"{path}: the runs there were made with other settings; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _budget(args: argparse.Namespace) -> dict[str, int | str]:
    return {"images": args.images, "people": args.people, "head_start": args.head_start, "source": args.source}


def _material(config: TrainConfig, args: argparse.Namespace) -> tuple[Material, list[Grouping], Strings]:
    """The training images and evaluated people that all runs share; the groupings and clips (N,) of those people."""
    body = load_body_model(Path(config.run.body) if config.run.body else models_dir() / "open_body.npz")
    motion = load_motion(config.run.motion)
    train = args.train or _drawn(config, "train", args.images, args.out)
    val = args.val or _drawn(config, "val", args.people, args.out)
    recipe = GlobalToPixelRecipe(config, motion, body, None)
    weights = _start(Path(config.run.start), config, recipe, body) if config.run.start else {}
    images = stored_images(recipe, train, args.images, args.out / "features" / "train.npy", augment=True)
    images = images if SOURCES[args.source] else images.without_keypoints()
    people = stored_images(recipe, val, args.people, args.out / "features" / "val.npy", augment=False)
    cases: list[Case] = []
    clips, parts, first = [], [], 0
    for drawn in chunks_of_shards(val, args.people):
        mix, joint_set = SOURCES[args.source], config.global_to_pixel.joint_set
        # Features are those of crops that are not turned.
        case = observed(drawn, joint_set, mix, body, default_rng(first), turned=False)
        cases.append(_with_features(case, people.features[first : first + len(drawn)]))
        clips.append(drawn.clip.astype(str))
        parts.append(groupings_of(drawn))
        first += len(drawn)
    return Material(motion, body, images, cases, weights), join_groupings(parts), np.concatenate(clips)


def _start(path: Path, config: TrainConfig, recipe: GlobalToPixelRecipe, body: BodyModel) -> Weights:
    """The weights of ``path``, which the network of ``recipe`` gets; ValueError if they are of another network."""
    weights = started(path, config, recipe, body).averaged_weights("network")
    network_of(recipe).load_state_dict(weights)
    return weights


def _with_features(case: Case, features: np.ndarray) -> Case:
    """``case`` with ``features`` (B, size) float16 of the backbone in place of images, see ``StoredFeatures``."""
    assert case.shown is not None, "the people were drawn in images"
    return dataclasses.replace(case, shown=dataclasses.replace(case.shown, image=features))


def _drawn(config: TrainConfig, split: str, count: int, out: Path) -> Path:
    """The directory of the shards of a split, drawn where they are missing."""
    mix = config.image_mix
    if split != "train":
        mix = dataclasses.replace(mix, people=evaluated_people(mix.people))
    directory, joint_set = out / "images" / split, config.global_to_pixel.joint_set
    plan = Plan(config.run.motion, split, joint_set, config.run.seed, SHARD_SIZE, mix)
    write_shards(plan, directory, count, workers=1)
    return directory


def _write_both(args: argparse.Namespace, name: str, report: Mapping[str, object], as_markdown: str) -> None:
    """Write ``name``.json and ``name``.md in ``--out``."""
    write_report(args.out / f"{name}.json", vars(args), report)
    with atomic_path(args.out / f"{name}.md") as temporary:
        temporary.write_text(as_markdown + "\n", encoding="utf-8")
