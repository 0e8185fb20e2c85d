# SPDX-License-Identifier: Apache-2.0
"""How near the poses that a recipe draws come to those of held-out subjects, by posture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.pose_distance import drawn_distance
from hmr_ros.training.synthetic.poses import PoseMix, PoseSource, real_poses
from hmr_ros.training.synthetic.postures import Posture, posture_of

FRAMES = 300
"""Held-out frames of each posture that are looked at."""


@dataclass(frozen=True)
class Nearness:
    """Median and 90th percentile of the distance to the nearest drawn pose, degrees; ``drawn`` percent are such."""

    median: float
    far: float
    drawn: float


@dataclass(frozen=True)
class PostureCoverage:
    """Of ``frames`` held-out frames in a posture: among ``recorded`` training frames alone, and as a recipe draws."""

    posture: str
    frames: int
    recorded: Nearness
    recipe: Nearness


def coverage(motion: Motion, mix: PoseMix, samples: int, seed: int = 0) -> list[PostureCoverage]:
    """Of each posture that held-out frames have; every frame among ``samples`` poses drawn from the training split."""
    rng = default_rng((seed, 0))
    held, kinds = _some_of_each(motion.select("val").pose, rng)
    train = motion.select("train")
    found = []
    for number, drawn_by in enumerate((_recorded(mix), mix)):
        drawn = PoseSource(train, drawn_by).sample(default_rng((seed, 1 + number)), samples).rotvecs
        found.append((drawn_distance(held, drawn), posture_of(drawn)))
    return [
        PostureCoverage(
            kind.name.lower(),
            int((kinds == kind).sum()),
            *(_nearness(distance[kinds == kind], 100 * float((drawn == kind).mean())) for distance, drawn in found),
        )
        for kind in Posture
        if (kinds == kind).any()
    ]


def _recorded(mix: PoseMix) -> PoseMix:
    """Frames as they were recorded and nothing else, by the sizes of categories."""
    return replace(real_poses(mix), sitting=0.0, lying=0.0, crouching=0.0)


def _some_of_each(pose: Floats, rng: np.random.Generator) -> tuple[Floats, Int64s]:
    """At most FRAMES of ``pose`` (N, 24, 3) of each posture, and their postures."""
    kinds = posture_of(pose)
    chosen = np.concatenate([rng.permutation(np.flatnonzero(kinds == kind))[:FRAMES] for kind in Posture])
    return pose[chosen], kinds[chosen]


def _nearness(distance: Floats, drawn: float) -> Nearness:
    return Nearness(float(np.median(distance)), float(np.quantile(distance, 0.9)), drawn)


def markdown(rows: Sequence[PostureCoverage]) -> str:
    """The table: nearest drawn pose, degrees (median, 90th percentile), and how often each posture is drawn."""
    lines = ["| posture | held-out frames | recorded frames | drawn | recipe | drawn |", "|---" * 6 + "|"]
    lines += [f"| {row.posture} | {row.frames} | {_cells(row.recorded)} | {_cells(row.recipe)} |" for row in rows]
    return "\n".join(lines)


def _cells(found: Nearness) -> str:
    return f"{found.median:.1f}, {found.far:.1f} | {found.drawn:.1f} %"
