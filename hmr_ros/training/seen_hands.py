# SPDX-License-Identifier: Apache-2.0
"""Training hands: rendered ones with the errors that the detector really made, beside ones whose errors are drawn.

The detector's crop rotates with the hand, so a hand that is rotated in the image is seen with the same errors: every
rendered hand serves at all angles.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Ints
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.records import join_rows
from hmr_ros.training.datasets.seen_hands import SeenHands
from hmr_ros.training.synthetic.hands import HandBatch, HandSampler

_POSED_AT_ONCE = 500


class SeenHandSampler:
    """Draws of rendered hands; the same generator draws the same."""

    def __init__(self, hand: HandModel, seen: SeenHands, blind: float) -> None:
        """``hand`` is the open hand, right; ``blind`` the fraction of samples without the detector's own 3D."""
        self._seen, self._blind = seen, blind
        self._vertices, self._joints = _posed(hand, seen)

    def sample(self, rng: Generator, count: int) -> HandBatch:
        """``count`` hands, each rotated about the optical axis by any angle."""
        hands = self._rows(rng.integers(0, len(self._seen), count))
        angle = rng.uniform(-np.pi, np.pi, (count, 1)) * np.array([0.0, 0.0, 1.0])
        turn = rotvec_to_rotmat(angle).astype(np.float32)
        knowing = rng.random((count, 1, 1)) >= self._blind
        return dataclasses.replace(
            hands,
            vertices=hands.vertices @ turn,
            joints=hands.joints @ turn,
            normalized=hands.normalized @ turn[:, :2, :2],
            exact=hands.exact @ turn[:, :2, :2],
            world=np.where(knowing, hands.world @ turn, 0),
        )

    def as_seen(self, count: int) -> HandBatch:
        """The first ``count`` hands, or all if there are fewer, just as they were seen."""
        return self._rows(np.arange(min(count, len(self._seen))))

    def _rows(self, rows: Ints) -> HandBatch:
        seen = self._seen.take(rows)
        wrist = seen.wrist[:, None]
        vertices, joints = (a[rows].astype(np.float32) + wrist for a in (self._vertices, self._joints))
        return HandBatch(vertices, joints, seen.seen, np.ones(seen.seen.shape[:2], np.float32), seen.exact, seen.world)


@dataclass(frozen=True, eq=False)
class HandSamplers:
    """Hands that are ``drawn``, and a ``fraction`` of ``rendered`` ones, if there are any."""

    drawn: HandSampler
    rendered: SeenHandSampler | None
    fraction: float

    def sample(self, rng: Generator, count: int) -> HandBatch:
        """``count`` hands."""
        if self.rendered is None:
            return self.drawn.sample(rng, count)
        rendered = round(self.fraction * count)
        return join_rows([self.rendered.sample(rng, rendered), self.drawn.sample(rng, count - rendered)])


def _posed(hand: HandModel, seen: SeenHands) -> tuple[NDArray[np.float16], Float32s]:
    """Vertices (N, 778, 3), fp16 to save memory, and joints (N, 21, 3) m, relative to the wrist."""
    vertices, joints = [], []
    for first in range(0, len(seen), _POSED_AT_ONCE):
        part = seen.take(np.arange(first, min(first + _POSED_AT_ONCE, len(seen))))
        posed = hand.posed(part.orient, part.pose, part.betas, np.zeros_like(part.wrist))
        vertices.append(posed.vertices.astype(np.float16))
        joints.append(hand.keypoints(posed).astype(np.float32))
    return np.concatenate(vertices), np.concatenate(joints)
