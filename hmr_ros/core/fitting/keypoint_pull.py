# SPDX-License-Identifier: Apache-2.0
"""Pull a body onto the 2D keypoints it was lifted from.

A lifting network gets depth from experience, but what lies in the image plane was measured: where a predicted joint
projects beside its keypoint, the keypoint is usually right. The pull moves the surface sideways by a smooth field that
carries the body's keypoints most of the way to the measured ones: Gaussian process regression with a kernel of the
distance on the rest pose, one 21 x 21 system per person (Rasmussen and Williams 2006, section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.keypoints import Keypoints

REACH = 0.18
"""m on the rest pose: how far along the body a keypoint moves its surroundings."""

PRECISE = 0.03
"""m: a person whose keypoints typically lie this near the prediction has good ones, and is pulled hard. Where they lie
farther off, the network saw through bad keypoints, and should not be pulled back to them."""

OUTLYING = 4.0
"""Residuals beyond this many typical ones are single mistakes of the detector."""

_LEAST_NOISE, _NOISE = 0.05, 0.5
"""Measurement noise of perfect keypoints, and what is added at PRECISE, as fractions of the prediction's variance."""

_DOUBT = 3
"""Power of the typical distance that the noise grows with."""


@dataclass(frozen=True, eq=False)
class KeypointPull:
    """The kernels of one body model and joint set: ``points`` (N, J) and ``keypoints`` (J, J).

    ``moved`` (N,): the vertices of the model that are wanted; the ``regressor`` (J, V) reads all.
    """

    moved: Ints
    points: Floats
    keypoints: Floats
    regressor: Floats

    @staticmethod
    def of_body(body: BodyModel, joint_set: str, moved: Ints | None = None) -> KeypointPull:
        """For the vertices ``moved`` (N,) of ``body``, pulled by the keypoints of ``joint_set``; None: for all."""
        regressor = body.regressor(joint_set)
        rest = regressor @ body.v_template
        moved = np.arange(body.vertex_count) if moved is None else moved
        return KeypointPull(moved, _kernel(body.v_template[moved], rest), _kernel(rest, rest), regressor)

    def __call__(self, vertices: Floats, keypoints: Keypoints) -> Floats:
        """Those to be ``moved`` (P, N, 3) of ``vertices`` (P, V, 3) m, optical frame, in x and y to ``keypoints``."""
        predicted = self.regressor @ vertices
        # The noise of a missing keypoint is huge, so that its residual moves nothing.
        residual = keypoints.normalized * predicted[..., 2:] - predicted[..., :2]
        residual *= (keypoints.score > 0)[..., None]
        noise = self._noise(np.sqrt((residual * residual).sum(-1)), keypoints.score)
        system = self.keypoints + noise[..., None] * np.eye(noise.shape[1])
        field = self.points @ np.linalg.solve(system, residual).astype(vertices.dtype)
        moved = vertices[:, self.moved]
        moved[..., :2] += field
        return moved

    @staticmethod
    def _noise(distance: Floats, score: Floats) -> Floats:
        """(P, J) noise of the keypoints from their ``distance`` (P, J) m to the prediction; huge where missing."""
        typical = _median(distance, score > 0)[:, None]
        fraction = distance / (OUTLYING * np.maximum(typical, PRECISE))
        weight = score * np.where(fraction < 1, (1 - fraction**2) ** 2, 0.0)  # Tukey's biweight
        noise: Floats = (_LEAST_NOISE + _NOISE * (typical / PRECISE) ** _DOUBT) / np.maximum(weight, 1e-6)
        return noise


def _median(values: Floats, chosen: Bools) -> Floats:
    """(P, J) -> (P,) median of the chosen; 0 where none is."""
    ordered, count = np.sort(np.where(chosen, values, np.inf), axis=1), chosen.sum(1)
    rows, last = np.arange(len(values)), np.maximum(count - 1, 0)
    middle = (ordered[rows, last // 2] + ordered[rows, (last + 1) // 2]) / 2
    return np.where(count > 0, middle, 0.0)


def _kernel(a: Floats, b: Floats) -> Floats:
    """(N, 3), (M, 3) m -> (N, M): squared exponential of the distance."""
    square = ((a[:, None] - b[None]) ** 2).sum(-1)
    kernel: Floats = np.exp(-square / (2 * REACH**2)).astype(a.dtype)
    return kernel
