# SPDX-License-Identifier: Apache-2.0
"""`hmr export`: write a checkpoint as an artefact for the robot, ``<name>.onnx`` and ``<name>.json``.

Nothing is written unless ONNX Runtime and PyTorch give the same outputs.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch
from torch import nn

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import file_sha256, models_dir
from hmr_ros.export.checkpoint import (
    FP16_TOLERANCE,
    TOLERANCE,
    check_difference,
    describe,
    exportable,
    model_path,
    training_facts,
    write_artefact,
)
from hmr_ros.export.onnx_graph import OPSET, largest_difference, to_onnx, with_fp16_weights
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.networks.global_to_pixel.movenet_backbone import MoveNetBackbone
from hmr_ros.networks.global_to_pixel.movenet_trunk import MoveNetTrunk
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.movenet_weights import average_with_movenet
from hmr_ros.training.recipes import OF_HANDS, trained_network

EXAMPLES = (
    "hmr export runs/pose2mesh/best.pt --out models/pose2mesh --fp16-weights",
    "hmr export runs/global_to_pixel_thunder/best.pt --out models/global_to_pixel --movenet 0.4",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("checkpoint", type=Path, help="best.pt or last.pt of a training run")
    parser.add_argument("--out", type=Path, required=True, help="artefact to write, for example models/pose2mesh")
    parser.add_argument("--fp16-weights", action="store_true", help="store weights as fp16; arithmetic stays fp32")
    parser.add_argument(
        "--movenet",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="of global_to_pixel on movenet_thunder: weight of MoveNet's own weights in the mean of them and the "
        "trained ones, which remembers photos better (%(default)s)",
    )
    parser.add_argument("--body", type=Path, help="body model .npz that it was trained on (default: the checkpoint's)")
    parser.add_argument("--note", default="", help="remark on the training for the manifest")
    parser.add_argument(
        "--licence", help="licence of the weights, which depends on your data (without data sets: Apache-2.0)"
    )


def run(args: argparse.Namespace) -> int:
    """Export, compare with PyTorch, write."""
    checkpoint = load_checkpoint(args.checkpoint)
    if checkpoint.config.recipe == "hands_pixel":
        raise ValueError(f"{args.checkpoint}: nothing runs Global-to-Pixel on hands yet, so it cannot be exported")
    licence = _licence(args.licence, checkpoint.config)
    of_hands = checkpoint.config.recipe in OF_HANDS
    body_path = args.body or model_path(checkpoint.config)
    body = load_body_model(models_dir() / "open_body.npz" if of_hands else body_path)
    if checkpoint.body_sha256 not in ("", body.sha256):
        raise ValueError(f"{body_path}: not the body model that {args.checkpoint} was trained on; set --body")
    trained = trained_network(checkpoint, body)
    if args.movenet:
        average_with_movenet(_movenet_of(trained, args), args.movenet)
    network = exportable(checkpoint, trained, body)
    model = with_fp16_weights(to_onnx(network)) if args.fp16_weights else to_onnx(network)
    difference = largest_difference(model, network)
    check_difference(difference, FP16_TOLERANCE if args.fp16_weights else TOLERANCE)
    provenance = {
        "command": "hmr export" + (" --fp16-weights" if args.fp16_weights else ""),
        "recipe": checkpoint.config.recipe,
        "checkpoint_sha256": file_sha256(args.checkpoint),
        "exporter": f"torch {torch.__version__}, opset {OPSET}",
        **training_facts(checkpoint.config),
        **({"movenet": f"{args.movenet:g} of the trunk's weights are MoveNet's own"} if args.movenet else {}),
        **({"note": args.note} if args.note else {}),
    }
    onnx_path = args.out.with_name(args.out.name.removesuffix(".onnx") + ".onnx")
    manifest = dataclasses.replace(
        describe(model, checkpoint, onnx_path), body_model=body_path.stem, body_model_sha256=file_sha256(body_path)
    )
    write_artefact(model, dataclasses.replace(manifest, licence=licence, provenance=provenance), onnx_path)
    print(f"{onnx_path}: {onnx_path.stat().st_size / 2**20:.1f} MiB, at most {1000 * difference:.2g} mm from PyTorch")
    return 0


def _movenet_of(network: nn.Module, args: argparse.Namespace) -> MoveNetTrunk:
    """The trunk of ``network`` that ``--movenet`` is for; ValueError where there is none, or for a wrong fraction."""
    backbone = network.backbone if isinstance(network, GlobalToPixel) else None
    if not isinstance(backbone, MoveNetBackbone):
        raise ValueError(f"--movenet: {args.checkpoint} has no trunk of MoveNet's; leave it out")
    if not 0 <= args.movenet <= 1:
        raise ValueError(f"--movenet: expected 0 to 1, got {args.movenet:g}")
    return backbone.trunk


def _licence(given: str | None, config: TrainConfig) -> str:
    """The licence of the weights; ValueError where data sets with terms of their own were trained on."""
    facts = training_facts(config)
    if given is None and "data_sets" in facts:
        raise ValueError(
            f"--licence: set it; the weights were trained on {facts['data_sets']}, whose terms bind them "
            "(docs/datasets.md)"
        )
    return given or "Apache-2.0"
