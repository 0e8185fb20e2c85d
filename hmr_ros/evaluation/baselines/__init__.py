# SPDX-License-Identifier: Apache-2.0
"""Methods to compare networks with: ``smplify`` fits a body to the keypoints of each person, ``pose_prior`` says how
likely its pose is.
"""

from __future__ import annotations

from hmr_ros.evaluation.baselines.smplify import Smplify

BASELINES = {Smplify.name: Smplify}
"""Methods of `hmr evaluate --baseline`, each made of a body model, a joint set and a prior of poses."""
