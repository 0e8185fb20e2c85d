# SPDX-License-Identifier: Apache-2.0
"""Tiny data sets in the official layouts, of people posed with the open body in grey images."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import HUMAN36M
from hmr_ros.training.datasets.spin import PART

SIZE = (640, 480)
FOCAL = 800.0  # the image's diagonal, which is what is assumed where no camera is known
K = np.array([[FOCAL, 0, 320], [0, FOCAL, 240], [0, 0, 1]])


@dataclass(frozen=True)
class Made:
    """People: ``names`` of their images, SMPL parameters, ``kp2d`` (N, 17, 2) px and ``human36m`` (N, 17, 3) m."""

    names: list[str]
    pose: np.ndarray
    betas: np.ndarray
    cam_t: np.ndarray
    transl: np.ndarray
    vertices: np.ndarray
    kp2d: np.ndarray
    human36m: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def smpl_like_body(path: Path) -> Path:
    """The open body as another file, which stands for a licensed SMPL model."""
    with np.load(models_dir() / "open_body.npz") as file:
        np.savez(path, **dict(file), made=np.zeros(1))
    return path


def people(names: list[str], seed: int = 0, body: BodyModel | None = None) -> Made:
    """One person for each name, upright, 3 to 5 m away, the head up in the image."""
    body = body or load_body_model(models_dir() / "open_body.npz", np.float64)
    rng, count = np.random.default_rng(seed), len(names)
    pose = rng.normal(0, 0.15, (count, 24, 3))
    pose[:, 0] = [np.pi, 0, 0]
    pose[:, 0] += rng.normal(0, 0.1, (count, 3))
    betas = rng.normal(0, 0.4, (count, 10))
    cam_t = np.stack([rng.uniform(-0.3, 0.3, count), rng.uniform(-0.1, 0.1, count), rng.uniform(4, 6, count)], 1)
    posed = body.posed(pose[:, 0], pose[:, 1:], betas, cam_t)
    points = body.regressor("coco17") @ posed.vertices
    kp2d = (points @ K.T)[..., :2] / points[..., 2:]
    joints = body.regressor("human36m") @ posed.vertices
    transl = cam_t - body.rest_joints(betas)[:, 0]
    return Made(list(names), pose, betas, cam_t, transl, posed.vertices, kp2d, joints)


def write_images(made: Made, directory: Path) -> None:
    """Grey images with the outlines of the people's silhouettes."""
    for name, vertices in zip(made.names, made.vertices, strict=True):
        image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        px = (vertices @ K.T)[:, :2] / vertices[:, 2:]
        cv2.fillConvexPoly(image, cv2.convexHull(px.astype(np.int32)), (150, 160, 200))
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)


def boxes(made: Made) -> np.ndarray:
    """(N, 4) x, y, width, height px of the keypoints."""
    low, high = made.kp2d.min(1), made.kp2d.max(1)
    return np.concatenate([low, high - low], 1)


def spin_arrays(made: Made) -> dict[str, np.ndarray]:
    """The arrays of a SPIN file."""
    count, xywh = len(made), boxes(made)
    part, joints = np.zeros((count, 24, 3)), np.zeros((count, 24, 4))
    order = [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]  # COCO's 17 among SPIN's 24
    part[:, order, :2], part[:, order, 2] = made.kp2d, 1
    for name, point in zip(HUMAN36M.joints, made.human36m.transpose(1, 0, 2), strict=True):
        row = PART.index({"torso": "spine", "nose": "jaw", "head_top": "head"}.get(name, name))
        joints[:, row, :3], joints[:, row, 3] = point - made.human36m[:, 0], 1
    return {
        "imgname": np.array(made.names),
        "center": xywh[:, :2] + xywh[:, 2:] / 2,
        "scale": 1.2 * xywh[:, 2:].max(1) / 200,
        "part": part,
        "pose": made.pose.reshape(count, 72),
        "shape": made.betas,
        "has_smpl": np.ones(count),
        "S": joints,
    }


def write_spin(path: Path, made: Made, **replaced: np.ndarray | None) -> Path:
    """A SPIN file; None leaves an array out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{k: v for k, v in (spin_arrays(made) | replaced).items() if v is not None})
    return path


def write_cliff(path: Path, made: Made) -> Path:
    """CLIFF's pseudo ground truth."""
    return write_spin(path, made, S=None, global_t=made.transl, focal_l=np.full(len(made), FOCAL))


def write_coco(directory: Path, made: Made) -> None:
    """COCO's own annotations, of images ``train2017/<name>``."""
    directory.mkdir(parents=True, exist_ok=True)
    images = [{"id": i, "file_name": n, "width": SIZE[0], "height": SIZE[1]} for i, n in enumerate(made.names)]
    annotations = [
        {
            "id": 100 + i,
            "image_id": i,
            "iscrowd": 0,
            "num_keypoints": 17,
            "bbox": boxes(made)[i].tolist(),
            "keypoints": np.concatenate([made.kp2d[i], np.full((17, 1), 2)], 1).ravel().tolist(),
        }
        for i in range(len(made))
    ]
    crowd = {"id": 99, "image_id": 0, "iscrowd": 1, "num_keypoints": 0, "bbox": [0, 0, 9, 9], "keypoints": [0] * 51}
    content = {"images": images, "annotations": [crowd, *annotations]}
    (directory / "person_keypoints_train2017.json").write_text(json.dumps(content))


def write_smplify(directory: Path, made: Made) -> Path:
    """Pose2Mesh's SMPLify fits to COCO, with weak-perspective cameras."""
    write_coco(directory, made)
    fits = {}
    for i in range(len(made)):
        scale = FOCAL / made.cam_t[i, 2]
        offset = made.transl[i, :2] * scale + K[:2, 2]
        smpl = {"pose": made.pose[i].ravel().tolist(), "shape": made.betas[i].tolist()}
        fits[str(100 + i)] = {"smpl_param": smpl, "cam_param": {"s": scale, "t": offset.tolist()}}
    (directory / "coco_smplify_train.json").write_text(json.dumps(fits))
    return directory / "coco_smplify_train.json"


def write_neuralannot(directory: Path, made: Made) -> Path:
    """NeuralAnnot's fits to COCO."""
    write_coco(directory, made)
    camera = {"focal": [FOCAL, FOCAL], "princpt": K[:2, 2].tolist()}
    fits = {
        str(100 + i): {
            "smpl_param": {
                "pose": made.pose[i].ravel().tolist(),
                "shape": made.betas[i].tolist(),
                "trans": made.transl[i].tolist(),
            },
            "cam_param": camera,
        }
        for i in range(len(made))
    }
    (directory / "MSCOCO_train_SMPL_NeuralAnnot.json").write_text(json.dumps(fits))
    return directory / "MSCOCO_train_SMPL_NeuralAnnot.json"


def write_eft(path: Path, made: Made) -> Path:
    """EFT's fits to COCO 2014."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays, xywh = spin_arrays(made), boxes(made)
    data = [
        {
            "parm_pose": rotvec_to_rotmat(made.pose[i]).tolist(),
            "parm_shape": made.betas[i].tolist(),
            "parm_cam": [0.9, 0.0, 0.0],
            "bbox_scale": float(arrays["scale"][i]),
            "bbox_center": (xywh[i, :2] + xywh[i, 2:] / 2).tolist(),
            "gt_keypoint_2d": np.concatenate([np.zeros((25, 3)), arrays["part"][i]]).tolist(),
            "annotId": 100 + i,
            "imageName": made.names[i],
        }
        for i in range(len(made))
    ]
    path.write_text(json.dumps({"ver": 0.1, "data": data}))
    return path


def write_3dpw_pickle(path: Path, made: Made, gender: str = "m", protocol: int = 2) -> Path:
    """One recording of one person, before a camera that does not stand in the origin; the last frame is invalid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = len(made)
    R = rotvec_to_rotmat(np.array([[0.2, -0.5, 0.1]]))[0]
    t = np.array([0.3, -0.2, 1.0])
    camera = np.tile(np.eye(4), (count, 1, 1))
    camera[:, :3, :3], camera[:, :3, 3] = R, t
    pose = made.pose.copy()
    world = R.T @ rotvec_to_rotmat(pose[:, 0])
    pose[:, 0] = [cv2.Rodrigues(matrix)[0].ravel() for matrix in world]
    rest = made.cam_t - made.transl
    pelvis = (made.cam_t - t) @ R
    poses2d = np.zeros((count, 3, 18))
    order = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]  # COCO's 17 in OpenPose's 18
    poses2d[:, :2, order], poses2d[:, 2, order] = made.kp2d.transpose(0, 2, 1), 1
    content = {
        "sequence": path.stem,
        "poses": [pose.reshape(count, 72)],
        "betas": [np.concatenate([made.betas[0], np.zeros(290)])],
        "trans": [pelvis - rest],
        "genders": [gender],
        "poses2d": [poses2d],
        "jointPositions": [np.zeros((count, 72))],
        "cam_poses": camera,
        "cam_intrinsics": K,
        "campose_valid": [np.append(np.ones(count - 1), 0)],
        "img_frame_ids": np.arange(count),
    }
    path.write_bytes(pickle.dumps(content, protocol))
    return path
