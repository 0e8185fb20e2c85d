# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import FEET, BodyModel, load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import file_sha256, models_dir
from hmr_ros.core.skeleton import COCO, COCO17, COCO_FEET, SMPL, SMPL_PARENTS
from test.core.conftest import random_parameters

OPEN_BODY = models_dir() / "open_body.npz"


def astuple(parameters: object) -> tuple[np.ndarray, ...]:
    return tuple(vars(parameters).values())


def posed_plainly(body: BodyModel, global_orient, body_pose, betas, cam_t) -> tuple[np.ndarray, np.ndarray]:
    """One body, step by step as the paper has it: the reference."""
    R = rotvec_to_rotmat(np.concatenate([global_orient[None], body_pose]))
    shaped = body.v_template + body.shapedirs @ betas
    J = body.J_regressor @ shaped
    vertices = shaped + body.posedirs @ (R[1:] - np.eye(3)).ravel()
    G = np.tile(np.eye(4), (24, 1, 1))
    for j, parent in enumerate(SMPL_PARENTS):
        local = np.eye(4)
        local[:3, :3] = R[j]
        local[:3, 3] = cam_t if parent < 0 else J[j] - J[parent]
        G[j] = local if parent < 0 else G[parent] @ local
    unposed = np.tile(np.eye(4), (24, 1, 1))
    unposed[:, :3, 3] = -J
    blend = np.einsum("vj,jab->vab", body.weights, G @ unposed)
    return np.einsum("vab,vb->va", blend[:, :3], np.c_[vertices, np.ones(len(vertices))]), G[:, :3, 3]


def test_skinning_agrees_with_the_plain_reference(exact_body: BodyModel):
    p = random_parameters(3)
    posed = exact_body.posed(*astuple(p))
    for i in range(3):
        vertices, joints = posed_plainly(exact_body, *(a[i] for a in astuple(p)))
        assert_allclose(posed.vertices[i], vertices, atol=1e-12)
        assert_allclose(posed.joints[i], joints, atol=1e-12)
    joints = exact_body.posed_joints(p.global_orient, p.body_pose, p.betas)
    assert_allclose(joints + p.cam_t[:, None], posed.joints, atol=1e-12)


def test_float32_is_accurate_to_micrometres(body: BodyModel, exact_body: BodyModel):
    p = random_parameters(4, seed=1)
    assert body.posed(*astuple(p)).vertices.dtype == np.float32
    assert_allclose(body.posed(*astuple(p)).vertices, exact_body.posed(*astuple(p)).vertices, atol=5e-6)


def test_skinning_agrees_with_smplx(body: BodyModel):
    smplx = pytest.importorskip("smplx", reason="smplx is an optional, licensed package")
    torch = pytest.importorskip("torch")
    p = random_parameters(20, seed=2, bend=0.5)
    with np.load(OPEN_BODY) as file:
        reference = smplx.SMPL(model_path="", data_struct=smplx.utils.Struct(**file), batch_size=20)
    go, bp, betas, cam_t = (torch.tensor(a, dtype=torch.float32) for a in astuple(p))
    transl = cam_t - torch.tensor(body.rest_joints(p.betas)[:, 0])
    expected = reference(global_orient=go, body_pose=bp.reshape(20, 69), betas=betas, transl=transl)
    posed = body.posed(*astuple(p))
    assert_allclose(posed.vertices, expected.vertices.detach(), atol=1e-5)
    assert_allclose(posed.joints, expected.joints[:, :24].detach(), atol=1e-5)


def test_rest_pose_gives_the_template_about_its_pelvis(exact_body: BodyModel):
    zero = np.zeros((1, 3))
    posed = exact_body.posed(zero, np.zeros((1, 23, 3)), np.zeros((1, 10)), zero)
    rest = exact_body.rest_joints(np.zeros((1, 10)))[0]
    assert_allclose(posed.vertices[0], exact_body.v_template - rest[0], atol=1e-12)
    assert_allclose(posed.joints[0], rest - rest[0], atol=1e-12)


def test_the_pelvis_joint_lies_at_cam_t_whatever_the_orientation(exact_body: BodyModel):
    p = random_parameters(5)
    posed = exact_body.posed(*astuple(p))
    assert_allclose(posed.joints[:, 0], p.cam_t, atol=1e-12)

    turn = rotvec_to_rotmat(np.array([0.3, -2.0, 1.0]))
    turned = rotmat_to_rotvec(turn @ rotvec_to_rotmat(p.global_orient))
    about_pelvis = (posed.vertices - p.cam_t[:, None]) @ turn.T + p.cam_t[:, None]
    assert_allclose(exact_body.posed(turned, p.body_pose, p.betas, p.cam_t).vertices, about_pelvis, atol=1e-6)


def test_no_people_can_be_posed(body: BodyModel):
    posed = body.posed(*astuple(random_parameters(0)))
    assert posed.vertices.shape == (0, 6890, 3)
    assert posed.joints.shape == (0, 24, 3)


def test_regressors_of_every_joint_set(exact_body: BodyModel):
    zero = np.zeros((1, 3))
    posed = exact_body.posed(zero, np.zeros((1, 23, 3)), np.zeros((1, 10)), zero)
    for name, size in {"smpl": 24, "human36m": 17, "coco17": 17, "coco": 19, "coco_feet": 21}.items():
        rows = exact_body.regressor(name)
        assert rows.shape == (size, 6890)
        assert_allclose(rows.sum(1), 1, atol=1e-6)
    assert_allclose(exact_body.regressor("smpl") @ posed.vertices[0], posed.joints[0], atol=1e-6)

    coco = exact_body.regressor("coco") @ posed.vertices[0]
    hips = coco[[COCO17.index("left_hip"), COCO17.index("right_hip")]]
    assert_allclose(coco[COCO.index("pelvis")], hips.mean(0), atol=1e-12)
    assert coco[COCO.index("neck"), 1] > coco[COCO.index("pelvis"), 1] + 0.4


@pytest.mark.parametrize("side", ["left", "right"])
def test_heels_and_toes_lie_at_the_ends_of_the_feet(exact_body: BodyModel, side: str):
    keypoints = exact_body.regressor("coco_feet") @ exact_body.v_template
    heel, toe, ankle = (keypoints[COCO_FEET.index(f"{side}_{part}")] for part in ("heel", "toe", "ankle"))
    joints = exact_body.rest_joints(np.zeros((1, 10)))[0]
    foot = exact_body.weights[:, [SMPL.index(f"{side}_ankle"), SMPL.index(f"{side}_foot")]].sum(1) > 0.5
    x, y, z = exact_body.v_template[foot].T
    assert np.sign(heel[0]) == np.sign(toe[0]) == np.sign(joints[SMPL.index(f"{side}_ankle"), 0])
    assert toe[2] == pytest.approx(z.max(), abs=0.005)  # nothing lies before the tip of the big toe
    assert heel[2] == pytest.approx(z.min(), abs=0.01)
    assert heel[1] < y.min() + 0.02
    assert toe[1] < y.min() + 0.02
    assert abs(toe[0]) < abs(x).mean()  # the big toe is the inner one
    assert ankle[1] > heel[1] + 0.03


def test_feet_are_mirror_images(exact_body: BodyModel):
    for part in ("heel", "toe"):
        left, right = (exact_body.v_template[FEET[f"{side}_{part}"]] for side in ("left", "right"))
        assert_allclose(left, right * [-1, 1, 1], atol=1e-6)


def test_a_file_without_keypoint_rows_says_which_are_missing(body: BodyModel):
    licensed = dataclasses.replace(body, keypoint_regressors={})
    with pytest.raises(ValueError, match="J_regressor_coco17"):
        licensed.regressor("coco_feet")
    with pytest.raises(ValueError, match="J_regressor_h36m17"):
        licensed.regressor("human36m")
    with pytest.raises(ValueError, match="blazepose"):
        licensed.regressor("blazepose")
    assert licensed.regressor("smpl").shape == (24, 6890)


def test_the_hash_of_the_file_is_kept(body: BodyModel):
    assert body.sha256 == file_sha256(OPEN_BODY)


def changed(tmp_path: Path, **arrays: object) -> Path:
    """A copy of the open body with arrays replaced (None: removed)."""
    with np.load(OPEN_BODY) as file:
        keep = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
        content = {k: file[k] for k in keep} | arrays
    np.savez(tmp_path / "body.npz", **{k: v for k, v in content.items() if v is not None})
    return tmp_path / "body.npz"


def test_many_betas_are_cut_to_ten(tmp_path: Path, body: BodyModel):
    path = changed(tmp_path, shapedirs=np.concatenate([body.shapedirs, np.ones((6890, 3, 6), np.float32)], -1))
    assert_allclose(load_body_model(path).shapedirs, body.shapedirs)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": None, "f": None}, r"missing keys \['f', 'weights'\]"),
        ({"posedirs": np.zeros((6890, 3, 9))}, r"posedirs: expected shape \(6890, 3, 207\), got \(6890, 3, 9\)"),
        ({"shapedirs": np.zeros((6890, 3, 4))}, "shapedirs: expected shape"),
        ({"kintree_table": np.zeros((2, 55))}, "kinematic tree of 24 joints"),
        ({"J_regressor": np.array({"sparse": "matrix"}, object)}, "plain arrays"),
        ({"J_regressor_coco17": np.zeros((19, 6890))}, "coco17 regressor"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, arrays: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        load_body_model(changed(tmp_path, **arrays))


def test_pickles_are_never_read(tmp_path: Path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for name in ("SMPL_NEUTRAL.pkl", "renamed.npz"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ValueError, match="hmr convert-smpl"):
            load_body_model(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_absent_and_damaged_files_are_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"absent\.npz: no such body model"):
        load_body_model(tmp_path / "absent.npz")
    (tmp_path / "cut.npz").write_bytes(OPEN_BODY.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"cut\.npz: not a body model"):
        load_body_model(tmp_path / "cut.npz")


def test_a_pickle_is_named_as_one_whatever_it_holds(tmp_path: Path):
    with pytest.raises(ValueError, match=r"SMPL\.pkl: pickles run code .* hmr convert-smpl"):
        load_body_model(tmp_path / "SMPL.pkl")


def test_other_trees_and_other_numbers_of_vertices_are_refused(tmp_path: Path, body: BodyModel):
    with np.load(OPEN_BODY) as file:
        tree = file["kintree_table"].copy()
    tree[0, 20] = 16
    with pytest.raises(ValueError, match="expected SMPL's kinematic tree of 24 joints"):
        load_body_model(changed(tmp_path, kintree_table=tree))
    tree[0, 20], tree[0, 0] = 18, 7  # what the root's parent is called does not matter
    assert load_body_model(changed(tmp_path, kintree_table=tree)).capsules is None
    few = dataclasses.replace(
        body, v_template=body.v_template[:50], shapedirs=body.shapedirs[:50], posedirs=body.posedirs[:50],
        J_regressor=body.J_regressor[:, :50], weights=body.weights[:50], capsules=None,
        keypoint_regressors={"coco17": body.keypoint_regressors["coco17"][:, :50]},
    )  # fmt: skip
    with pytest.raises(ValueError, match="heels and toes are known on 6890 vertices, this body has 50"):
        few.regressor("coco_feet")


def test_joints_alone_are_those_of_the_posed_body(exact_body: BodyModel):
    p = random_parameters(3)
    joints = exact_body.posed_joints(p.global_orient, p.body_pose, p.betas)
    assert_allclose(joints + p.cam_t[:, None], exact_body.posed(*astuple(p)).joints, atol=1e-9)
