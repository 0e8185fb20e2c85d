# SPDX-License-Identifier: Apache-2.0
"""Hands end to end: rendered, seen by MediaPipe's network, lifted by Pose2Mesh on hands, compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.fitting.hand_pose import fit_hand_pose
from hmr_ros.core.metrics import f_score, mpjpe, pa_mpjpe, similarity_aligned
from hmr_ros.core.skeleton import MANO
from hmr_ros.engines.runtime import Engine
from hmr_ros.evaluation.hands.freihand import THRESHOLDS_MM
from hmr_ros.evaluation.hands.lifting import UNIT_CAMERA, right_hands
from hmr_ros.perception.hand_meshes import HandLifter
from hmr_ros.training.datasets.seen_hands import SeenHands


@dataclass(frozen=True)
class RenderedScores:
    """Means over hands of one ``source``, mm and 0..1; None for what it does not give.

    ``mpjpe`` is relative to the wrist, without alignment, in the axes of the camera.
    """

    source: str
    mpjpe: float
    pa_mpjpe: float
    pa_mpvpe: float | None
    f_5: float | None
    f_15: float | None


@dataclass(frozen=True)
class RenderedReport:
    """The scores of ``count`` hands, whose points are ``pixel_error`` of the hand's size off in the median."""

    count: int
    pixel_error: float
    scores: tuple[RenderedScores, ...]

    def table(self) -> str:
        """The report as Markdown."""
        lines = ["| hands from | MPJPE mm | PA-MPJPE mm | PA-MPVPE mm | F@5 | F@15 |", "|---|---|---|---|---|---|"]
        for s in self.scores:
            mesh = [_cell(s.pa_mpvpe, "{:.1f}"), _cell(s.f_5, "{:.3f}"), _cell(s.f_15, "{:.3f}")]
            lines.append(f"| {s.source} | {s.mpjpe:.1f} | {s.pa_mpjpe:.1f} | {' | '.join(mesh)} |")
        seen = f"{self.count} rendered hands, points {100 * self.pixel_error:.1f} % of the hand off in the median"
        return "\n".join([*lines, "", seen])


def evaluate_rendered(seen: SeenHands, hand: HandModel, lifter: Engine | None) -> RenderedReport:
    """Score what can be made of ``seen`` hands; ``hand`` is the open hand, ``lifter`` Pose2Mesh on hands."""
    truth = _posed(hand, seen.orient, seen.pose, seen.betas)
    world, rest = fit_hand_pose(seen.world, hand), np.zeros_like(seen.pose)
    scores = [
        _scores("the detector's own 3D", seen.world, None, truth),
        _scores("the open hand at its angles", *_posed(hand, world.orient, world.pose), truth),
        _scores("the open hand at rest", *_posed(hand, world.orient, rest), truth),
    ]
    if lifter is not None:
        scores += _lifted_scores(seen, hand, lifter, truth)
    off = np.linalg.norm(seen.seen - seen.exact, axis=-1).mean(1)
    size = np.linalg.norm(np.ptp(seen.exact, axis=1), axis=-1)
    return RenderedReport(len(seen), float(np.median(off / size)), tuple(scores))


def _lifted_scores(
    seen: SeenHands, hand: HandModel, lifter: Engine, truth: tuple[Floats, Floats]
) -> list[RenderedScores]:
    lift = HandLifter(lifter, hand)
    sources = {"": (seen.seen, seen.world), ", points only": (seen.seen, np.zeros_like(seen.world)),
               ", exact points only": (seen.exact, np.zeros_like(seen.world))}  # fmt: skip
    scores = []
    for note, (points, world) in sources.items():
        found = lift(right_hands(points, world), UNIT_CAMERA)
        scores.append(_scores(f"Pose2Mesh{note}", found.joints, found.vertices, truth))
        if not note:
            angles = _posed(hand, found.poses.orient, found.poses.pose)
            scores.append(_scores("Pose2Mesh, as angles of the open hand", *angles, truth))
    return scores


def _posed(hand: HandModel, orient: Floats, pose: Floats, betas: Floats | None = None) -> tuple[Floats, Floats]:
    """Joints (N, 21, 3) and vertices (N, 778, 3) m, relative to the wrist, of the mean shape unless ``betas`` say."""
    still = np.zeros((len(orient), 3))
    posed = hand.posed(orient, pose, np.zeros((len(orient), 10)) if betas is None else betas, still)
    return hand.keypoints(posed), posed.vertices


def _scores(source: str, joints: Floats, vertices: Floats | None, truth: tuple[Floats, Floats]) -> RenderedScores:
    true_joints, true_vertices = truth
    apart = float(mpjpe(joints, true_joints, MANO.index("wrist")).mean())
    aligned = float(pa_mpjpe(joints, true_joints).mean())
    if vertices is None:
        return RenderedScores(source, apart, aligned, None, None, None)
    fitted = similarity_aligned(vertices, true_vertices)
    f_5, f_15 = (float(f_score(fitted, true_vertices, mm).mean()) for mm in THRESHOLDS_MM)
    return RenderedScores(source, apart, aligned, float(pa_mpjpe(vertices, true_vertices).mean()), f_5, f_15)


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
