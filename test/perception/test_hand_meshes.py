# SPDX-License-Identifier: Apache-2.0
import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.arrays import Array
from hmr_ros.core.body.hand_model import load_hand_model, mirrored_rotations
from hmr_ros.core.camera import Camera
from hmr_ros.core.geometry.virtual_camera import to_virtual_camera
from hmr_ros.core.manifest import Manifest, TensorSpec, models_dir
from hmr_ros.perception.hand_meshes import HandLifter
from hmr_ros.perception.hands import Hands

HAND = load_hand_model(models_dir() / "open_hand.npz", np.float64)
CAMERA = Camera(np.array([[500.0, 0, 300], [0, 500, 200], [0, 0, 1]]), 600, 400)
SPEC = TensorSpec("x", "float32", ("N",))


class Knowing:
    """A network that knows the hands: its answer is ``truth``, in the virtual cameras of the keypoints it is given."""

    status = "stub"
    manifest = Manifest("stub", "hand_pose2mesh", "stub.onnx", "0" * 64, (SPEC,), (SPEC,), "none")

    def __init__(self, vertices: np.ndarray, joints: np.ndarray) -> None:
        self.vertices, self.joints = vertices, joints
        self.calls = 0

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.calls += 1
        self.world = inputs["world"]
        count = len(inputs["keypoints"])
        view = to_virtual_camera(self.joints[..., :2] / self.joints[..., 2:], np.ones((count, 21)), least_size=0)
        assert_allclose(inputs["keypoints"], view.keypoints, atol=1e-5)
        assert_allclose(inputs["context"], view.context, atol=1e-5)
        wrist, self.optical_from_virtual = self.joints[:, :1], view.optical_from_virtual
        vertices, joints = ((x - wrist) @ view.optical_from_virtual for x in (self.vertices, self.joints))
        return {"vertices": vertices, "joints": joints, "joint_error": np.full((count, 21), 0.01)}

    def close(self) -> None:
        pass


def a_pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices and joints, m, of a left hand and of a right one, and the finger rotations (2, 15, 3) of both."""
    bend = 0.5 * HAND.fingers.axes[None, :, 0] * np.linspace(0.2, 1, 15)[:, None]
    left = HAND.mirrored()
    orient = np.array([[0.3, -0.8, 0.4]])
    posed = [
        hand.posed(orient, pose, np.zeros((1, 10)), np.array([wrist]))
        for hand, pose, wrist in ((left, mirrored_rotations(bend), (-0.2, 0.1, 0.8)), (HAND, bend, (0.15, 0, 0.6)))
    ]
    joints = [hand.keypoints(p) for hand, p in zip((left, HAND), posed, strict=True)]
    return (
        np.concatenate([p.vertices for p in posed]),
        np.concatenate(joints),
        np.concatenate([mirrored_rotations(bend), bend]),
    )


def seen(joints: np.ndarray) -> Hands:
    """The pair as hands of the second of two people."""
    hands = Hands.unseen(np.array([4, 9]))
    pixels = joints[..., :2] / joints[..., 2:] * 500 + [300, 200]
    points, scores = hands.points.copy(), hands.scores.copy()
    points[1], scores[1] = pixels, 0.9
    return dataclasses.replace(hands, points=points, scores=scores)


def as_right_hands(points: np.ndarray) -> np.ndarray:
    """The pair (2, N, 3) with its left hand mirrored."""
    return points * np.array([[[-1, 1, 1]], [[1, 1, 1]]])


def test_meshes_are_in_the_axes_of_the_camera_and_left_hands_are_mirrored():
    vertices, joints, pose = a_pair()
    network = Knowing(as_right_hands(vertices), as_right_hands(joints))
    found = HandLifter(network, HAND)(seen(joints), CAMERA)
    assert found.rows.tolist() == [1, 1]
    assert found.right.tolist() == [False, True]
    assert_allclose(found.vertices, vertices - joints[:, :1], atol=1e-6)
    assert_allclose(found.joints, joints - joints[:, :1], atol=1e-6)
    assert_allclose(found.joint_error, 0.01)
    inner = [0, 1, 3, 4, 6, 7, 9, 10, 12, 13]  # without the last phalanges, which end on the skin
    assert_allclose(found.poses.pose[:, inner], pose[:, inner], atol=1e-4)
    assert_allclose(found.poses.orient, [[0.3, -0.8, 0.4]] * 2, atol=1e-4)


def test_the_detectors_own_3d_is_read_in_the_axes_of_the_virtual_camera_and_zeros_for_none():
    vertices, joints, _ = a_pair()
    network = Knowing(as_right_hands(vertices), as_right_hands(joints))
    hands = seen(joints)
    HandLifter(network, HAND)(hands, CAMERA)
    assert (network.world == 0).all()
    hands.world[1] = joints - joints.mean(1, keepdims=True)
    HandLifter(network, HAND)(hands, CAMERA)
    expected = as_right_hands(hands.world[1]) @ network.optical_from_virtual
    assert_allclose(network.world, expected, atol=1e-6)


def test_the_other_model_serves_as_well():
    vertices, joints, _ = a_pair()
    network = Knowing(as_right_hands(vertices), as_right_hands(joints))
    found = [HandLifter(network, hand)(seen(joints), CAMERA).poses.angles for hand in (HAND, HAND.mirrored())]
    assert_allclose(found[0], found[1], atol=1e-9)


def test_no_hands_are_a_normal_value():
    network = Knowing(*a_pair()[:2])
    found = HandLifter(network, HAND)(Hands.unseen(np.arange(3)), CAMERA)
    assert len(found) == 0
    assert found.vertices.shape == (0, 778, 3)
    assert network.calls == 0


class Plain:
    """The paper's form: it reads points alone, and does not say how far off it is."""

    status = "stub"
    manifest = dataclasses.replace(Knowing.manifest, normalisation={"input": "pixels"})

    def __init__(self, vertices: np.ndarray, joints: np.ndarray) -> None:
        self.answer = {"vertices": vertices, "joints": joints}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.inputs = dict(inputs)
        return self.answer

    def close(self) -> None:
        pass


def test_the_papers_form_reads_points_alone_and_answers_in_the_axes_of_the_camera():
    vertices, joints, _ = a_pair()
    right = as_right_hands(joints)
    network = Plain(as_right_hands(vertices - joints[:, :1]), right - right[:, :1])
    found = HandLifter(network, HAND)(seen(joints), CAMERA)
    assert set(network.inputs) == {"keypoints"}
    assert_allclose(network.inputs["keypoints"], right[..., :2] / right[..., 2:], atol=1e-6)
    assert_allclose(found.vertices, vertices - joints[:, :1], atol=1e-9)
    assert_allclose(found.joints, joints - joints[:, :1], atol=1e-9)
    assert np.isnan(found.joint_error).all()


def test_the_papers_form_gets_the_middle_of_the_others_for_a_point_that_is_missing():
    vertices, joints, _ = a_pair()
    network = Plain(vertices, joints)
    hands = seen(joints)
    hands.points[1, 1, 8] = np.nan
    HandLifter(network, HAND)(hands, CAMERA)
    others = np.delete(network.inputs["keypoints"][1], 8, 0)
    assert_allclose(network.inputs["keypoints"][1, 8], others.mean(0), atol=1e-6)


def test_networks_of_other_kinds_are_refused():
    network = Knowing(*a_pair()[:2])
    network.manifest = dataclasses.replace(network.manifest, kind="pose2mesh")
    with pytest.raises(ValueError, match="expected a network of kind 'hand_pose2mesh'"):
        HandLifter(network, HAND)
