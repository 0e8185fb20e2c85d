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


def test_the_error_is_the_mean_distance_of_the_fourteen_joints_about_the_pelvis_of_the_truth():
    """All joints but the root scaled by 1.1 about it: a tenth of their distances."""
    root = JOINTS[:, :1]
    relative = (JOINTS - root)[:, [HUMAN36M.index(joint) for joint in HUMAN36M_EVAL]]
    expected = 100 * relative.norm(dim=-1).mean().item()  # mm
    report = joint_report("true", root + 1.1 * (JOINTS - root) + 0.5, JOINTS)
    assert report["mpjpe_true"] == pytest.approx(expected, rel=1e-6)
    assert report["pa_mpjpe_true"] == pytest.approx(0, abs=1e-6)


def test_the_aligned_error_is_that_of_the_prediction_scaled_to_the_truth():
    """Not the other way round: a prediction that is too large costs no more than one that is too small."""
    noisy = JOINTS + 0.1 * torch.from_numpy(np.random.default_rng(1).normal(size=JOINTS.shape))
    large, small = (joint_report("true", factor * noisy, JOINTS)["pa_mpjpe_true"] for factor in (3.0, 0.3))
    assert large == pytest.approx(small, rel=1e-6)
    assert large < 1000
