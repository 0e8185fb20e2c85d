# SPDX-License-Identifier: Apache-2.0
"""Quantities that are compared, and their gates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hmr_ros.core.manifest import KINDS
from hmr_ros.evaluation.parity.quantities import Distance, Gate, Quantity, distances, quantities


def outputs(kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Two people, or one image."""
    rng = np.random.default_rng(seed)
    shapes = {
        "pose2mesh": {"vertices": (2, 50, 3), "joints": (2, 24, 3), "joint_error": (2, 24)},
        "global_to_pixel": {"betas": (2, 10), "crop_cam": (2, 3), "joint_error": (2, 24)},
        "landmarks": {"landmarks": (2, 39, 5), "presence": (2, 1), "heatmaps": (2, 39, 4, 4)},
        "person_boxes": {f"stride{stride}": (1, 32 // stride, 32 // stride, 124) for stride in (8, 16, 32)},
        "multipose": {"centre": (1, 4, 4, 1), "regression": (1, 4, 4, 34), "heatmaps": (1, 4, 4, 17)},
        "keypoints": {
            "centre": (2, 8, 8, 1),
            "heatmaps": (2, 8, 8, 17),
            "regression": (2, 8, 8, 34),
            "offsets": (2, 8, 8, 34),
        },
        "hand_landmarks": {"landmarks": (2, 63), "world": (2, 63), "presence": (2, 1), "handedness": (2, 1)},
        "hand_pose2mesh": {"vertices": (2, 5, 3), "joints": (2, 21, 3), "joint_error": (2, 21)},
        "hand_recrop": {"crop": (2, 4)},
        "fusion": {"fused_error": (2, 24), "forecast": (2, 3, 24, 3), "forecast_error": (2, 3, 24)},
    }
    found = {name: rng.normal(size=shape) for name, shape in shapes[kind].items()}
    rotations = {"global_to_pixel": "rotations", "fusion": "fused"}
    if kind in rotations:
        found[rotations[kind]] = np.tile(np.eye(3), (2, 24, 1, 1))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_has_a_gate(kind: str) -> None:
    assert any(quantity.gate is not None for quantity in quantities(kind))
    assert all(d.max == 0 and d.accepted for d in distances(kind, [outputs(kind)], [outputs(kind)]))


def test_meshes_are_compared_in_mm() -> None:
    ours, reference = outputs("pose2mesh"), outputs("pose2mesh")
    ours["vertices"] = reference["vertices"] + [0.003, 0.004, 0]
    vertices, joints, _ = distances("pose2mesh", [ours], [reference])
    assert vertices.mean == pytest.approx(5)
    assert vertices.max == pytest.approx(5)
    assert not vertices.accepted
    assert joints.accepted


def test_parameters_are_compared_as_meshes() -> None:
    ours, reference = outputs("global_to_pixel"), outputs("global_to_pixel")
    ours["betas"] = reference["betas"] + 0.5
    vertices, *_ = distances("global_to_pixel", [ours], [reference])
    assert vertices.mean > 1
    assert not vertices.accepted


def test_fused_poses_are_compared_as_joints() -> None:
    ours, reference = outputs("fusion"), outputs("fusion")
    ours["fused"][:, 0] = np.diag([-1.0, 1, -1])
    joints, forecast, *_ = distances("fusion", [ours], [reference])
    assert joints.mean > 100
    assert not joints.accepted
    assert forecast.accepted


def test_keypoints_are_compared_in_px_where_they_are_sure() -> None:
    ours, reference = outputs("keypoints"), outputs("keypoints")
    for heads in (ours, reference):
        heads["heatmaps"][..., 1:] = -9
    ours["offsets"] = reference["offsets"] + 0.5
    points, scores = distances("keypoints", [ours], [reference])
    assert points.mean == pytest.approx(4 * 0.5 * 2**0.5)
    assert scores.max == 0


def test_edges_of_a_box_are_in_px() -> None:
    ours, reference = outputs("person_boxes"), outputs("person_boxes")
    for heads in (ours, reference):
        for stride in (8, 16, 32):
            heads[f"stride{stride}"][..., 0] = -9
        heads["stride16"][0, 1, 1, 0] = 9
        heads["stride16"][0, 1, 1, 80:] = np.tile(np.where(np.arange(11) == 2, 99, 0), 4)
    ours["stride16"][0, 1, 1, 80:91] = np.where(np.arange(11) == 5, 99, 0)
    boxes, _ = distances("person_boxes", [ours], [reference])
    assert boxes.max == pytest.approx(3 * 16)


def test_boxes_count_only_where_a_person_is_likely() -> None:
    ours, reference = outputs("person_boxes"), outputs("person_boxes")
    for heads in (ours, reference):
        for stride in (8, 16, 32):
            heads[f"stride{stride}"][..., 0] = -9
        heads["stride8"][0, 1, 2, 0] = 0.1
    ours["stride8"][0, 0, :, 80:] += 9 * np.arange(44)
    assert distances("person_boxes", [ours], [reference])[0].max == 0
    reference["stride8"][0, 0, 1, 0] = 0.1
    assert distances("person_boxes", [ours], [reference])[0].max > 8


def test_no_number_is_too_far_off() -> None:
    quantity = Quantity("y", "m", lambda outputs: outputs["y"], Gate(1, 2))
    assert not Distance(quantity, math.nan, math.nan).accepted
    assert Distance(quantity, math.nan, math.nan).severity == math.inf
    assert Distance(quantity, 0.5, 3).severity == 1.5
    assert not Distance(quantity, 0.5, 3).accepted
