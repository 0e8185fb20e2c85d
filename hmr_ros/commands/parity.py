"""``hmr parity``: whether a network answers alike wherever it runs, in millimetres of body or pixels of image.

The reference is ONNX Runtime on the CPU. Compared with it are the network in half (``<name>_fp16.json``, as a GPU
computes it), the backends that are named, and PyTorch where there is a checkpoint. Inputs are what the networks get in
the sample clip and in rendered crowds. Exit status 1: something is farther off than it may be.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hmr_ros.core.manifest import atomic_path
from hmr_ros.evaluation.parity.compare import compare, shipped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("models", type=Path, nargs="*", help="manifests (.json) of networks (all shipped ones)")
    parser.add_argument("--backend", action="append", default=[], help="compare this backend, too; repeatable")
    parser.add_argument("--checkpoint", type=Path, help="compare PyTorch: the training run that the network is from")
    parser.add_argument("--out", type=Path, help="write everything there as JSON, too")


def run(args: argparse.Namespace) -> int:
    """Compare and print; 1 if anything is too far off."""
    findings = []
    for path in args.models or shipped():
        print(f"{path.stem}: against onnxruntime on the CPU")
        for finding in compare(path, args.backend, args.checkpoint):
            findings.append(finding)
            print(f"  {finding}")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(args.out) as temporary:
            temporary.write_text(json.dumps([finding.summary() for finding in findings], indent=1) + "\n")
    return 0 if all(finding.accepted for finding in findings) else 1
