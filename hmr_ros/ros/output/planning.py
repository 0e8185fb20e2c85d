# SPDX-License-Identifier: Apache-2.0
"""Messages for planners about each image: collision objects (MoveIt), points and people (nav2). See docs/planning.md.

A person who left is removed; a person about whom nothing is known stays. Only a processed image of a calibrated camera
shows that a person left. Without one nothing is published, no stamp is renewed, and the subscribers time out.
"""

from __future__ import annotations

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.capsules import CapsuleRig, Capsules
from hmr_ros.core.body.hand_capsules import HandCapsules
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.config import PlanningConfig, RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.ros4hri.body_frame import middle_of_hips
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.core.temporal.sweeping import swept
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.ros.input.fixed_frames import FixedFrames, moved
from hmr_ros.ros.output.collision_objects import CollisionObjects
from hmr_ros.ros.output.lifetimes import Pace
from hmr_ros.ros.output.navigation import MeshPoints, PeoplePublisher
from hmr_ros.ros.output.publishing import Publishers
from hmr_ros.ros.wire import interfaces
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header


class PlanningOutputs:
    """Publishers for planners, used by the worker thread.

    ``presence`` may be older than they are: people who left while the node was inactive are removed afterwards.
    """

    def __init__(
        self,
        publishers: Publishers,
        body_model: BodyModel,
        config: RobotConfig,
        presence: Presence,
        frames: FixedFrames,
        calibration: Calibration | None = None,
        hand_model: HandModel | None = None,
    ) -> None:
        """``frames`` looks up the frames that ``config`` names; ``calibration`` of the covariances, None: not known;
        ``hand_model`` of bodies whose fingers move.
        """
        self._presence, self._calibration = presence, calibration
        self._rig: CapsuleRig | None = body_model.capsules
        wants_hands = config.planning.hands and hand_model is not None
        self._hands = HandCapsules.of(hand_model) if wants_hands and hand_model is not None else None
        self._mesh_points = MeshPoints(publishers, body_model, config.planning.mesh_points)
        self._people = PeoplePublisher(publishers) if publishers.offers(interfaces.PEOPLE) else None
        wants_objects = config.planning.collision_objects and publishers.offers(interfaces.COLLISION_OBJECTS)
        if wants_objects and self._rig is None:
            publishers.warning("no collision objects: this body model has no capsules; the shipped one has them")
            wants_objects = False
        self._objects = CollisionObjects(publishers) if wants_objects else None
        self._frames = frames
        self._updates = Pace()

    def close(self) -> None:
        """Destroy all publishers; planners keep what they have."""
        for output in (self._mesh_points, self._people, self._objects):
            if output is not None:
                output.close()

    def publish(
        self,
        stamp: Stamp,
        frame_id: str,
        camera: Camera | None,
        bodies: Bodies,
        lost: tuple[int, ...],
        config: RobotConfig,
    ) -> str:
        """Publish the ``bodies`` of one image; returns why planners got nothing of it, "" when they did.

        The image has ``stamp`` and ``frame_id`` and was taken by ``camera``; the ids in ``lost`` ended with it.
        """
        self._updates.follow(stamp.seconds)
        gone = self._presence.update(bodies.ids.tolist(), lost, stamp.seconds, config.track_timeout_s)
        self._forget(stamp, frame_id, gone)
        if camera is None:
            return ""  # people have no positions: an empty cloud would mean that the room is empty
        try:
            self._publish_points(stamp, frame_id, bodies, config)
            self._publish_fixed(stamp, frame_id, bodies.take(bodies.valid), config)
        except NoTransformError as err:
            return f"no people for planners: {err}"
        return ""

    def _forget(self, stamp: Stamp, frame_id: str, gone: list[int]) -> None:
        self._mesh_points.forget(gone)
        if self._people is not None:
            self._people.forget(gone)
        if self._objects is not None:
            self._objects.remove(header(stamp, frame_id), gone)

    def _publish_points(self, stamp: Stamp, frame_id: str, bodies: Bodies, config: RobotConfig) -> None:
        if config.target_frame and not self._mesh_points.has_subscribers:
            return  # without subscribers a missing transform is no problem
        to_target = self._frames.lookup(config.target_frame, frame_id, stamp, config.tf_timeout_s)
        self._mesh_points.publish(stamp, config.target_frame or frame_id, moved(bodies, to_target))

    def _publish_fixed(self, stamp: Stamp, frame_id: str, bodies: Bodies, config: RobotConfig) -> None:
        """Publish in the fixed frame people and collision objects, for ``bodies`` that all have a position."""
        people = self._people if self._people is not None and self._people.has_subscribers else None
        objects = self._objects if self._objects is not None and self._objects.watch(stamp.seconds) else None
        if people is None and objects is None:
            return
        frame = config.planning.frame or config.world_frame or config.target_frame
        to_fixed = self._frames.lookup(frame, frame_id, stamp, config.tf_timeout_s)
        fixed = header(stamp, frame or frame_id)
        positions = to_fixed(middle_of_hips(bodies.joints))
        if people is not None:
            people.publish(fixed, bodies, positions)
        if objects is not None and self._updates.is_due(stamp.seconds, config.planning.rate_hz):
            capsules = self._capsules(bodies, config.planning).moved(to_fixed)
            objects.update(fixed, bodies.ids, positions, capsules, config.planning)

    def _capsules(self, bodies: Bodies, planning: PlanningConfig) -> Capsules:
        """What ``bodies`` take up, in their frame: now, and where they are expected if that is asked for."""
        assert self._rig is not None, "collision objects need capsules"
        capsules = self._rig.posed(bodies.vertices, bodies.betas)
        if self._hands is not None and bodies.hands is not None:
            capsules = capsules.joined(self._hands.posed(bodies.hands))
        padded = capsules.padded(planning.padding_m)
        return swept(padded, bodies, planning.forecast_level, self._calibration) if planning.forecast_level else padded
