# SPDX-License-Identifier: Apache-2.0
"""The quantities of a network's outputs that are compared, their units and largest accepted distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.perception.logits import sigmoid
from hmr_ros.perception.movenet import STRIDE, decode_crops
from hmr_ros.perception.nanodet import PERSON, STRIDES, edge_distances

Outputs = Mapping[str, Floats]


@dataclass(frozen=True)
class Gate:
    """The largest mean and the largest single distance that are accepted."""

    mean: float
    max: float


@dataclass(frozen=True)
class Quantity:
    """One thing to compare: ``points`` (..., D) from outputs, whose distances are in ``unit``.

    Without a ``gate`` it is reported only. ``counts`` (...): which points count, from the reference's outputs.
    """

    name: str
    unit: str
    points: Callable[[Outputs], Floats]
    gate: Gate | None = None
    counts: Callable[[Outputs], Bools] | None = None

    def gaps(self, ours: Outputs, reference: Outputs) -> Floats:
        """(K,) distances of all points that count."""
        gaps: Floats = np.linalg.norm(self.points(ours) - self.points(reference), axis=-1)
        return gaps.ravel() if self.counts is None else gaps[self.counts(reference)].ravel()


@dataclass(frozen=True)
class Distance:
    """How far apart two runs are in one quantity, over everything that was compared."""

    quantity: Quantity
    mean: float
    max: float

    @property
    def accepted(self) -> bool:
        """Whether it passes the gate; NaN does not."""
        gate = self.quantity.gate
        return gate is None or (self.mean <= gate.mean and self.max <= gate.max)

    @property
    def severity(self) -> float:
        """The distance as a multiple of the gate: above 1 it is exceeded."""
        gate = self.quantity.gate
        if gate is None:
            return 0.0
        parts = (self.mean / gate.mean, self.max / gate.max)
        return max(math.inf if math.isnan(part) else part for part in parts)

    def __str__(self) -> str:
        return f"{self.quantity.name} {self.mean:.3g} (max {self.max:.3g}) {self.quantity.unit}"


BODY = Gate(mean=1.0, max=5.0)
"""mm of a mesh: a tenth of what the best networks are off by."""

PIXELS = Gate(mean=0.5, max=3.0)
"""px of a crop of 256 px that shows 2 to 2.5 m: people jitter by half a pixel between two images."""

SEARCH = Gate(mean=1.5, max=10.0)
"""px of an image in which people are 60 to 700 px high: the landmark network's crop has a margin."""

CANDIDATE_SCORE = 0.5
CENTRE_SCORE = 0.3
SURE_SCORE = 0.3


def quantities(kind: str) -> tuple[Quantity, ...]:
    """What is compared of a network of ``kind`` (core/manifest.KINDS)."""
    makers = {
        "pose2mesh": _pose2mesh,
        "global_to_pixel": _global_to_pixel,
        "landmarks": _landmarks,
        "person_boxes": _person_boxes,
        "multipose": _multipose,
        "keypoints": _keypoints,
        "hand_landmarks": _hand_landmarks,
        "hand_recrop": _hand_recrop,
        "hand_pose2mesh": _pose2mesh,
        "fusion": _fusion,
    }
    return makers[kind]()


def distances(kind: str, ours: Sequence[Outputs], reference: Sequence[Outputs]) -> list[Distance]:
    """Every quantity of two runs on the same list of inputs."""
    found = []
    for quantity in quantities(kind):
        gaps = np.concatenate([quantity.gaps(a, b) for a, b in zip(ours, reference, strict=True)])
        found.append(Distance(quantity, float(gaps.mean()), float(gaps.max())))
    return found


def _pose2mesh() -> tuple[Quantity, ...]:
    return (
        Quantity("vertices", "mm", lambda outputs: 1000 * outputs["vertices"], BODY),
        Quantity("joints", "mm", lambda outputs: 1000 * outputs["joints"], BODY),
        Quantity("joint_error", "mm", lambda outputs: 1000 * outputs["joint_error"][..., None]),
    )


def _global_to_pixel() -> tuple[Quantity, ...]:
    """The body is posed at the origin: its translation is fitted to keypoints afterwards."""
    body_model = load_body_model(models_dir() / "open_body.npz")

    def vertices(outputs: Outputs) -> Floats:
        rotvec = rotmat_to_rotvec(outputs["rotations"])
        origin = np.zeros((len(rotvec), 3))
        return 1000 * body_model.posed(rotvec[:, 0], rotvec[:, 1:], outputs["betas"], origin).vertices

    return (
        Quantity("vertices", "mm", vertices, BODY),
        Quantity("crop_cam", "", lambda outputs: outputs["crop_cam"]),
        Quantity("joint_error", "mm", lambda outputs: 1000 * outputs["joint_error"][..., None]),
    )


def _fusion() -> tuple[Quantity, ...]:
    """Joints of the body of mean shape, now and as forecast."""
    body_model = load_body_model(models_dir() / "open_body.npz")

    def joints(outputs: Outputs) -> Floats:
        rotvec = rotmat_to_rotvec(outputs["fused"])
        return 1000 * body_model.posed_joints(rotvec[:, 0], rotvec[:, 1:], np.zeros((len(rotvec), 10)))

    return (
        Quantity("joints", "mm", joints, BODY),
        Quantity("forecast", "mm", lambda outputs: 1000 * outputs["forecast"], BODY),
        Quantity("fused_error", "mm", lambda outputs: 1000 * outputs["fused_error"][..., None]),
        Quantity("forecast_error", "mm", lambda outputs: 1000 * outputs["forecast_error"][..., None]),
    )


def _landmarks() -> tuple[Quantity, ...]:
    return (
        Quantity("points", "px", lambda outputs: outputs["landmarks"][..., :2], PIXELS),
        Quantity("visibility", "", lambda outputs: sigmoid(outputs["landmarks"][..., 3:4])),
        Quantity("presence", "", lambda outputs: outputs["presence"]),
    )


def _person_boxes() -> tuple[Quantity, ...]:
    """Every cell's box, of which those of likely people count; heads of all strides in one list."""

    def cells(outputs: Outputs) -> Floats:
        heads = [outputs[f"stride{stride}"] for stride in STRIDES]
        return np.concatenate([head.reshape(len(head), -1, head.shape[-1]) for head in heads], 1)

    def boxes(outputs: Outputs) -> Floats:
        counts = [outputs[f"stride{stride}"][..., 0].size for stride in STRIDES]
        every = cells(outputs)
        edges: Floats = np.repeat(STRIDES, counts)[:, None] * edge_distances(every.reshape(-1, every.shape[-1]))
        return edges.reshape(-1, 2, 2)

    def likely(outputs: Outputs) -> Bools:
        scores = sigmoid(cells(outputs)[..., PERSON]).ravel()
        return np.repeat((scores >= min(CANDIDATE_SCORE, scores.max()))[:, None], 2, 1)

    return (
        Quantity("boxes", "px", boxes, SEARCH, likely),
        Quantity("scores", "", lambda outputs: sigmoid(cells(outputs)[..., [PERSON]])),
    )


def _multipose() -> tuple[Quantity, ...]:
    """Where the middle of a person is likely: the joints that its cell points to, and all heatmaps."""

    def joints(outputs: Outputs) -> Floats:
        regression = outputs["regression"]
        return STRIDE * regression.reshape(*regression.shape[:3], -1, 2)

    def likely(outputs: Outputs) -> Bools:
        scores = sigmoid(outputs["centre"][..., 0])
        return np.asarray(scores >= min(CENTRE_SCORE, float(scores.max())))

    return (
        Quantity("joints", "px", joints, SEARCH, likely),
        Quantity("heatmaps", "", lambda outputs: sigmoid(outputs["heatmaps"])),
    )


def _keypoints() -> tuple[Quantity, ...]:
    def sure(outputs: Outputs) -> Bools:
        scores = decode_crops(outputs)[1]
        return np.asarray(scores >= min(SURE_SCORE, float(scores.max())))

    return (
        Quantity("points", "px", lambda outputs: decode_crops(outputs)[0], PIXELS, sure),
        Quantity("scores", "", lambda outputs: decode_crops(outputs)[1][..., None]),
    )


def _hand_landmarks() -> tuple[Quantity, ...]:
    def points(outputs: Outputs) -> Floats:
        return outputs["landmarks"].reshape(-1, 21, 3)[..., :2]

    return (
        Quantity("points", "px", points, PIXELS),
        Quantity("world", "mm", lambda outputs: 1000 * outputs["world"].reshape(-1, 21, 3)),
        Quantity("presence", "", lambda outputs: outputs["presence"]),
        Quantity("handedness", "", lambda outputs: outputs["handedness"]),
    )


def _hand_recrop() -> tuple[Quantity, ...]:
    return (Quantity("points", "px", lambda outputs: outputs["crop"].reshape(-1, 2, 2), PIXELS),)
