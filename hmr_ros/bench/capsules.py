# SPDX-License-Identifier: Apache-2.0
"""Capsules of the open body: the fraction of its vertices inside them, their volume, and their time.

People are random: shape and joint axes are normally distributed, and limbs bend more than the spine, which exceeds the
poses of motion capture. The volume of a body is that of its mesh, the volume of the union is by Monte Carlo.
"""

from __future__ import annotations

import time

import numpy as np

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.body.capsules import PADDING_M, CapsuleRig
from hmr_ros.core.manifest import models_dir

BODIES, VOLUME_BODIES, VOLUME_POINTS = 2000, 10, 40_000
BATCH = 50
COVERAGE_GOAL, TIME_GOAL_MS = 0.995, 0.3
PADDINGS_M = (0.0, 0.01, PADDING_M, 0.05)
BENDS_RAD = (0.2, 0.35, 0.5)
"""Standard deviations of a joint axis."""

_LIMBS = slice(9, 21)
_HANDS = [21, 22]


def run(options: Options) -> Row:
    """Measure coverage, volume and time."""
    body_model = load_body_model(models_dir() / "open_body.npz")
    rig = body_model.capsules
    assert rig is not None, "the open body has capsules"
    rng = np.random.default_rng(0)
    inside = np.concatenate([_inside(body_model, rig, rng, BENDS_RAD[k % 3]) for k in range(BODIES // BATCH)])
    ratios = np.median([_volume_ratios(body_model, rig, rng) for _ in range(VOLUME_BODIES)], 0)
    took_ms = _time_ms(body_model, rig, rng, options.repeats)
    figures = {}
    for padding_m, fractions, ratio in zip(PADDINGS_M, inside.T, ratios, strict=True):
        at = f"padding {padding_m * 100:g} cm: "
        figures[f"{at}vertices inside"] = float(fractions.mean())
        figures[f"{at}vertices inside, worst body"] = float(fractions.min())
        figures[f"{at}volume of the union / of the body"] = float(ratio)
    coverage = float(inside[:, PADDINGS_M.index(PADDING_M)].mean())
    return {
        "settings": {"bodies": BODIES, "capsules": len(rig), "repeats": options.repeats},
        "medians_ms": {"capsules of one posed body": took_ms},
        "figures": figures,
        "goals": {
            f"at least {COVERAGE_GOAL:.1%} inside, padding {PADDING_M * 100:g} cm": coverage >= COVERAGE_GOAL,
            f"at most {TIME_GOAL_MS} ms per body": took_ms <= TIME_GOAL_MS,
        },
    }


def _random_bodies(body_model: BodyModel, rng: np.random.Generator, people: int, bend: float) -> tuple[Floats, Floats]:
    """Vertices (P, V, 3) m and betas (P, 10)."""
    pose = bend * rng.normal(size=(people, 23, 3))
    pose[:, _LIMBS] *= 1.5
    pose[:, _HANDS] = 0  # the hands of the open body do not move
    betas = rng.normal(size=(people, 10))
    root = 1.5 * rng.normal(size=(people, 3))
    return body_model.posed(root, pose, betas, np.zeros((people, 3))).vertices, betas


def _inside(body_model: BodyModel, rig: CapsuleRig, rng: np.random.Generator, bend: float) -> Floats:
    """(P, paddings) fractions of the vertices of random bodies that are inside."""
    vertices, betas = _random_bodies(body_model, rng, BATCH, bend)
    one_by_one = [rig.posed(vertices[k : k + 1], betas[k : k + 1]).distances(vertices[k : k + 1]) for k in range(BATCH)]
    fractions: Floats = (np.concatenate(one_by_one)[..., None] <= np.array(PADDINGS_M)).mean(1)
    return fractions


def _volume_ratios(body_model: BodyModel, rig: CapsuleRig, rng: np.random.Generator) -> Floats:
    """(paddings,) volume of the union of capsules divided by that of the mesh."""
    vertices, betas = _random_bodies(body_model, rng, 1, BENDS_RAD[0])
    capsules = rig.posed(vertices, betas)
    margin = float(capsules.radii.max()) + max(PADDINGS_M)
    low, high = vertices[0].min(0) - margin, vertices[0].max(0) + margin
    points = rng.uniform(low, high, (1, VOLUME_POINTS, 3))
    union = (capsules.distances(points)[0, :, None] <= np.array(PADDINGS_M)).mean(0) * np.prod(high - low)
    ratios: Floats = union / _mesh_volume(vertices[0], body_model.faces)
    return ratios


def _mesh_volume(vertices: Floats, faces: Ints) -> float:
    """m^3, by the divergence theorem."""
    a, b, c = vertices[faces].astype(np.float64).transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def _time_ms(body_model: BodyModel, rig: CapsuleRig, rng: np.random.Generator, repeats: int) -> float:
    vertices, betas = _random_bodies(body_model, rng, 1, BENDS_RAD[0])
    took = []
    for _ in range(repeats):
        started = time.perf_counter()
        rig.posed(vertices, betas).padded(PADDING_M).axes()
        took.append(time.perf_counter() - started)
    return float(np.median(took) * 1e3)
