# SPDX-License-Identifier: Apache-2.0
"""`hmr`: one program, a table of commands.

Each command is a module of ``hmr_ros.commands``, imported only when it is called: `hmr doctor` must work where torch,
or ROS, is missing.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import platform
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Protocol, cast

from hmr_ros import __version__
from hmr_ros.core.blas import use_one_blas_thread

COMMANDS = {
    "run": "estimate the bodies in photos, videos, a webcam or recordings and write them; without ROS",
    "demo": "play a clip, a directory or a webcam through the node; write images and figures",
    "view": "show a result or a running node in the viewer Rerun: image, people in space, angles over time",
    "export-motion": "write each person's motion as BVH, AMASS .npz, animated glTF and joint angles",
    "doctor": "check this machine; for what is missing, print the command that installs it",
    "bench": "measure speed, as ratios within one run (JSON)",
    "train": "train a network from a TOML file",
    "data": "tell what data are there for training, what they lack, and which poses they cover",
    "evaluate": "report the errors of a checkpoint, with confidence intervals",
    "calibrate": "fit covariances to a network's expected errors, and write them into its manifest",
    "ablate": "train a method with one part changed at a time, and compare",
    "evaluate-photos": "score estimated bodies on photos with labelled joints (PCK)",
    "evaluate-cameras": "measure people whom several cameras see, in synthetic rooms",
    "evaluate-hands": "score predicted hands on FreiHAND, as its own script does",
    "export": "write a checkpoint as ONNX and manifest",
    "render": "draw images of clothed people for training, as shards or as a contact sheet",
    "render-hands": "render hands and what the hand network sees of them, for training",
    "fp16": "write the fp16 model of a network for TensorRT, if it stays accurate",
    "int8": "write the int8 model of a network for CPUs, if it stays accurate",
    "parity": "compare a network's outputs between libraries and precisions, in mm",
    "engines": "list, verify, prune or build the TensorRT engines of this machine",
    "build-engine": "build TensorRT engines, also for GPUs elsewhere",
    "prepare-motion": "collect AMASS and BVH recordings into one motion file",
    "convert-detector": "convert BlazePose's landmark network to ONNX",
    "convert-hands": "convert MediaPipe's hand networks to ONNX",
    "convert-human-models": "convert NanoDet and MoveNet from an npm package to ONNX",
    "convert-smpl": "convert a licensed SMPL .pkl to .npz",
    "convert-pose2mesh": "convert published weights of Pose2Mesh to a checkpoint",
}
"""Name -> help; each is a module of ``hmr_ros.commands``."""

_AS_THE_ROBOT_DOES = {"run", "demo", "bench", "evaluate-photos"}
"""Commands that run the pipeline; the others compute with larger matrices, or with torch."""

_TOLD = (ArithmeticError, ValueError, OSError, RuntimeError, ImportError)
"""The package's own errors, which name the remedy."""

OLDEST_PYTHON = (3, 11)

DEBUG = "HMR_DEBUG"
"""Environment variable: when set, errors come with their traceback."""


class Command(Protocol):
    """The contents of a command's module; its docstring is the description of `hmr COMMAND --help`."""

    EXAMPLES: tuple[str, ...]
    """Command lines to copy, from "hmr COMMAND" on."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments on ``parser``."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work; the process's exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hmr ARGV`; the exit status (1: it failed, and says why; 2: wrong usage or a missing dependency)."""
    argv = sys.argv[1:] if argv is None else argv
    overview = _overview()
    name = overview.parse_args(argv[:1]).command
    if name not in COMMANDS:
        meant = "".join(f"; did you mean {near}?" for near in difflib.get_close_matches(name, COMMANDS, n=1))
        overview.error(f"there is no command {name!r}{meant or '; `hmr --help` lists them'}")
    if sys.version_info[:2] < OLDEST_PYTHON:
        overview.error(
            f"needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer, this is {platform.python_version()}; ROS 2 "
            "Humble and Iron are built for 3.10 and not supported: use Jazzy or later (README)"
        )
    _prepare(name)
    try:
        command = cast(Command, importlib.import_module(module_of(name)))
    except ModuleNotFoundError as err:
        overview.error(f"`hmr {name}` needs the Python module {err.name!r}, {_remedy(err.name or '')}")
    args = arguments_of(name, command, argv[1:])
    if os.environ.get(DEBUG):
        return command.run(args)
    try:
        return command.run(args)
    except KeyboardInterrupt:
        return 130
    except _TOLD as err:
        print(f"hmr {name}: {err}\n({DEBUG}=1 shows where)", file=sys.stderr)
        return 1


def _remedy(missing: str) -> str:
    """What to do where the module ``missing`` is not found."""
    if missing.startswith("hmr_ros."):
        return "which this package lacks as it was built: build it again (colcon build), and source install/setup.bash"
    return "which is not installed; see `hmr doctor`"


def _prepare(name: str) -> None:
    """Prepare this process for the command ``name``, before its module imports numpy."""
    if name in _AS_THE_ROBOT_DOES:
        use_one_blas_thread()


def module_of(name: str) -> str:
    """The module of the command ``name``: that of `hmr build-engine` is ``hmr_ros.commands.build_engine``."""
    return f"hmr_ros.commands.{name.replace('-', '_')}"


def arguments_of(name: str, command: Command, given: Sequence[str]) -> argparse.Namespace:
    """What is ``given`` to ``command``, called ``name``; with it the whole ``command_line``, for reports."""
    return parser_of(name, command).parse_args(
        given, argparse.Namespace(command_line=shlex.join(["hmr", name, *given]))
    )


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """The parser of the arguments of ``command``, called ``name``."""
    parser = argparse.ArgumentParser(
        f"hmr {name}",
        description=_filled(command.__doc__ or ""),
        epilog="\n  ".join(["examples:", *command.EXAMPLES]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    return parser


def _filled(docstring: str) -> str:
    """``docstring`` for a terminal: its paragraphs wrapped anew, quotes of code simple."""
    width = max(shutil.get_terminal_size().columns - 2, 40)
    paragraphs = docstring.strip().replace("``", "`").split("\n\n")
    return "\n\n".join(textwrap.fill(p, width, break_on_hyphens=False, break_long_words=False) for p in paragraphs)


def _overview() -> argparse.ArgumentParser:
    """The parser of the first argument."""
    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {name:{width}}  {line}" for name, line in COMMANDS.items())
    parser = argparse.ArgumentParser(
        "hmr",
        description="Metric human body meshes for ROS 2.",
        epilog=f"commands:\n{table}\n\n`hmr COMMAND --help` shows arguments and examples.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hmr_ros {__version__}")
    parser.add_argument("command", metavar="COMMAND", help="one of the commands below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
