# SPDX-License-Identifier: Apache-2.0
"""The shape of a person: the mean over good views, and constant after that, so that bones keep their lengths."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Bools, Floats

SHAPE_VIEWS = 30.0
"""The shape of a person is the mean over this many good views, and never changes after: bones keep their lengths."""

_GOOD_VIEW_M = 0.055
"""Expected joint error of a good view, Pose2Mesh's median on people far away. Twice as bad a view counts a quarter."""

_WITHOUT_FACE = 0.05
"""A view without the face counts so little: a network guesses sizes by heads, and takes people for larger or smaller
by a tenth without."""


def seen_shape(views: Floats, betas: Floats, now: Floats, joint_error: Floats, faces: Bools) -> tuple[Floats, Floats]:
    """``views`` (N,) and the mean shape ``betas`` (N, 10) over them with that of one more, until there are enough.

    ``now`` (N, 10) has the expected errors ``joint_error`` (N, 24) m; ``faces`` (N,): whether it shows the face.
    """
    error = joint_error.mean(-1)
    certainty = np.where(np.isfinite(error), np.minimum((_GOOD_VIEW_M / np.maximum(error, 1e-6)) ** 2, 1), 1)
    certainty = np.where(faces, certainty, _WITHOUT_FACE * certainty)
    certainty = np.where(views < SHAPE_VIEWS, certainty, 0)
    more = views + certainty
    return more, betas + (certainty / more)[:, None] * (now - betas)
