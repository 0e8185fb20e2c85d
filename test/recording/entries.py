# SPDX-License-Identifier: Apache-2.0
"""Entries without networks: bodies of known numbers."""

import dataclasses

import numpy as np

from hmr_ros.core.camera import Camera
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies, Detections, State
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.recording.entry import Entry

CAMERA = Camera.from_fov(60, 64, 48)

FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
"""Of a tetrahedron, whose four corners are a body's vertices here."""

_CORNERS = np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]], np.float32)


def bodies(ids=(), states=None, valid=None) -> Bodies:
    """A tetrahedron for each of ``ids``, two metres before the camera and ``id`` decimetres to its right."""
    people, joints = len(ids), JOINT_SETS["blazepose"].size
    detections = Detections(
        np.tile(np.float32([10, 10, 30, 40]), (people, 1)),
        np.full(people, 0.75, np.float32),
        np.full((people, joints, 2), 20.125, np.float32),
        np.ones((people, joints), np.float32),
        "blazepose",
        np.array(ids, np.int64),
    )
    seen = Bodies.without_geometry(detections, len(_CORNERS))
    rows = np.ones(people, np.bool_) if valid is None else np.array(valid, np.bool_)
    cam_t = np.array([[0.1 * body_id, 0, 2] for body_id in ids], np.float32).reshape(-1, 3)
    cam_t[~rows] = np.nan
    return dataclasses.replace(
        seen,
        states=np.array(states or [State.TRACKED] * people, np.uint8),
        cam_t=cam_t,
        vertices=cam_t[:, None] + _CORNERS,
        joints=np.repeat(cam_t[:, None], 24, 1),
        betas=np.tile(np.arange(10, dtype=np.float32) / 3, (people, 1)),
        valid=rows,
    )


def entry(ids=(), *, index=0, stamp_s=None, name="photo.jpg", lost=(), **columns) -> Entry:
    """An image, dark grey, with ``bodies(ids)``."""
    image = np.full((48, 64, 3), 40, np.uint8)
    stem = f"{index:06d}" if stamp_s is not None else name.split(".")[0]
    return Entry(name, index, stem, stamp_s, image, CAMERA, bodies(ids, **columns), lost)


def with_hands(seen: Entry) -> Entry:
    """``seen`` with the left hand of its first person."""
    hands = BodyHands.at_rest(len(seen.bodies))
    first = np.zeros((len(hands), 2), np.float32)
    first[:1, 0] = 1
    error = np.where(first[..., None] > 0, 0.02, np.nan) * np.ones(21)
    hands = dataclasses.replace(hands, presence=0.9 * first, weights=first, joint_error=error)
    return dataclasses.replace(seen, bodies=dataclasses.replace(seen.bodies, hands=hands))
