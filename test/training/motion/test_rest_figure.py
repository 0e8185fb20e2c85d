# SPDX-License-Identifier: Apache-2.0
"""The figure that motions are retargeted by stands as the shipped body does."""

import numpy as np

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS
from hmr_ros.training.motion.retarget import REST


def test_the_average_figure_is_a_person_in_the_rest_pose():
    joints = load_body_model(models_dir() / "open_body.npz").rest_joints(np.zeros((1, 10)))[0]
    rows = [SMPL.index(name) for name in REST]
    figure, body = np.array(list(REST.values())), joints[rows]
    off = (figure - figure.mean(0)) - (body - body.mean(0))
    assert np.abs(off).max() < 0.09
    for name in ("left_knee", "left_elbow", "left_wrist"):
        parent = SMPL.joints[SMPL_PARENTS[SMPL.index(name)]]
        bones = (np.subtract(REST[name], REST[parent]), joints[SMPL.index(name)] - joints[SMPL.index(parent)])
        lengths = [np.linalg.norm(bone) for bone in bones]
        assert abs(lengths[0] / lengths[1] - 1) < 0.2, name
