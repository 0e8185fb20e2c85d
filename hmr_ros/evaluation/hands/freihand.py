# SPDX-License-Identifier: Apache-2.0
"""FreiHAND's evaluation: errors of joints and vertices after alignment, F-scores, and the file of predictions.

Joints and vertices are aligned separately. The official alignment may mirror a hand, which flatters those that are
estimated inside out; the same figures with a rotation stand beside it. Definitions: Zimmermann et al., "FreiHAND", ICCV
2019, and its evaluation code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.metrics import MM, f_score, similarity_aligned
from hmr_ros.core.skeleton import MANO

Align = Callable[[Floats, Floats], Floats]
"""Maps predicted points (N, J, 3) to the ground truth."""

THRESHOLDS_MM = (5.0, 15.0)
"""Of the F-scores; a vertex counts that has one strictly nearer."""

_CURVE_MM = np.linspace(0, 50, 100)
_VERTICES = 778


@dataclass(frozen=True, eq=False)
class HandMeshes:
    """N hands: ``joints`` (N, 21, 3) in the order of skeleton.MANO, and ``vertices`` (N, 778, 3), m."""

    joints: Floats
    vertices: Floats

    def __post_init__(self) -> None:
        for name, points in (("joints", MANO.size), ("vertices", _VERTICES)):
            shape = getattr(self, name).shape
            if shape != (len(self.joints), points, 3):
                raise ValueError(f"HandMeshes.{name}: expected ({len(self.joints)}, {points}, 3), got {shape}")


@dataclass(frozen=True)
class HandScores:
    """Means over hands: errors in mm, areas under the curve (AUC, 0 to 50 mm) and F-scores 0..1."""

    pa_mpjpe: float
    pa_mpvpe: float
    auc_joints: float
    auc_vertices: float
    f_5: float
    f_15: float


@dataclass(frozen=True)
class FreiHandReport:
    """The scores of ``count`` hands: ``official``, whose alignment may mirror, and with a ``rotation`` alone.

    ``mirrored`` is the fraction of hands whose vertices fit better mirrored.
    """

    count: int
    official: HandScores
    rotation: HandScores
    mirrored: float

    def table(self) -> str:
        """The report as Markdown."""
        rows = [(name, scores) for name, scores in (("official", self.official), ("rotation", self.rotation))]
        lines = [
            "| alignment | PA-MPJPE mm | PA-MPVPE mm | AUC joints | AUC vertices | F@5 | F@15 |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, s in rows:
            figures = (f"{s.auc_joints:.3f}", f"{s.auc_vertices:.3f}", f"{s.f_5:.3f}", f"{s.f_15:.3f}")
            lines.append(f"| {name} | {s.pa_mpjpe:.1f} | {s.pa_mpvpe:.1f} | {' | '.join(figures)} |")
        return "\n".join([*lines, "", f"{self.count} hands, {100 * self.mirrored:.1f} % fit better mirrored"])


def evaluate_freihand(predicted: HandMeshes, ground_truth: HandMeshes) -> FreiHandReport:
    """Score ``predicted`` hands against the ``ground_truth``, row by row. Their unit and position do not matter.

    Raises ValueError unless both have the same number of hands, at least one, and no NaN.
    """
    count = len(ground_truth.joints)
    if count == 0 or len(predicted.joints) != count:
        raise ValueError(f"expected predictions of {count} hands, at least one, got {len(predicted.joints)}")
    for name, meshes in (("predictions", predicted), ("ground truth", ground_truth)):
        if not (np.isfinite(meshes.joints).all() and np.isfinite(meshes.vertices).all()):
            raise ValueError(f"{name}: joints and vertices must be finite; is a file of the data set missing?")
    official = _aligned(predicted, ground_truth, mirroring_aligned)
    rotation = _aligned(predicted, ground_truth, similarity_aligned)
    gaps = [np.linalg.norm(hands.vertices - ground_truth.vertices, axis=-1).mean(1) for hands in (official, rotation)]
    mirrored = float((gaps[0] < gaps[1] - 1e-9).mean())
    return FreiHandReport(count, _scores(official, ground_truth), _scores(rotation, ground_truth), mirrored)


def mirroring_aligned(predicted: Floats, ground_truth: Floats) -> Floats:
    """(N, J, 3), (N, J, 3) -> (N, J, 3): ``predicted`` after FreiHAND's alignment.

    Both are centred and scaled to a Frobenius norm of 1; the orthogonal Procrustes solution, which may be a reflection,
    and its optimal scale map one to the other.
    """
    centre, target = predicted.mean(1, keepdims=True), ground_truth.mean(1, keepdims=True)
    p, t = predicted - centre, ground_truth - target
    p_norm, t_norm = (np.maximum(np.linalg.norm(x, axis=(1, 2), keepdims=True), 1e-12) for x in (p, t))
    p, t = p / p_norm, t / t_norm
    u, singular, vt = np.linalg.svd(t.swapaxes(1, 2) @ p)
    return np.asarray(p @ (u @ vt).swapaxes(1, 2) * singular.sum(1)[:, None, None] * t_norm + target)


def read_meshes(path: Path) -> HandMeshes:
    """The hands of a ``pred.json``: a list of joints and a list of vertices, one entry per image.

    Raises ValueError, which names the file.
    """
    try:
        joints, vertices = json.loads(path.read_text(encoding="utf-8"))
        return HandMeshes(np.array(joints, np.float64), np.array(vertices, np.float64))
    except (OSError, ValueError, TypeError) as err:
        raise ValueError(f"{path}: expected [joints (N, 21, 3), vertices (N, 778, 3)] as JSON, m ({err})") from err


def write_meshes(hands: HandMeshes, path: Path) -> None:
    """Write ``hands`` as the ``pred.json`` that FreiHAND's server takes."""
    content = [np.round(points, 6).tolist() for points in (hands.joints, hands.vertices)]
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def _aligned(predicted: HandMeshes, ground_truth: HandMeshes, align: Align) -> HandMeshes:
    return HandMeshes(align(predicted.joints, ground_truth.joints), align(predicted.vertices, ground_truth.vertices))


def _scores(aligned: HandMeshes, ground_truth: HandMeshes) -> HandScores:
    joints, vertices = (
        MM * np.linalg.norm(getattr(aligned, name) - getattr(ground_truth, name), axis=-1)
        for name in ("joints", "vertices")
    )
    f_5, f_15 = (float(f_score(aligned.vertices, ground_truth.vertices, mm).mean()) for mm in THRESHOLDS_MM)
    return HandScores(float(joints.mean()), float(vertices.mean()), _auc(joints), _auc(vertices), f_5, f_15)


def _auc(distances: Floats) -> float:
    """0..1, area below the fraction of ``distances`` (N, J) mm within each threshold, averaged over the J points."""
    within = np.searchsorted(np.sort(distances, axis=None), _CURVE_MM, side="right") / distances.size
    return float(((within[1:] + within[:-1]) / 2).mean())
