# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.hand_model import HAND_TREE, HandModel, load_hand_model, mirrored_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import HAND, MANO

OPEN_HAND = models_dir() / "open_hand.npz"
MIRROR = np.array([-1.0, 1.0, 1.0])


def random_hands(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Arguments of HandModel.posed: orientation, pose, betas, position of the wrist."""
    rng = np.random.default_rng(seed)
    shapes = [(count, 3), (count, 15, 3), (count, 10), (count, 3)]
    return tuple(s * rng.normal(size=shape) for s, shape in zip((1.5, 0.4, 0.7, 1.0), shapes, strict=True))


def posed_plainly(hand: HandModel, orient, pose, betas, wrist) -> tuple[np.ndarray, np.ndarray]:
    """One hand, step by step: the reference."""
    R = rotvec_to_rotmat(np.concatenate([orient[None], pose]))
    shaped = hand.v_template + hand.shapedirs @ betas
    J = hand.J_regressor @ shaped
    vertices = shaped + hand.posedirs @ (R[1:] - np.eye(3)).ravel()
    G, t = [R[0]], [wrist]
    for j in range(1, 16):
        parent = 0 if j % 3 == 1 else j - 1
        G.append(G[parent] @ R[j])
        t.append(t[parent] + G[parent] @ (J[j] - J[parent]))
    moved = np.stack([(vertices - J[j]) @ G[j].T + t[j] for j in range(16)])
    return np.einsum("vj,jva->va", hand.weights, moved), np.stack(t)


def test_a_hand_is_posed_as_the_plain_reference_says(exact_hand: HandModel):
    given = random_hands(3)
    posed = exact_hand.posed(*given)
    for i in range(3):
        vertices, joints = posed_plainly(exact_hand, *(a[i] for a in given))
        assert_allclose(posed.vertices[i], vertices, atol=1e-12)
        assert_allclose(posed.joints[i], joints, atol=1e-12)
    assert_allclose(exact_hand.posed_joints(*given[:3]) + given[3][:, None], posed.joints, atol=1e-12)


@pytest.mark.parametrize("side", ["right", "left"])
def test_skinning_agrees_with_smplx(exact_hand: HandModel, side: str):
    smplx = pytest.importorskip("smplx", reason="smplx is an optional, licensed package")
    torch = pytest.importorskip("torch")
    hand = exact_hand if side == "right" else exact_hand.mirrored()
    struct = smplx.utils.Struct(
        v_template=hand.v_template, f=hand.faces, shapedirs=hand.shapedirs, posedirs=hand.posedirs,
        J_regressor=hand.J_regressor, weights=hand.weights, kintree_table=np.stack([HAND_TREE.parents, np.arange(16)]),
        hands_mean=np.linspace(-0.2, 0.2, 45), hands_components=np.eye(45),
    )  # fmt: skip
    options = {"use_pca": False, "flat_hand_mean": True, "batch_size": 4, "is_rhand": side == "right"}
    mano = smplx.MANO("", data_struct=struct, **options)
    orient, pose, betas, wrist = random_hands(4, seed=1)
    o, p, b, w = (torch.tensor(a, dtype=torch.float32) for a in (orient, pose, betas, wrist))
    transl = w - torch.tensor(hand.rest_joints(betas)[:, 0], dtype=torch.float32)
    expected = mano(global_orient=o, hand_pose=p.reshape(4, 45), betas=b, transl=transl)
    posed = hand.posed(orient, pose, betas, wrist)
    assert_allclose(posed.vertices, expected.vertices.detach(), atol=1e-5)
    assert_allclose(posed.joints, expected.joints[:, :16].detach(), atol=1e-5)


def test_the_other_hand_is_the_mirror_image(exact_hand: HandModel):
    orient, pose, betas, wrist = random_hands(2, seed=2)
    right = exact_hand.posed(orient, pose, betas, wrist)
    other = exact_hand.mirrored()
    left = other.posed(mirrored_rotations(orient), mirrored_rotations(pose), betas, wrist * MIRROR)
    assert other.side == "left"
    assert_allclose(left.vertices, right.vertices * MIRROR, atol=1e-12)
    assert_allclose(other.keypoints(left), exact_hand.keypoints(right) * MIRROR, atol=1e-12)
    for hand in (exact_hand, other):  # faces look outwards
        a, b, c = hand.v_template[hand.faces].swapaxes(0, 1)
        assert np.einsum("fi,fi->", a, np.cross(b, c)) > 0
    again = other.mirrored()
    for name in ("v_template", "faces", "shapedirs", "posedirs", "mean_pose", "landmark_offsets"):
        assert_allclose(getattr(again, name), getattr(exact_hand, name))
    assert_allclose(again.fingers.axes, exact_hand.fingers.axes)


def test_mirrored_axes_flex_the_fingers_alike(exact_hand: HandModel):
    """A fist of the left hand by its own axes is the mirror image of the right one's."""
    other = exact_hand.mirrored()
    fists = [hand.posed(np.zeros((1, 3)), hand.fingers.axes[None, :, 0] * 0.8, np.zeros((1, 10)), np.zeros((1, 3)))
             for hand in (exact_hand, other)]  # fmt: skip
    assert_allclose(fists[1].joints, fists[0].joints * MIRROR, atol=1e-6)
    tips = [MANO.index(f"{finger}4") for finger in ("index", "middle", "ring", "pinky")]
    lowered = exact_hand.keypoints(fists[0])[0, tips] - exact_hand.rest_keypoints(np.zeros((1, 10)))[0, tips]
    assert (lowered[:, 1] < -0.02).all()  # towards the palm


def test_keypoints_are_joints_and_tips_by_name(exact_hand: HandModel):
    posed = exact_hand.posed(*random_hands(2))
    points = exact_hand.keypoints(posed)
    assert_allclose(points[:, MANO.index("ring2")], posed.joints[:, HAND.index("ring2")])
    assert_allclose(points[:, MANO.index("wrist")], posed.joints[:, 0])
    assert_allclose(points[:, MANO.index("pinky4")], posed.vertices[:, exact_hand.tips[4]])
    rest = exact_hand.rest_keypoints(np.zeros((1, 10)))[0]
    for finger in ("thumb", "index", "middle", "ring", "pinky"):
        chain = rest[[MANO.index("wrist"), *(MANO.index(f"{finger}{k}") for k in (1, 2, 3, 4))]]
        assert (np.diff(np.linalg.norm(chain - chain[0], axis=1)) > 0.012).all(), finger


def test_keypoints_at_rest_follow_the_shape(exact_hand: HandModel):
    betas = random_hands(3)[2]
    zero = np.zeros((3, 3))
    posed = exact_hand.posed(zero, np.zeros((3, 15, 3)), betas, exact_hand.rest_joints(betas)[:, 0])
    assert_allclose(exact_hand.rest_keypoints(betas), exact_hand.keypoints(posed), atol=1e-12)


def test_no_hands_can_be_posed(exact_hand: HandModel):
    posed = exact_hand.posed(*random_hands(0))
    assert posed.vertices.shape == (0, 778, 3)
    assert exact_hand.keypoints(posed).shape == (0, 21, 3)


def changed(tmp_path: Path, **arrays: object) -> Path:
    """MANO's arrays of the open hand with some replaced (None: removed)."""
    keep = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "hands_mean")
    with np.load(OPEN_HAND) as file:
        content = {k: file[k] for k in keep} | arrays
    np.savez(tmp_path / "hand.npz", **{k: v for k, v in content.items() if v is not None})
    return tmp_path / "hand.npz"


def test_a_plain_mano_file_of_either_side_is_read(tmp_path: Path, exact_hand: HandModel):
    right = load_hand_model(changed(tmp_path, hands_mean=np.full(45, 0.1)))
    assert right.side == "right"
    assert right.tips.tolist() == [745, 317, 444, 556, 673]
    assert_allclose(right.mean_pose, np.full((15, 3), 0.1), rtol=1e-6)
    assert right.fingers is right.body_vertices is right.landmark_offsets is None
    assert right.mirrored().fingers is None
    left = load_hand_model(changed(tmp_path, v_template=exact_hand.v_template * MIRROR, hands_mean=None))
    assert left.side == "left"
    assert_allclose(left.mean_pose, 0)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": None}, r"hand\.npz: not a hand model .*missing keys \['weights'\]"),
        ({"kintree_table": np.zeros((2, 24))}, "kinematic tree of 16 joints"),
        ({"posedirs": np.zeros((778, 3, 9))}, r"HandModel\.posedirs: expected shape \(778, 3, 135\)"),
        (
            {
                "v_template": np.zeros((5, 3)),
                "shapedirs": np.zeros((5, 3, 10)),
                "posedirs": np.zeros((5, 3, 135)),
                "J_regressor": np.zeros((16, 5)),
                "weights": np.zeros((5, 16)),
            },
            "finger tips are known on 778 vertices, this hand has 5",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, arrays: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        load_hand_model(changed(tmp_path, **arrays))


def test_a_body_is_no_hand_and_a_side_has_a_name(exact_hand: HandModel):
    with pytest.raises(ValueError, match="kinematic tree of 16 joints"):
        load_hand_model(models_dir() / "open_body.npz")
    with pytest.raises(ValueError, match="side: expected one of"):
        dataclasses.replace(exact_hand, side="both")


def test_the_tree_is_manos():
    assert HAND_TREE.parents.tolist() == [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    with np.load(OPEN_HAND) as file:
        assert file["joint_names"].tolist() == list(HAND.joints)
