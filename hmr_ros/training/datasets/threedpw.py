# SPDX-License-Identifier: Apache-2.0
"""3DPW (von Marcard et al., ECCV 2018) as Pose2Mesh's authors converted it to JSON, without pickles.

``3DPW_latest_<split>.json`` holds people and cameras; ``darkpose_3dpw_<split>set_output.json``, if it lies beside it,
2D detections, which then replace the OpenPose keypoints that come with 3DPW.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import BETAS, BodyModel
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
from hmr_ros.training.datasets.reading import reading

Record = dict[str, Any]
"""One object of a JSON file."""


def read_3dpw(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Read ``path``. ``body`` gives the pelvis, to about 1 cm where it is not of the person's gender.

    ValueError names the file and the annotation that cannot be read.
    """
    with reading(path):
        return _people(path, json.loads(path.read_text(encoding="utf-8")), body)


def _people(path: Path, content: Record, body: BodyModel) -> AnnotatedPeople:
    images = {image["id"]: image for image in content["images"]}
    people: list[Record] = content["annotations"]
    where = [images[person["image_id"]] for person in people]
    smpl = [person["smpl_param"] for person in people]
    betas = np.array([s["shape"][:BETAS] for s in smpl], np.float32).reshape(-1, BETAS)
    kp2d, source = _keypoints(path, people)
    person = np.array([f"{i['sequence']}/{p['person_id']}" for i, p in zip(where, people, strict=True)], np.str_)
    sizes = [(i.get("width", np.nan), i.get("height", np.nan)) for i in where]
    return AnnotatedPeople(
        image=np.array([f"{image['sequence']}/{image['file_name']}" for image in where], np.str_),
        person=person,
        track=person,
        frame=np.array([i.get("frame_idx", -1) for i in where], np.int64),
        kp2d=kp2d[..., :2],
        kp2d_score=kp2d[..., 2],
        joint_set="coco17",
        kp2d_source=source,
        box=corners(np.array([p.get("bbox", [np.nan] * 4) for p in people], np.float32).reshape(-1, 4)),
        pose=np.array([s["pose"] for s in smpl], np.float32).reshape(-1, SMPL.size, 3),
        betas=betas,
        gender=np.array([s["gender"] for s in smpl], np.str_),
        cam_t=pelvis_of(np.array([s["trans"] for s in smpl], np.float32).reshape(-1, 3), betas, body),
        human36m=unknown(len(people), HUMAN36M.size, 3),
        K=camera_matrix(
            *(np.array([i["cam_param"][key] for i in where], np.float32).reshape(-1, 2) for key in ("focal", "princpt"))
        ),
        image_size=np.array(sizes, np.float32).reshape(-1, 2),
    )


def _keypoints(path: Path, people: list[Record]) -> tuple[Float32s, str]:
    """(N, 17, 3) px and score, and their source: detections where there is a file of them, else 3DPW's own."""
    split = path.stem.rpartition("_")[2]
    detections = path.with_name(f"darkpose_3dpw_{split}set_output.json")
    if not detections.exists():
        own = np.array([p["openpose_result"] for p in people], np.float32).reshape(-1, len(OPENPOSE18), 3)
        return np.asarray(to_coco17(own, OPENPOSE18), np.float32), "OpenPose's, of 3DPW"
    found = {d["annotation_id"]: d["keypoints"] for d in json.loads(detections.read_text(encoding="utf-8"))}
    if lost := [p["id"] for p in people if p["id"] not in found]:
        raise ValueError(
            f"{detections}: no detection for {len(lost)} annotations of {path.name}, the first is {lost[0]}"
        )
    return np.array([found[p["id"]] for p in people], np.float32).reshape(-1, COCO17.size, 3), detections.name
