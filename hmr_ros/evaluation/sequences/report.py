# SPDX-License-Identifier: Apache-2.0
"""The first table of `hmr evaluate --sequences`: errors over time by output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.metrics import Interval, bootstrap_mean
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.sequences.scores import (
    ELBOWS,
    KNEES,
    acceleration_errors,
    bend_bias,
    bone_variation,
    covered,
    lag_s,
    position_errors,
)
from hmr_ros.evaluation.sequences.trial import Case
from hmr_ros.training.synthetic.sequences import Sequences

_NEW_S = 0.3
_GAP_S = 0.25
_TURNED = 0.05
_HALF = 2 / 3
"""Fraction of the keypoints up to which half the body is missing."""
_AWAY = _FOLDED = 0.5
"""Cosine of 60 degrees."""


@dataclass(frozen=True)
class SequenceRow:
    """Figures of one ``output`` at ``rate_hz`` with one ``source`` of keypoints, of ``images`` in a ``group``.

    ``mpjpe`` over 24 joints and ``pa_mpjpe`` in mm; ``acceleration`` error in mm per image squared; ``lag_ms``;
    ``bones`` in percent; ``knees`` and ``elbows``: median bias in degrees where straight, at 15 to 45, beyond;
    ``coverage`` in percent of the regions of 50, 90 and 95 %. What there is not is None or ().
    """

    source: str
    rate_hz: float
    group: str
    output: str
    images: int
    mpjpe: Interval
    pa_mpjpe: Interval
    acceleration: float | None
    lag_ms: float | None
    bones: float | None
    knees: tuple[float | None, ...]
    elbows: tuple[float | None, ...]
    coverage: tuple[float | None, ...]


def rows(case: Case) -> list[SequenceRow]:
    """A row for each output of ``case``, of all images and of each group that has any."""
    found = []
    for group, chosen in _groups(case).items():
        found += [row for output in case.outputs if (row := _row(case, output, group, chosen))]
    return found


def _groups(case: Case) -> dict[str, Bools]:
    """Masks (S, T) of the images of each group."""
    truth = case.truth
    seen = (truth.score > 0).sum(-1)
    age = truth.stamps - truth.stamps[:, :1]
    turned = np.abs(np.diff(truth.optical_from_world, axis=1)).max((1, 2, 3)) * case.rate_hz > _TURNED
    everyone = np.ones_like(age, np.bool_)
    groups = {"all": everyone, "first 0.3 s": age < _NEW_S, "after a gap": _after_gap(seen > 0, truth.stamps)}
    groups["camera turns"] = everyone & turned[:, None]
    groups["all keypoints seen"] = seen == truth.score.shape[-1]
    groups["some missing"] = ~groups["all keypoints seen"]
    groups["half body missing"] = seen <= _HALF * truth.score.shape[-1]
    return groups | {"seen from the back": _from_the_back(truth), "sitting or crouching": _folded(truth.joints)}


def _from_the_back(truth: Sequences) -> Bools:
    """(S, T) people whose pelvis faces away within 60 degrees of the line of sight."""
    sight = truth.pelvis / np.maximum(np.linalg.norm(truth.pelvis, axis=-1, keepdims=True), 1e-9)
    return np.asarray((truth.rotations[:, :, 0, :, 2] * sight).sum(-1) > _AWAY)


def _folded(joints: Floats) -> Bools:
    """(S, T) people of ``joints`` (S, T, 24, 3) with both thighs bent by 60 degrees or more against the trunk."""
    trunk = (joints[..., SMPL.index("neck"), :] - joints[..., SMPL.index("pelvis"), :])[..., None, :]
    thigh = joints[..., [chain[1] for chain in KNEES], :] - joints[..., [chain[0] for chain in KNEES], :]
    length = np.linalg.norm(trunk, axis=-1) * np.linalg.norm(thigh, axis=-1)
    return np.asarray(((trunk * thigh).sum(-1) > -_FOLDED * length).all(-1))


def _after_gap(seen: Bools, stamps: Floats) -> Bools:
    """(S, T) images that show the person _GAP_S or longer after the last one that did."""
    last = np.maximum.accumulate(np.where(seen, stamps, -np.inf), axis=1)
    before = np.concatenate([np.full_like(last[:, :1], np.nan), last[:, :-1]], 1)
    return np.asarray(seen & np.isfinite(before) & (stamps - before >= _GAP_S))


def _row(case: Case, name: str, group: str, chosen: Bools) -> SequenceRow | None:
    output, truth = case.outputs[name], case.truth
    joint, aligned = position_errors(output, truth)
    used = chosen & np.isfinite(joint)
    if not used.any():
        return None
    clips = np.broadcast_to(truth.clip[:, None], used.shape)[used]
    whole = group == "all"
    acceleration = acceleration_errors(output, truth)[chosen[:, 2:]]
    return SequenceRow(
        source=case.source,
        rate_hz=case.rate_hz,
        group=group,
        output=name,
        images=int(used.sum()),
        mpjpe=bootstrap_mean(joint[used], clips),
        pa_mpjpe=bootstrap_mean(aligned[used], clips),
        acceleration=_mean(acceleration),
        lag_ms=_known(1000 * lag_s(output, truth, case.rate_hz)) if whole else None,
        bones=_known(bone_variation(output, truth)) if whole else None,
        knees=_rounded(bend_bias(output, truth, KNEES)) if whole else (),
        elbows=_rounded(bend_bias(output, truth, ELBOWS)) if whole else (),
        coverage=_rounded(covered(output, truth, chosen)),
    )


def _mean(values: Floats) -> float | None:
    return _known(float(np.nanmean(values))) if np.isfinite(values).any() else None


def _known(value: float) -> float | None:
    """Rounded; None where it is no number, which JSON does not have."""
    return round(value, 1) if np.isfinite(value) else None


def _rounded(values: Sequence[float]) -> tuple[float | None, ...]:
    return tuple(map(_known, values))


_HEADINGS = (
    *("2D", "Hz", "group", "output", "images", "MPJPE-24", "PA-MPJPE", "acceleration", "lag ms", "bones %"),
    *("knees deg", "elbows deg", "in 50, 90, 95 %"),
)


def table(found: Sequence[SequenceRow]) -> str:
    """``found`` as text for people to read, columns aligned."""
    return aligned([_HEADINGS, *map(_cells, found)])


def _cells(row: SequenceRow) -> tuple[str, ...]:
    numbers = (row.acceleration, row.lag_ms, row.bones)
    lists = (row.knees, row.elbows, row.coverage)
    return (
        *(row.source, f"{row.rate_hz:g}", row.group, row.output, str(row.images)),
        *(str(row.mpjpe), str(row.pa_mpjpe), *("-" if n is None else f"{n:.1f}" for n in numbers)),
        *(" ".join("-" if value is None else f"{value:.0f}" for value in values) or "-" for values in lists),
    )


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as text, columns aligned."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
