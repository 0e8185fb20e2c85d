# SPDX-License-Identifier: Apache-2.0
"""Results of people who stand on a floor, without networks."""

import dataclasses

import numpy as np

from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.camera import Camera
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.hands import RIGHT, BodyHands
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import State
from hmr_ros.core.skeleton import SMPL
from hmr_ros.recording.arrays import Arrays
from hmr_ros.recording.entry import Entry
from hmr_ros.ros.bag.recording import Record, Topic
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.messages import Origin, header, smpl_body_array
from test.ros.stubs import BODY_MODEL, some_bodies

OPEN_HAND = load_hand_model(models_dir() / "open_hand.npz")
CAMERA = Camera.from_fov(60, 64, 48)
IMAGE = np.full((48, 64, 3), 90, np.uint8)
PITCH, HEIGHT_M = 0.3, 1.5
"""The camera looks down by so many rad, and is so high."""

OPTICAL_FROM_LEVEL = rotvec_to_rotmat(np.array([PITCH, 0.0, 0.0]))
_SOLE_M = -BODY_MODEL.posed(*(np.zeros((1, *s)) for s in ((3,), (23, 3), (10,), (3,)))).vertices[..., 1].min()
_LEFT_KNEE = SMPL.index("left_knee") - 1


def bodies(k, ids=(1,), states=None):
    """People who walk to the right, 0.1 m an image ``k``, and bend their left knee, 0.05 rad an image."""
    people = len(ids)
    start = some_bodies(people, list(ids))
    level = np.array([[0.1 * k + i, HEIGHT_M - _SOLE_M, 4.0] for i in range(people)]).reshape(-1, 3)
    orient = np.tile(rotmat_to_rotvec(OPTICAL_FROM_LEVEL @ np.diag([1.0, -1.0, -1.0])), (people, 1))
    pose, betas, cam_t = np.zeros((people, 23, 3)), np.zeros((people, 10)), level @ OPTICAL_FROM_LEVEL.T
    pose[:, _LEFT_KNEE, 0] = 0.05 * k
    posed = BODY_MODEL.posed(orient, pose, betas, cam_t)
    return dataclasses.replace(
        start,
        states=np.array(states or [State.TRACKED] * people, np.uint8),
        global_orient=orient.astype(np.float32),
        body_pose=pose.astype(np.float32),
        betas=betas.astype(np.float32),
        cam_t=cam_t.astype(np.float32),
        joints=posed.joints.astype(np.float32),
        vertices=posed.vertices.astype(np.float32),
        root_covariance=np.tile(np.diag([0.01, 0.01, 0.04]).astype(np.float32), (people, 1, 1)),
        joint_covariance=np.tile(0.0004 * np.eye(3, dtype=np.float32), (people, 24, 1, 1)),
    )


def with_fingers(found):
    """``found`` with a right hand of the first person that is seen, its fingers bent; the others' are not known."""
    hands = BodyHands.at_rest(len(found))
    hands = dataclasses.replace(hands, presence=hands.presence.copy(), weights=hands.weights.copy())
    pose, error = hands.pose.copy(), hands.joint_error.copy()
    hands.presence[0, RIGHT], hands.weights[0, RIGHT] = 0.9, 1
    pose[0, RIGHT], error[0, RIGHT] = 0.5 * OPEN_HAND.fingers.axes[:, 0], 0.02
    return dataclasses.replace(found, hands=dataclasses.replace(hands, pose=pose, joint_error=error))


def write_npz(path, each):
    """A bodies.npz of ``each`` (number, stamp_s, bodies)."""
    arrays = Arrays(path)
    for number, stamp_s, found in each:
        arrays.write(Entry("clip.mp4", number, f"{number:06d}", stamp_s, IMAGE, CAMERA, found))
    arrays.close()
    return path


def write_mcap(path, each, topic="/bodies", body_model="open_body", rest=()):
    """A recording of ``each`` (stamp_ns, bodies), and of the ``rest``, (Topic, Record)."""
    from hmr_ros.ros.bag.result import Result

    result = Result(path)
    for stamp_ns, found in each:
        stamp = Stamp(*divmod(stamp_ns, 1_000_000_000))
        message = smpl_body_array(header(stamp, "camera"), found, (), Origin("stub", body_model))
        result.write(Topic(topic, "hmr_ros/msg/SmplBodyArray"), Record(topic, stamp_ns, serialise(message)))
    for other, record in rest:
        result.write(other, record)
    result.close()
    return path
