# SPDX-License-Identifier: Apache-2.0
"""All publishers of a camera, and the order in which the messages about one image are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hmr_ros.core import tracepoints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.decimation import coarse_faces
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import NoTransformError
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.core.ros4hri.hands import HandAxes
from hmr_ros.core.ros4hri.motion import HumanFollower, Humans
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.perception.hand_overlay import draw_hands
from hmr_ros.perception.hands import Hands
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.ros.input.fixed_frames import FixedFrames, frames_of, moved
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.output.humans import HumanPublishers
from hmr_ros.ros.output.lifetimes import MIN_LIFETIME_S, MarkerLifetime, Pace
from hmr_ros.ros.output.person_frames import PersonFrames, root_frame
from hmr_ros.ros.output.planning import PlanningOutputs
from hmr_ros.ros.output.publishing import Publisher, Publishers, Qos, has_subscribers
from hmr_ros.ros.output.shared import SharedOutputs
from hmr_ros.ros.wire import interfaces, markers, messages
from hmr_ros.ros.wire.cdr import Stamp, write_image
from hmr_ros.ros.wire.transforms import TransformWriter
from hmr_ros.ros.wire.types import Image, JointState, Marker, MarkerArray, SmplBodyArray
from hmr_ros.ros.wire.writers import BodiesWriter, JointStateWriter, MeshWriter, SkeletonWriter


@dataclass(frozen=True)
class Published:
    """The result of publishing one image.

    ``problem``: which subscribers got nothing of it, and why; "" when all got what they asked for.
    ``limit_violations``: how many joint angles of the people in it are beyond the limits of the URDF.
    """

    problem: str = ""
    limit_violations: int = 0


@dataclass(frozen=True, eq=False)
class _JointStates:
    """The topic of one person's joint rotations, and the writer of its messages."""

    publisher: Publisher
    write: JointStateWriter


@dataclass(frozen=True, eq=False)
class _View:
    """``bodies`` in the frame ``frame_id``, as RViz shows them; ``problem``: why they are missing, "" when not."""

    frame_id: str
    bodies: Bodies
    problem: str = ""


class Outputs:
    """The node's publishers. Used by one thread at a time; large messages are made only for subscribers.

    ``frames`` looks up every frame that the configuration names, for whatever else needs one of the same image.
    """

    def __init__(
        self,
        publishers: Publishers,
        body_model: BodyModel,
        origin: messages.Origin,
        config: RobotConfig,
        presence: Presence,
        shared: SharedOutputs | None = None,
        hand_model: HandModel | None = None,
    ) -> None:
        """``hand_model`` of bodies whose fingers move; None: they rest."""
        self._publishers = publishers
        self._body_model = body_model
        self._bodies_writer = BodiesWriter(origin)
        self._skeleton_writer = SkeletonWriter()
        self._skeleton_lifetime, self._mesh_lifetime = MarkerLifetime(), MarkerLifetime()
        self._mesh_faces = 0
        self._mesh_pace = Pace()
        self.apply(config)
        self._bodies = self._publisher(SmplBodyArray, "bodies", 5)
        self._markers = self._publisher(MarkerArray, "markers", 5)
        self._mesh = self._publisher(Marker, "mesh", 32)
        self._overlay = self._publisher(Image, "overlay", 1)
        self._new_joint_states = self._publishers.family(JointState, "bodies/{}/joint_states", Qos(1))
        self._joint_states: dict[int, _JointStates] = {}
        self._follower = HumanFollower(None if hand_model is None else HandAxes.of(hand_model))
        self._transforms = TransformWriter()
        self._tf: Publisher | None = None
        self._humans: HumanPublishers | None = None
        shared = shared or SharedOutputs.of(publishers)
        self._create_optional(config, shared, has_hands=hand_model is not None)
        self._person_frames = PersonFrames(shared.frames if self._humans is None else None)
        self.frames = FixedFrames(publishers.listener(frames_of(config)))
        self._planning = PlanningOutputs(
            publishers, body_model, config, presence, self.frames, origin.calibration, hand_model
        )

    def apply(self, config: RobotConfig) -> None:
        """Take over ``config`` for the next images. Not for the worker: decimating the mesh takes a while."""
        self._config = config
        if config.mesh_faces != self._mesh_faces:
            faces = coarse_faces(self._body_model.v_template, self._body_model.faces, config.mesh_faces)
            self._mesh_writer = MeshWriter(faces)
            self._mesh_faces = config.mesh_faces

    def publish(
        self,
        frame: Frame,
        camera: Camera | None,
        bodies: Bodies,
        lost: tuple[int, ...],
        pose: CameraPose | None = None,
    ) -> Published:
        """Publish what robots use of one image, small and urgent messages first.

        ``bodies`` are those of ``frame``, which ``camera`` took at ``pose``; the ids in ``lost`` ended with it. TF is
        first, as whoever receives another message looks its frames up at once.
        """
        confirmed = _confirmed(bodies)
        humans = self._humans_from(frame, confirmed, lost, pose)
        tracepoints.mark("humans")
        shown = humans.clamped() if self._config.humans.clamp_joint_limits else humans
        suffixes = self._frame_suffixes(frame.stamp, shown, lost)
        self._publish_tf(frame, shown, suffixes)
        if has_subscribers(self._bodies):
            frames = {track_id: root_frame(suffix) for track_id, suffix in suffixes.items()}
            self._bodies.publish(self._bodies_writer(frame.stamp, frame.frame_id, bodies, lost, frames))
        self._publish_humans(frame, camera, confirmed, shown, lost)
        self._publish_joint_states(frame, confirmed, lost)
        of_rviz = self._publish_markers(frame, confirmed, lost)
        of_planners = self._planning.publish(frame.stamp, frame.frame_id, camera, confirmed, lost, self._config)
        return Published(of_planners or of_rviz, humans.limit_violations)

    def publish_views(
        self,
        frame: Frame,
        camera: Camera | None,
        bodies: Bodies,
        lost: tuple[int, ...],
        hands: Hands | None = None,
    ) -> str:
        """Publish mesh and overlay: large messages for human eyes only, published last and shed first.

        Arguments as for ``publish``; ``hands`` are drawn, too. Returns why RViz gets no mesh, "" when it does or does
        not subscribe.
        """
        problem = self.publish_meshes(frame, bodies, lost)
        if has_subscribers(self._overlay):
            drawn = draw_bodies(frame.image, _confirmed(bodies), camera, self._body_model.faces)
            drawn = drawn if hands is None else draw_hands(drawn, hands)
            self._overlay.publish(write_image(frame.stamp, frame.frame_id, drawn, "rgb8"))
        return problem

    def publish_meshes(self, frame: Frame, bodies: Bodies, lost: tuple[int, ...]) -> str:
        """Publish the meshes, at the rate that is wanted; returns as ``publish_views``."""
        self._mesh_pace.follow(frame.stamp.seconds)
        is_due = self._mesh_pace.is_due(frame.stamp.seconds, self._config.mesh_rate_hz)
        lifetime_s = self._mesh_lifetime(frame.stamp.seconds) if is_due else 0.0
        if not (has_subscribers(self._mesh) and (is_due or lost)):
            return ""
        bodies = _confirmed(bodies)
        view = self._in_target_frame(frame, bodies if is_due else bodies.take(slice(0)))
        self._publish_meshes(frame.stamp, view, lost, lifetime_s)
        return view.problem

    def end(self, stamp: Stamp, frame_id: str, bodies: Bodies) -> None:
        """Report that all tracks of ``bodies``, which were published last, have ended.

        Planners keep what they have: the end of a track does not mean that the person left (docs/planning.md).
        """
        header, lost = messages.header(stamp, frame_id), tuple(bodies.ids.tolist())
        no_bodies = bodies.take(np.zeros(0, np.int64))
        self._bodies.publish(self._bodies_writer(stamp, frame_id, no_bodies, lost))
        self._follower.forget(lost)
        self._person_frames.forget(lost, stamp.seconds)
        if self._humans is not None:
            self._humans.update(header, no_bodies, lost)
        self._forget_joint_states(lost)
        self._markers.publish(self._skeleton_writer(stamp, frame_id, no_bodies, lost, MIN_LIFETIME_S))
        for track_id in lost:
            self._mesh.publish(markers.deleted_marker(header, track_id, markers.MESH))

    def close(self) -> None:
        """Destroy all publishers, once subscribers have the last messages."""
        self._publishers.delivered([self._bodies, self._markers, self._mesh])
        fixed = [self._bodies, self._markers, self._mesh, self._overlay, *([self._tf] if self._tf else [])]
        for publisher in [*fixed, *(topic.publisher for topic in self._joint_states.values())]:
            self._publishers.destroy(publisher)
        self._joint_states.clear()
        self._person_frames.close()
        if self._humans is not None:
            self._humans.close()
        self._planning.close()
        self.frames.close()

    def _publisher(self, message_type: type, topic: str, depth: int) -> Publisher:
        return self._publishers.create(message_type, topic, Qos(depth))

    def _create_optional(self, config: RobotConfig, shared: SharedOutputs, *, has_hands: bool) -> None:
        """Create the publishers whose messages are installed, and log which are missing."""
        wanted = [interfaces.TF, interfaces.PEOPLE] + ([interfaces.HUMANS] if config.humans.enabled else [])
        wanted += [interfaces.COLLISION_OBJECTS] if config.planning.collision_objects else []
        self._publishers.info(interfaces.summary(wanted))
        if self._publishers.offers(interfaces.TF):
            self._tf = self._publisher(interfaces.TF.message("TFMessage"), "/tf", 100)
        if interfaces.HUMANS in wanted and self._publishers.offers(interfaces.HUMANS):
            self._humans = HumanPublishers(self._publishers, config.humans, shared.lists, has_hands=has_hands)

    def _humans_from(self, frame: Frame, bodies: Bodies, lost: tuple[int, ...], pose: CameraPose | None) -> Humans:
        """The ``bodies`` that have a position as ROS4HRI's humans, with velocities since the image before."""
        self._follower.forget(lost)
        return self._follower(bodies, frame.stamp.seconds, pose)

    def _publish_humans(
        self, frame: Frame, camera: Camera | None, bodies: Bodies, humans: Humans, lost: tuple[int, ...]
    ) -> None:
        """Publish ROS4HRI's topics."""
        if self._humans is not None:
            header = messages.header(frame.stamp, frame.frame_id)
            self._humans.update(header, bodies, lost)
            self._humans.publish_metric(frame, header, humans)
            self._publish_seen(self._humans, frame, camera, bodies.take(bodies.states == State.TRACKED))

    def _publish_seen(self, humans: HumanPublishers, frame: Frame, camera: Camera | None, seen: Bodies) -> None:
        """Publish what ROS4HRI has of people who are ``seen`` in the image."""
        header = messages.header(frame.stamp, frame.frame_id)
        humans.publish_seen(frame, header, seen, camera, self._config.keypoint_threshold)
        humans.publish_gestures(frame, header, seen.take(seen.valid))

    def _frame_suffixes(self, stamp: Stamp, humans: Humans, lost: tuple[int, ...]) -> Mapping[int, str]:
        """The names in TF of ``humans`` by id: what follows ``body_``; empty where no TF is published."""
        self._person_frames.forget(lost, stamp.seconds)
        if self._tf is None or self._config.publish_tf == "none":
            return {}
        return self._person_frames.suffixes(humans.ids, stamp.seconds)

    def _publish_tf(self, frame: Frame, humans: Humans, suffixes: Mapping[int, str]) -> None:
        if suffixes and self._tf is not None and has_subscribers(self._tf):
            write = self._transforms.trees if self._config.publish_tf == "skeleton" else self._transforms.bodies
            self._tf.publish(write(frame.stamp, frame.frame_id, humans, list(suffixes.values())))

    def _publish_joint_states(self, frame: Frame, bodies: Bodies, lost: tuple[int, ...]) -> None:
        self._forget_joint_states(lost)
        for row in np.flatnonzero(bodies.valid):
            track_id = int(bodies.ids[row])
            if track_id not in self._joint_states:
                publisher = self._new_joint_states(messages.person_name(track_id))
                self._joint_states[track_id] = _JointStates(publisher, JointStateWriter())
            topic = self._joint_states[track_id]
            if has_subscribers(topic.publisher):
                topic.publisher.publish(topic.write(frame.stamp, frame.frame_id, bodies, int(row)))

    def _forget_joint_states(self, lost: tuple[int, ...]) -> None:
        for track_id in lost:
            if topic := self._joint_states.pop(track_id, None):
                self._publishers.destroy(topic.publisher)

    def _publish_markers(self, frame: Frame, bodies: Bodies, lost: tuple[int, ...]) -> str:
        """Publish the skeletons for RViz; returns why it gets none, "" when it does."""
        lifetime_s = self._skeleton_lifetime(frame.stamp.seconds)
        if not (self._config.publish_markers and has_subscribers(self._markers)):
            return ""
        view = self._in_target_frame(frame, bodies)
        self._markers.publish(self._skeleton_writer(frame.stamp, view.frame_id, view.bodies, lost, lifetime_s))
        return view.problem

    def _in_target_frame(self, frame: Frame, bodies: Bodies) -> _View:
        """``bodies`` in the parameter ``target_frame``; none of them, and the problem, where TF does not know it."""
        target = self._config.target_frame
        try:
            to_target = self.frames.lookup(target, frame.frame_id, frame.stamp, self._config.tf_timeout_s)
        except NoTransformError as err:
            return _View(target, bodies.take(np.zeros(0, np.int64)), f"no people in RViz: {err}")
        return _View(target or frame.frame_id, moved(bodies, to_target))

    def _publish_meshes(self, stamp: Stamp, view: _View, lost: tuple[int, ...], lifetime_s: float) -> None:
        for row in np.flatnonzero(view.bodies.valid):
            self._mesh.publish(self._mesh_writer(stamp, view.frame_id, view.bodies, int(row), lifetime_s))
        for track_id in lost:
            deleted = markers.deleted_marker(messages.header(stamp, view.frame_id), track_id, markers.MESH)
            self._mesh.publish(deleted)


def _confirmed(bodies: Bodies) -> Bodies:
    """``bodies`` without the tentative: a topic and a TF frame for each false detection would come and go."""
    return bodies.take(bodies.states != State.TENTATIVE)
