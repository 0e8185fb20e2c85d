# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate --attention`: an image of where a checkpoint of Global-to-Pixel looks."""

from __future__ import annotations

import argparse

import torch
from numpy.random import default_rng

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.attention import SHOWN, attention_sheet, looks_of
from hmr_ros.evaluation.held_out.case import Shown, observed
from hmr_ros.evaluation.held_out.synthetic import people_of_shards, sampled_people
from hmr_ros.media.images import write_image_file
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.recipes import trained_network
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.people import PeopleMix, evaluated_people

PEOPLE = 3
"""Rows of the image."""


def run(args: argparse.Namespace) -> int:
    """Write the image of the first people, of whom the network is told no keypoints."""
    if not (args.motion or args.shards) or args.model.suffix != ".pt":
        raise ValueError("--attention: expected a checkpoint (.pt), and --motion or --shards, whose people are drawn")
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    network = trained_network(load_checkpoint(args.model), body)
    if not isinstance(network, GlobalToPixel):
        raise ValueError(f"--attention: {args.model}: expected a checkpoint of Global-to-Pixel")
    shown = _shown(args, network, body)
    inputs = (torch.from_numpy(x[:PEOPLE]) for x in (shown.image, shown.keypoints, shown.view.camera))
    sheet = attention_sheet(shown.image[:PEOPLE], looks_of(network, *inputs))
    write_image_file(args.attention, sheet)
    print(f"{args.attention}: columns are {', '.join(SHOWN)}")
    return 0


def _shown(args: argparse.Namespace, network: GlobalToPixel, body: BodyModel) -> Shown:
    joint_set = network.config.joint_set
    if args.shards:
        batches = people_of_shards(args.shards, PEOPLE)
    else:
        mix = ImageMix(evaluated_people(PeopleMix()), backgrounds=str(args.backgrounds or ""))
        motion = load_motion(args.motion).select(args.split)
        batches = sampled_people(ImageSampler(motion, body, joint_set, mix), PEOPLE, args.seed)
    shown = observed(next(iter(batches)), joint_set, None, body, default_rng(args.seed)).shown
    assert shown is not None, "people in images were drawn"
    return shown
