# SPDX-License-Identifier: Apache-2.0
"""The people of a room at one time, as bodies in the world."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.people import Bodies, Detections, Estimates, State
from hmr_ros.core.records import join_rows
from hmr_ros.core.temporal.coasting import coasted, pose_drift
from hmr_ros.core.uncertainty import Covariances, grown
from hmr_ros.perception.rooms.fuser import RoomFuser
from hmr_ros.perception.rooms.offsets import Offset
from hmr_ros.perception.rooms.pose import fused_pose
from hmr_ros.perception.rooms.states import Person

_FADES_S = 0.15
"""A view that is older counts less by this time constant, and a new one counts fully only after it: no jump."""

_SEEN_S = 0.25
"""A person whom no camera has shown for longer is coasting."""


def bodies_of(fuser: RoomFuser, stamp_s: float, body_model: BodyModel) -> Bodies:
    """Everyone in the room at ``stamp_s``, with meshes, in the world; keypoints are missing, as of no image."""
    people = [person for person in fuser.people if _posed(fuser, person, stamp_s)]
    if not people:
        return Bodies.without_geometry(Detections.empty("coco17"), body_model.vertex_count)
    estimates = join_rows([_estimate(fuser, person, stamp_s) for person in people])
    found = Detections.of_boxes(
        np.zeros((len(people), 4)),
        np.array([person.score for person in people]),
        np.array([person.id for person in people], np.int64),
    )
    bodies = pose_bodies(found, estimates, body_model)
    unseen = np.array([max(stamp_s - person.seen_s, 0.0) for person in people])
    bodies.states[:] = [_state(person, age) for person, age in zip(people, unseen, strict=True)]
    bodies.unseen_s[:] = np.where(bodies.states == State.COASTING, unseen, 0.0)
    return bodies


def _state(person: Person, unseen_s: float) -> State:
    if unseen_s > _SEEN_S:
        return State.COASTING
    return State.TRACKED if person.is_sure else State.TENTATIVE


def _posed(fuser: RoomFuser, person: Person, stamp_s: float) -> bool:
    """Fuse the pose of the views that show the person now; False where there has never been one."""
    rows = _rows(fuser, person)
    stamps = np.array([fuser.cameras[camera].tracks.stamps[row] for camera, row in rows])
    ages = np.abs(stamp_s - stamps)
    if len(rows) and (ages <= _SEEN_S).any():
        joined = np.array([stamp_s - person.joined_s[camera] for camera, _ in rows])
        fresh = np.minimum((joined + 0.05) / (2 * _FADES_S), 1.0)
        weights = np.clip(fresh * np.exp(-ages / _FADES_S), 1e-6, None)
        factors = np.array([person.motion.size_factor(camera) for camera, _ in rows])
        views = join_rows([fuser.cameras[camera].tracks.people.take(np.array([row])) for camera, row in rows])
        person.pose = fused_pose(views, weights, factors, fuser.growth)
        person.score = float(views.scores.max())
    return person.pose is not None


def _rows(fuser: RoomFuser, person: Person) -> list[tuple[str, int]]:
    """(camera, row of its tracks) of each member that was seen lately."""
    tracks = {camera: fuser.cameras[camera].tracks.people.tracks.tolist() for camera in person.members}
    return [
        (camera, tracks[camera].index(track)) for camera, track in person.members.items() if track in tracks[camera]
    ]


def _estimate(fuser: RoomFuser, person: Person, stamp_s: float) -> Estimates:
    """One row: the person as expected at ``stamp_s``."""
    assert person.pose is not None, "the pose was fused before"
    unseen_s = max(stamp_s - person.seen_s, 0.0)
    root, covariance, error = _root(person, stamp_s), _covariance(fuser, person, stamp_s), person.pose.joint_error
    joints = person.pose.joint_covariance
    if unseen_s > _SEEN_S:
        age = np.array([unseen_s])
        error = np.hypot(error, pose_drift(age)[0])
        joints = grown(Covariances(joints[None], covariance[None]), age).joints[0]
    return Estimates(
        global_orient=person.pose.global_orient[None],
        body_pose=person.pose.body_pose[None],
        betas=person.pose.betas[None],
        cam_t=root[None],
        joint_error=error[None],
        disagreement=np.full((1, 24), np.nan),
        joint_covariance=joints[None],
        root_covariance=covariance[None],
        valid=np.ones(1, np.bool_),
    )


def _root(person: Person, stamp_s: float) -> Floats:
    """(3,) m at ``stamp_s``: people whom no camera shows come to a stop."""
    motion = person.motion
    at, _ = motion.expected(min(stamp_s, person.seen_s + _SEEN_S))
    rest_s = max(stamp_s - person.seen_s - _SEEN_S, 0.0)
    return np.asarray(coasted(at[None], motion.velocity[None], np.array([rest_s]))[0])


def _covariance(fuser: RoomFuser, person: Person, stamp_s: float) -> Floats:
    """(3, 3) m^2 of the root: by the filter, and by what all cameras may be wrong by alike; people unseen stray."""
    unseen_s = max(stamp_s - person.seen_s, 0.0)
    _, covariance = person.motion.expected(min(stamp_s, person.seen_s + _SEEN_S))
    total = covariance + _common(fuser, person)
    if unseen_s <= _SEEN_S:
        return total
    return np.asarray(grown(Covariances(np.zeros((1, 24, 3, 3)), total[None]), np.array([unseen_s])).root[0])


def _common(fuser: RoomFuser, person: Person) -> Floats:
    """(3, 3) m^2: what learning took from the errors of the cameras' poses, as far as all may share it.

    Cameras are compared with each other alone, so what all are wrong by alike is learnt by none. What is left of each
    camera's own error is in the filter.
    """
    states = [state for name, state in fuser.cameras.items() if name in person.seen_by]
    if not states:
        return np.zeros((3, 3))
    sights = np.stack([person.motion.position - state.eye for state in states])
    stated = Offset.stated(fuser.options).covariances(sights)
    left = np.stack([state.offset.covariances(sight) for state, sight in zip(states, sights, strict=True)])
    return np.asarray((stated - left).sum(0) / len(states) ** 2)
