# SPDX-License-Identifier: Apache-2.0
"""What the evaluations of moving people have in common: a network that reads keypoints, and motion."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.opening import open_engine
from hmr_ros.perception.pose2mesh import Pose2Mesh
from hmr_ros.training.datasets.motion import Motion, load_motion


@dataclass(frozen=True, eq=False)
class Moving:
    """The ``body`` and ``motion`` of people who move, and ``data``, what they are in words."""

    body: BodyModel
    motion: Motion
    data: str


def moving(args: argparse.Namespace, option: str) -> Moving:
    """The people that ``args`` of `hmr evaluate` name. Raises ValueError, which names the ``option``, without any."""
    if not args.motion or args.model.suffix != ".json":
        raise ValueError(f"--{option}: expected the manifest (.json) of a network that reads keypoints, and --motion")
    body = load_body_model(args.body or models_dir() / "open_body.npz")
    data = f"{args.motion}, split {args.split}, seed {args.seed}"
    return Moving(body, load_motion(args.motion).select(args.split), data)


@contextlib.contextmanager
def estimating(args: argparse.Namespace, body: BodyModel) -> Iterator[Pose2Mesh]:
    """The network that ``args`` name, open."""
    with contextlib.closing(open_engine(args.model)) as engine:
        yield Pose2Mesh(engine, body)
