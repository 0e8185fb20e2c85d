# SPDX-License-Identifier: Apache-2.0
"""The commands of `hmr`, one module each: `hmr build-engine` is ``build_engine``; ``evaluate`` has several.

Each holds EXAMPLES of its use, ``add_arguments(parser)`` and ``run(args)``, whose result is the exit status. What
computes is in other packages. Only ``hmr_ros.cli`` imports commands, and only the one that is called.
"""

from __future__ import annotations

import argparse


def add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    """Declare --set, which changes settings of a training recipe (``load_recipe``)."""
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help=f"instead of the config's, for example {example}; once per setting",
    )
