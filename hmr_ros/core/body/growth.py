# SPDX-License-Identifier: Apache-2.0
"""How large a body is, and the shape of a larger or smaller one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel

_MAX_BETA = 5.0
"""Standard deviations. A size beyond is not described by the body model; the nearest size that is takes its place."""


@dataclass(frozen=True, eq=False)
class Growth:
    """How the betas of a body model make a body larger: its size is 1 + betas . ``rate`` (10,), in template sizes.

    ``direction`` (10,) betas that scale the body by one template size, as uniformly as the model can.
    """

    rate: Floats
    direction: Floats

    @staticmethod
    def of(body_model: BodyModel) -> Growth:
        """From the vertices of the rest pose about its pelvis."""
        pelvis = body_model.J_regressor[0].astype(np.float64)
        template = body_model.v_template - pelvis @ body_model.v_template
        shapes = (body_model.shapedirs - np.tensordot(pelvis, body_model.shapedirs, 1)).reshape(template.size, -1)
        rest = template.ravel()
        rate = shapes.T @ rest / (rest @ rest)
        # Of betas that do nearly the same to the size, the smallest change is taken.
        stiffness = 0.03 * (rate @ rate) * np.eye(len(rate))
        direction = np.linalg.solve(shapes.T @ shapes / (rest @ rest) + stiffness, rate)
        return Growth(rate, direction / (rate @ direction))

    def size(self, betas: Floats) -> Floats:
        """Of bodies of shape ``betas`` (..., 10): (...), in template sizes."""
        return np.asarray(1 + betas @ self.rate)

    def grown(self, betas: Floats, scale: Floats | float) -> Floats:
        """``betas`` (..., 10) of bodies ``scale`` (...) times as large, or as near to it as the model describes."""
        limit = np.maximum(_MAX_BETA, np.abs(betas))
        change = ((np.asarray(scale) - 1) * self.size(betas))[..., None] * self.direction
        return np.asarray(np.clip(betas + change, -limit, limit), betas.dtype)
