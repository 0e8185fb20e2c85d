# SPDX-License-Identifier: Apache-2.0
"""`hmr parity`: compare a network's outputs between libraries and precisions, in mm of body or px of image.

The reference is ONNX Runtime on the CPU. Compared with it are the fp16 model (``<name>_fp16.json``, rounded as a GPU
rounds), the backends given by --backend, and PyTorch if there is a --checkpoint. Inputs are recorded from the sample
clip and from rendered crowds. The exit status is 1 if a difference is too large.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hmr_ros.evaluation.parity.compare import compare, shipped
from hmr_ros.results.report_file import write_report

EXAMPLES = (
    "hmr parity",
    "hmr parity models/pose2mesh.json --backend tensorrt --checkpoint runs/pose2mesh/best.pt --out parity.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "models", type=Path, nargs="*", help="manifests (.json) of networks (default: all shipped ones)"
    )
    parser.add_argument("--backend", action="append", default=[], help="backend to compare; repeatable")
    parser.add_argument(
        "--checkpoint", type=Path, help="compare PyTorch: checkpoint that the network was exported from"
    )
    parser.add_argument("--out", type=Path, help="JSON file for the report")


def run(args: argparse.Namespace) -> int:
    """Compare and print; 1 if a difference is too large."""
    models, findings = args.models or shipped(), []
    for path in models:
        print(f"{path.stem}: against onnxruntime on the CPU")
        for finding in compare(path, args.backend, args.checkpoint):
            findings.append(finding)
            print(f"  {finding}")
    content = {"findings": [finding.summary() for finding in findings]}
    write_report(args.out, vars(args) | {"models": models}, content)
    return 0 if all(finding.accepted for finding in findings) else 1
