# SPDX-License-Identifier: Apache-2.0
"""ROS4HRI's topics (REP-155): the list of tracked bodies, and a group of topics for each of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.hand_model import SIDES
from hmr_ros.core.config import HumansConfig
from hmr_ros.core.geometry.person_box import person_boxes
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.ros4hri.gestures import GestureRecognizer
from hmr_ros.core.ros4hri.motion import Humans
from hmr_ros.core.ros4hri.urdf import urdf
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.output import human_messages as messages
from hmr_ros.ros.output.human_writers import HumanJointStateWriter
from hmr_ros.ros.output.publishing import Publisher, Publishers, Qos, has_subscribers
from hmr_ros.ros.output.tracked import LATCHED, TrackedLists
from hmr_ros.ros.wire.cdr import write_image
from hmr_ros.ros.wire.messages import person_name
from hmr_ros.ros.wire.types import Header, Image, JointState, PointStamped, String, TwistStamped

_NEWEST = Qos(1)


@dataclass(frozen=True, eq=False)
class _BodyTopics:
    """The publishers of one body, named as their topics."""

    roi: Publisher
    cropped: Publisher
    skeleton2d: Publisher
    joint_states: Publisher
    urdf: Publisher
    position: Publisher
    velocity: Publisher
    left_hand: Publisher | None = None
    right_hand: Publisher | None = None
    gesture: Publisher | None = None

    @property
    def hands(self) -> tuple[Publisher | None, Publisher | None]:
        """Those of the joint states of the left and the right hand; None where fingers rest."""
        return self.left_hand, self.right_hand

    def all(self) -> list[Publisher]:
        """The publishers in the order of the fields."""
        return [publisher for field in fields(self) if (publisher := getattr(self, field.name)) is not None]


class HumanPublishers:
    """Publishes ``<namespace>/bodies/...``. Needs hri_msgs.

    The topics of a body are created when it appears and destroyed when it is lost. ``tracked`` and ``urdf`` are
    latched; the others are published only while they have subscribers.
    """

    def __init__(
        self, publishers: Publishers, config: HumansConfig, lists: TrackedLists, *, has_hands: bool = False
    ) -> None:
        """``lists`` joins the tracks of all cameras of this process in ``tracked``; ``has_hands``: fingers move."""
        self._hand_links = config.hand_links
        self._publishers = publishers
        self._root = f"{config.namespace}/bodies"
        self._types = messages.HriTypes.imported()
        self._tracked = lists.join(f"{self._root}/tracked")
        self._families = {
            topic: publishers.family(message_type, f"{self._root}/{{}}/{topic}", qos)
            for topic, message_type, qos in (
                ("roi", self._types.region, _NEWEST),
                ("cropped", Image, _NEWEST),
                ("skeleton2d", self._types.skeleton, _NEWEST),
                ("joint_states", JointState, _NEWEST),
                ("urdf", String, LATCHED),
                ("position", PointStamped, _NEWEST),
                ("velocity", TwistStamped, _NEWEST),
            )
        }
        for side in SIDES if has_hands else ():
            topic = f"{self._root}/{{}}/{side}_hand/joint_states"
            self._families[f"{side}_hand"] = publishers.family(JointState, topic, _NEWEST)
        if config.gestures:
            self._families["gesture"] = publishers.family(self._types.gesture, f"{self._root}/{{}}/gesture", _NEWEST)
        self._recognizer = GestureRecognizer()
        self._topics: dict[int, _BodyTopics] = {}
        self._joint_states: dict[int, HumanJointStateWriter] = {}

    def close(self) -> None:
        """Destroy all publishers."""
        self._remove(list(self._topics))
        self._tracked.close()

    def update(self, header: Header, bodies: Bodies, lost: Iterable[int]) -> None:
        """Create the topics of new bodies, destroy those of ``lost`` ids, and publish the list of tracks."""
        self._remove(lost)
        for track_id in bodies.ids.tolist():
            if track_id not in self._topics:
                self._topics[track_id] = self._advertised(person_name(track_id))
        self._tracked.update(header, [person_name(track_id) for track_id in self._topics])

    def publish_seen(
        self, frame: Frame, header: Header, bodies: Bodies, camera: Camera | None, keypoint_threshold: float
    ) -> None:
        """Publish region, crop and 2D skeleton of ``bodies`` seen in the image. After ``update``."""
        topics = [self._topics[track_id] for track_id in bodies.ids.tolist()]
        height, width = frame.image.shape[:2]
        if any(has_subscribers(t.skeleton2d) for t in topics):
            skeletons = messages.skeletons(self._types, header, bodies, width, height)
            for t, skeleton in zip(topics, skeletons, strict=True):
                t.skeleton2d.publish(skeleton)
        if any(has_subscribers(t.roi) or has_subscribers(t.cropped) for t in topics):
            boxes = person_boxes(bodies, camera, keypoint_threshold)
            for row in np.flatnonzero(np.isfinite(boxes).all(1)):
                self._publish_region(topics[row], frame, header, boxes[row], float(bodies.scores[row]))

    def publish_metric(self, frame: Frame, header: Header, humans: Humans) -> None:
        """Publish URDF, joint angles, position and velocity of ``humans``. After ``update``."""
        for row, track_id in enumerate(humans.ids.tolist()):
            topics = self._topics[track_id]
            if humans.reshaped[row]:
                topics.urdf.publish(self._urdf(humans, row))
            if has_subscribers(topics.joint_states):
                write = self._joint_states.setdefault(track_id, HumanJointStateWriter())
                topics.joint_states.publish(write(frame.stamp, frame.frame_id, humans, row))
            if has_subscribers(topics.position):
                topics.position.publish(messages.position(header, humans, row))
            if has_subscribers(topics.velocity) and np.isfinite(humans.velocities[row]).all():
                topics.velocity.publish(messages.velocity(header, humans, row))
            self._publish_hands(topics, header, humans, row)

    def publish_gestures(self, frame: Frame, header: Header, bodies: Bodies) -> None:
        """Publish the gestures of ``bodies`` seen in the image, all with a position. After ``update``.

        They are looked for while anyone subscribes.
        """
        publishers = {i: t.gesture for i in bodies.ids.tolist() if (t := self._topics[i]).gesture is not None}
        if not any(publisher is not None and has_subscribers(publisher) for publisher in publishers.values()):
            return
        for track_id, made in self._recognizer(bodies, frame.stamp.seconds).items():
            if (publisher := publishers[track_id]) is not None:
                publisher.publish(messages.gesture(self._types, header, made))

    def _publish_hands(self, topics: _BodyTopics, header: Header, humans: Humans, row: int) -> None:
        """Publish the joint angles of the hands of person ``row`` that are known."""
        for side, publisher in enumerate(topics.hands):
            if publisher is None or humans.hands is None or not humans.hands.known[row, side]:
                continue
            if has_subscribers(publisher):
                publisher.publish(messages.hand_joint_state(header, humans, row, side))

    def _urdf(self, humans: Humans, row: int) -> String:
        """The URDF of person ``row``, with hands where they are asked for and looked for."""
        hands = humans.hands.take(slice(row, row + 1)) if self._hand_links and humans.hands is not None else None
        return String(data=urdf(person_name(int(humans.ids[row])), humans.urdf_origins[row], hands))

    def _publish_region(self, topics: _BodyTopics, frame: Frame, header: Header, box: Floats, score: float) -> None:
        """Publish the region and the crop of one body, whose ``box`` (4,) is x1 y1 x2 y2 px."""
        height, width = frame.image.shape[:2]
        if has_subscribers(topics.roi):
            topics.roi.publish(messages.region(self._types, header, box, width, height, score))
        if has_subscribers(topics.cropped):
            x1, y1 = np.floor(np.clip(box[:2], 0, [width, height])).astype(int)
            x2, y2 = np.ceil(np.clip(box[2:], 0, [width, height])).astype(int)
            crop = np.ascontiguousarray(frame.image[y1:y2, x1:x2])
            if crop.size:
                topics.cropped.publish(write_image(frame.stamp, frame.frame_id, crop, "rgb8"))

    def _advertised(self, name: str) -> _BodyTopics:
        """The publishers of the body ``name``."""
        return _BodyTopics(**{topic: publisher(name) for topic, publisher in self._families.items()})

    def _remove(self, ids: Iterable[int]) -> None:
        for track_id in ids:
            self._joint_states.pop(track_id, None)
            if topics := self._topics.pop(track_id, None):
                for publisher in topics.all():
                    self._publishers.destroy(publisher)
