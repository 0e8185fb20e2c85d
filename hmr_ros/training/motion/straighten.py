# SPDX-License-Identifier: Apache-2.0
"""Constant joint-angle offsets of motion-capture subjects, and motion without them.

A capture system's skeleton is calibrated once per subject, from markers on the skin. Where that went wrong, the subject
stands with bent knees in every recording: CMU's stand 5 to 15 degrees too deep. A network that learns from them bends
straight knees. The offset shows in frames of upright legs, whose smallest angles are those of standing people, and is
the same in all frames of the subject.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.motion import Motion

MIN_FRAMES = 30
"""Upright frames of a subject, at the fewest, for which offsets are estimated."""

LARGEST_DEG = 15.0
"""No calibration is off by more: farther out, the subject holds a posture."""

_UPRIGHT_LEG_DEG = 45.0
_UPRIGHT_TRUNK = np.cos(np.deg2rad(30))

X, Y = 0, 1


@dataclass(frozen=True)
class StandingAngle:
    """An angle of people who stand, and what is done to a subject's poses where it lies outside of anatomy's range.

    The angle is the sum over ``parts``: (joint, axis, sign) components of SMPL's rotation vectors, in degrees. A
    subject's standing value is the ``quantile`` (percent) over upright frames. Where it lies outside of ``low`` to
    ``high`` by at most LARGEST_DEG, it is moved to the nearer bound; farther outside it is a posture, and stays.
    ``compensation``: components that take up fractions of the change, so that the foot stays below the hip.
    """

    name: str
    parts: tuple[tuple[str, int, float], ...]
    quantile: float
    low: float
    high: float
    compensation: tuple[tuple[str, int, float], ...] = ()

    def of(self, pose: Floats) -> Floats:
        """(..., 24, 3) axis-angle -> (...) degrees."""
        return np.rad2deg(sum(sign * pose[..., SMPL.index(joint), axis] for joint, axis, sign in self.parts))

    def offset(self, standing: float) -> float:
        """Degrees to take out of a subject who stands like ``standing``."""
        excess = standing - float(np.clip(standing, self.low, self.high))
        return 0.0 if abs(excess) > LARGEST_DEG else excess


def _leg(side: str) -> tuple[StandingAngle, ...]:
    hip, knee, ankle = f"{side}_hip", f"{side}_knee", f"{side}_ankle"
    return (
        # Between joint centres the body at rest has 5 degrees already: 3 to 7 here are 8 to 12 there, as people stand.
        StandingAngle(f"{side} knee", ((knee, X, 1),), 20, 3, 7, ((hip, X, 0.5), (ankle, X, 0.5))),
        StandingAngle(f"{side} hip", ((hip, X, -1),), 50, -15, 20),
        StandingAngle(f"{side} foot", ((ankle, X, 1),), 50, -15, 15),
    )


def _elbow(side: str, sign: float) -> StandingAngle:
    return StandingAngle(f"{side} elbow", ((f"{side}_elbow", Y, sign),), 20, 0, 35)


STANDING_ANGLES = (
    *_leg("left"),
    *_leg("right"),
    _elbow("left", -1),
    _elbow("right", 1),
    StandingAngle("head pitch", (("neck", X, 1), ("head", X, 1)), 50, -25, 25),
)
"""Flexion is positive; of the head, looking down. Ranges: standing adults (goniometry of the joints at rest)."""


@dataclass(frozen=True)
class Offset:
    """What was found for one angle of one subject: its standing value and what is taken out, degrees."""

    subject: str
    angle: StandingAngle
    standing: float
    removed: float


def straighten(motion: Motion) -> tuple[Motion, list[Offset]]:
    """``motion`` without its subjects' constant offsets, and what was found for each subject and angle.

    Subjects with fewer than MIN_FRAMES upright frames stay as they are and are not listed.
    """
    pose = motion.pose.copy()
    offsets: list[Offset] = []
    upright = upright_frames(motion.pose)
    for subject in np.unique(motion.clip_subject):
        rows = np.flatnonzero(motion.subject == subject)
        offsets += _straighten_subject(str(subject), pose, rows, rows[upright[rows]])
    return dataclasses.replace(motion, pose=pose), offsets


def upright_frames(pose: Floats) -> Bools:
    """(N, 24, 3) axis-angle -> (N,): the trunk is upright and no hip or knee is bent by 45 degrees."""
    legs = np.rad2deg(pose[:, [SMPL.index(f"{s}_{j}") for s in ("left", "right") for j in ("hip", "knee")], X])
    trunk = rotvec_to_rotmat(pose[:, 0].astype(np.float64))[:, 1, 1]
    upright: Bools = (np.abs(legs) < _UPRIGHT_LEG_DEG).all(1) & (trunk > _UPRIGHT_TRUNK)
    return upright


def table(offsets: Sequence[Offset]) -> str:
    """Per angle: anatomy's range, the subjects' standing values and what was taken out; degrees."""
    lines = [
        f"{'standing angle':14}  {'anatomy':>10}  {'subjects: 5, 50, 95 %':>22}  {'moved':>8}  {'median, largest':>16}"
    ]
    for angle in STANDING_ANGLES:
        of_angle = [offset for offset in offsets if offset.angle == angle]
        if not of_angle:
            continue
        low, middle, high = np.percentile([offset.standing for offset in of_angle], [5, 50, 95])
        moved = [abs(offset.removed) for offset in of_angle if offset.removed]
        by = f"{np.median(moved):.0f}, {max(moved):.0f}" if moved else ""
        lines.append(
            f"{angle.name:14}  {angle.low:4.0f} to {angle.high:2.0f}  {low:7.0f} {middle:6.0f} {high:6.0f}   "
            f"{len(moved):3d} of {len(of_angle):3d}  {by:>16}"
        )
    return "\n".join(lines)


def _straighten_subject(subject: str, pose: Floats, rows: Ints, upright: Ints) -> Iterator[Offset]:
    """Take the offsets out of ``rows`` of ``pose`` (N, 24, 3), in place, and report them.

    ``upright`` are among the rows. Angles follow one another: what the knees' compensation does to the hips counts as
    the hips'.
    """
    if len(upright) < MIN_FRAMES:
        return
    for angle in STANDING_ANGLES:
        standing = float(np.percentile(angle.of(pose[upright]), angle.quantile))
        offset = Offset(subject, angle, standing, angle.offset(standing))
        _take_out(pose, rows, offset)
        yield offset


def _take_out(pose: Floats, rows: Ints, offset: Offset) -> None:
    """Change ``pose`` (N, 24, 3) in place."""
    change = np.deg2rad(offset.removed)
    for joint, axis, sign in offset.angle.parts:
        pose[rows, SMPL.index(joint), axis] -= sign * change / len(offset.angle.parts)
    for joint, axis, fraction in offset.angle.compensation:
        pose[rows, SMPL.index(joint), axis] += fraction * change
