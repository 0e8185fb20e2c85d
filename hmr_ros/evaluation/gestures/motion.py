# SPDX-License-Identifier: Apache-2.0
"""How often gestures are reported of recorded motion, in which people were not asked to make any."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Bodies, Detections, State
from hmr_ros.core.ros4hri.gestures import Gesture, GestureRecognizer
from hmr_ros.training.datasets.motion import Motion

_OPTICAL_FROM_WORLD = np.diag([1.0, -1.0, -1.0])
"""World of motion files (y up, z forward) -> a camera that the person faces."""
_AHEAD_M = 3.0


@dataclass(frozen=True)
class Rates:
    """``minutes`` of motion of a ``category``, and how often each gesture began in them."""

    category: str
    minutes: float
    begun: Counter[Gesture]


def motion_rates(motion: Motion, body: BodyModel, images_hz: float = 15.0) -> tuple[Rates, ...]:
    """The gestures of each category of ``motion``, whose poses are taken at ``images_hz`` without errors."""
    step = max(1, round(motion.fps / images_hz))
    names = [str(name) for name in np.unique(motion.clip_category)]
    minutes, begun = dict.fromkeys(names, 0.0), {name: Counter[Gesture]() for name in names}
    for clip in range(len(motion.clip_id)):
        rows, category = np.flatnonzero(motion.clip == clip)[::step], str(motion.clip_category[clip])
        minutes[category] += len(rows) * step / motion.fps / 60
        begun[category] += _begun(motion, rows, body, step / motion.fps)
    return tuple(Rates(name, minutes[name], found) for name, found in begun.items())


def table(rates: tuple[Rates, ...]) -> str:
    """Beginnings per minute as Markdown, and of all motion together."""
    whole = sum((each.begun for each in rates), Counter[Gesture]())
    everything = Rates("all", sum(each.minutes for each in rates), whole)
    lines = ["| motion | minutes | begun per minute |", "|---|---|---|"]
    for each in (*sorted(rates, key=lambda r: -r.minutes), everything):
        found = [f"{g.name.lower().replace('_', ' ')} {n / each.minutes:.2f}" for g, n in each.begun.most_common()]
        lines.append(f"| {each.category} | {each.minutes:.1f} | {', '.join(found) or 'none'} |")
    return "\n".join(lines)


def _begun(motion: Motion, rows: Ints, body: BodyModel, interval_s: float) -> Counter[Gesture]:
    """How often each gesture began in the frames ``rows`` (T,), ``interval_s`` apart."""
    recognizer, bodies, last = GestureRecognizer(), _bodies(motion.pose[rows].astype(np.float64), body), None
    begun = Counter[Gesture]()
    for k in range(len(rows)):
        now = recognizer(bodies.take(slice(k, k + 1)), k * interval_s).get(1)
        if now is not None and now != last:
            begun[now] += 1
        last = now
    return begun


def _bodies(pose: Floats, body: BodyModel) -> Bodies:
    """The person of ``pose`` (T, 24, 3) before the camera: rows are images, all of id 1."""
    images = len(pose)
    orient = rotmat_to_rotvec(_OPTICAL_FROM_WORLD @ rotvec_to_rotmat(pose[:, 0]))
    joints = body.posed_joints(orient, pose[:, 1:], np.zeros((images, 10))) + [0, 0, _AHEAD_M]
    detections = Detections.of_boxes(np.zeros((images, 4)), ids=np.ones(images, np.int64))
    known = {
        "states": np.full(images, State.TRACKED, np.uint8),
        "global_orient": orient,
        "body_pose": pose[:, 1:],
        "betas": np.zeros((images, 10)),
        "cam_t": joints[:, 0],
        "joints": joints,
        "valid": np.ones(images, np.bool_),
    }
    return Bodies(**vars(Bodies.without_geometry(detections, 0)) | known)
