# SPDX-License-Identifier: Apache-2.0
"""Errors of the joints that methods are compared on."""

import numpy as np
import pytest
import torch

from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import HUMAN36M, HUMAN36M_EVAL
from hmr_ros.training.recipes.joints import joint_report

JOINTS = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 17, 3)))


def test_errors_are_in_millimetres_and_named_by_the_source():
    report = joint_report("true", JOINTS, JOINTS)
    assert report == pytest.approx({"mpjpe_true": 0, "pa_mpjpe_true": 0}, abs=1e-6)
    moved = JOINTS.clone()
    moved[:, HUMAN36M.index(HUMAN36M_EVAL[3])] += torch.tensor([0.014, 0, 0])
    assert joint_report("error", moved, JOINTS)["mpjpe_error"] == pytest.approx(1.0, rel=0.3)


def test_joints_that_are_not_compared_do_not_count():
    others = [k for k, joint in enumerate(HUMAN36M.joints) if joint not in HUMAN36M_EVAL and joint != "pelvis"]
    moved = JOINTS.clone()
    moved[:, others] += 1.0
    assert len(others) >= 2
    assert joint_report("true", moved, JOINTS) == pytest.approx({"mpjpe_true": 0, "pa_mpjpe_true": 0}, abs=1e-6)


def test_only_the_aligned_error_forgives_a_rotation():
    rotation = torch.from_numpy(rotvec_to_rotmat(np.array([0.3, 0.2, 0.1])))
    report = joint_report("true", JOINTS @ rotation, JOINTS)
    assert report["pa_mpjpe_true"] == pytest.approx(0, abs=1e-6)
    assert report["mpjpe_true"] > 100
