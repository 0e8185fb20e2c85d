# SPDX-License-Identifier: Apache-2.0
"""3DPW (von Marcard et al., ECCV 2018) as Pose2Mesh's authors converted it to JSON, without pickles.

``3DPW_latest_<split>.json`` holds people and cameras; ``darkpose_3dpw_<split>set_output.json``, if it lies beside it,
2D detections, which then replace the OpenPose keypoints that come with 3DPW.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.skeleton import COCO17, HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import (
    OPENPOSE18,
    AnnotatedPeople,
    camera_matrix,
    corners,
    pelvis_of,
    to_coco17,
    unknown,
)
from hmr_ros.training.datasets.reading import JsonObject, column, read_object, read_objects, reading, shapes


def read_3dpw(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Read ``path``. ``body`` gives the pelvis, to about 1 cm where it is not of the person's gender.

    ValueError names the file and the annotation that cannot be read.
    """
    content = read_object(path)
    with reading(path):
        return _people(path, content, body)


def _people(path: Path, content: JsonObject, body: BodyModel) -> AnnotatedPeople:
    images = {image["id"]: image for image in content["images"]}
    people: list[JsonObject] = content["annotations"]
    where = [images[person["image_id"]] for person in people]
    smpl = [person["smpl_param"] for person in people]
    betas = shapes(smpl, "shape")
    kp2d, source = _keypoints(path, people)
    person = np.array([f"{i['sequence']}/{p['person_id']}" for i, p in zip(where, people, strict=True)], np.str_)
    sizes = [{"size": (i.get("width", np.nan), i.get("height", np.nan))} for i in where]
    cameras = [i["cam_param"] for i in where]
    return AnnotatedPeople(
        image=np.array([f"{image['sequence']}/{image['file_name']}" for image in where], np.str_),
        person=person,
        track=person,
        frame=np.array([i.get("frame_idx", -1) for i in where], np.int64),
        kp2d=kp2d[..., :2],
        kp2d_score=kp2d[..., 2],
        joint_set="coco17",
        kp2d_source=source,
        box=corners(column([{"bbox": p.get("bbox", [np.nan] * 4)} for p in people], "bbox", 4)),
        pose=column(smpl, "pose", SMPL.size, 3),
        betas=betas,
        gender=np.array([s["gender"] for s in smpl], np.str_),
        cam_t=pelvis_of(column(smpl, "trans", 3), betas, body),
        human36m=unknown(len(people), HUMAN36M.size, 3),
        K=camera_matrix(column(cameras, "focal", 2), column(cameras, "princpt", 2)),
        image_size=column(sizes, "size", 2),
    )


def _keypoints(path: Path, people: list[JsonObject]) -> tuple[Float32s, str]:
    """(N, 17, 3) px and score, and their source: detections where there is a file of them, else 3DPW's own."""
    split = path.stem.rpartition("_")[2]
    detections = path.with_name(f"darkpose_3dpw_{split}set_output.json")
    if not detections.exists():
        own = column(people, "openpose_result", len(OPENPOSE18), 3)
        return np.asarray(to_coco17(own, OPENPOSE18), np.float32), "OpenPose's, of 3DPW"
    with reading(detections):
        found = {d["annotation_id"]: d for d in read_objects(detections)}
    if lost := [p["id"] for p in people if p["id"] not in found]:
        raise ValueError(
            f"{detections}: no detection for {len(lost)} annotations of {path.name}, the first is {lost[0]}"
        )
    with reading(detections):
        kp2d = column([found[p["id"]] for p in people], "keypoints", COCO17.size, 3)
    return kp2d, detections.name
