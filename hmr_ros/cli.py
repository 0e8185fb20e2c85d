# SPDX-License-Identifier: Apache-2.0
"""`hmr`: one command, a table of subcommands.

Each is a module with ``add_arguments(parser) -> None`` and ``run(args) -> int``, imported only when it is called: `hmr
doctor` must work where torch, or ROS, is missing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from hmr_ros import __version__

COMMANDS = {
    "demo": ("hmr_ros.demo", "play a clip, a directory or a webcam through the node; write images and figures"),
    "doctor": ("hmr_ros.commands.doctor", "check this machine and say what to do about what is missing"),
    "bench": ("hmr_ros.bench", "measure speed, as ratios within one run (JSON)"),
    "train": ("hmr_ros.training.train", "train a network from a TOML file"),
    "evaluate": ("hmr_ros.commands.evaluate", "report the errors of a checkpoint, with confidence intervals"),
    "calibrate": ("hmr_ros.commands.calibrate", "learn what a network's expected errors mean, for its covariances"),
    "ablate": ("hmr_ros.commands.ablate", "train Global-to-Pixel with parts left out, and compare"),
    "evaluate-photos": ("hmr_ros.evaluation.photos", "score estimated bodies on photos with labelled joints (PCK)"),
    "export": ("hmr_ros.export.checkpoint", "write a checkpoint as ONNX and manifest"),
    "render": ("hmr_ros.training.render", "draw images of clothed people for training, as shards or as a sheet"),
    "half": ("hmr_ros.commands.fp16", "make the fp16 model of a network for TensorRT, if it stays accurate"),
    "parity": ("hmr_ros.evaluation.parity", "compare a network's answers between libraries and precisions, in mm"),
    "engines": ("hmr_ros.commands.engines", "list, verify, prune or build the TensorRT engines of this machine"),
    "build-engine": ("hmr_ros.commands.build_engine", "build TensorRT engines, also for GPUs elsewhere"),
    "prepare-motion": ("hmr_ros.commands.prepare_motion", "collect AMASS and BVH motion into one training file"),
    "convert-detector": ("hmr_ros.conversion.detector", "convert BlazePose's .tflite files to ONNX"),
    "convert-smpl": ("hmr_ros.commands.convert_smpl", "convert a licensed SMPL .pkl to .npz"),
}
"""Name -> (module, help)."""


DEBUG = "HMR_DEBUG"
"""Environment variable: when set, errors come with their traceback."""


class Command(Protocol):
    """What the module of a subcommand holds."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments on ``parser``."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work; the process's exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hmr ARGV`; the exit status (1: it failed, and says why; 2: wrong usage or a missing dependency)."""
    argv = sys.argv[1:] if argv is None else argv
    overview = _overview()
    name = overview.parse_args(argv[:1]).command
    try:
        command = cast(Command, importlib.import_module(COMMANDS[name][0]))
    except ModuleNotFoundError as err:
        overview.error(f"`hmr {name}` needs the Python module {err.name!r}, which is not installed; see `hmr doctor`")
    parser = argparse.ArgumentParser(f"hmr {name}", description=command.__doc__)
    command.add_arguments(parser)
    args = parser.parse_args(argv[1:])
    if os.environ.get(DEBUG):
        return command.run(args)
    try:
        return command.run(args)
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, RuntimeError) as err:  # what our errors are; each says what to do
        print(f"hmr {name}: {err}\n({DEBUG}=1 shows where)", file=sys.stderr)
        return 1


def _overview() -> argparse.ArgumentParser:
    """The parser of the first argument."""
    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {name:{width}}  {line}" for name, (_, line) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        "hmr",
        description="Metric human body meshes for ROS 2.",
        epilog=f"commands:\n{table}\n\n`hmr COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hmr_ros {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help="one of the commands below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
