# SPDX-License-Identifier: Apache-2.0
"""Where detections come from: one topic with all people of an image, or ROS4HRI's topics of each person."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message

from hmr_ros.core.config import DetectionsConfig, RobotConfig
from hmr_ros.msg import Keypoints2DArray
from hmr_ros.ros.input.detection_messages import Reported, read_boxes, read_keypoints, read_skeletons
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.wire.cdr import CdrError, stamp_of
from hmr_ros.ros.wire.interfaces import BOXES, HUMANS, OptionalOutput
from hmr_ros.ros.wire.qos import SUBSCRIPTION, ParameterError, overridden

_KEPT = 32
"""Stamps whose detections are kept: those of a second."""
_MAX_PEOPLE = 64
"""People of ROS4HRI that are subscribed at once."""
_DEPTH = 10
_SEVERAL = QoSProfile(
    depth=_DEPTH,  # small messages, one for each image: none is to be lost while an image is received
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.BEST_AVAILABLE,
    durability=DurabilityPolicy.BEST_AVAILABLE,
)
_PERSON = re.compile(r"[A-Za-z]\w{0,63}")

_Value = TypeVar("_Value")

Arrived = Callable[[int], None]
"""Called with the stamp, ns, that detections have arrived for."""


class DetectionSource(Protocol):
    """Receives detections; every method but the callbacks may be called from any thread."""

    topic: str

    def nearest(self, stamp_ns: int, tolerance_ns: int, *, complete: bool) -> int | None:
        """The stamp nearest to ``stamp_ns`` that detections have arrived for; None: there is none so far.

        ``complete``: all detections, not only some of them.
        """

    def read(self, stamp_ns: int, width: int, height: int) -> Reported:
        """The people of ``stamp_ns``, as ``nearest`` gave it. Raises BadDetectionsError."""

    def adapt(self) -> None:
        """Follow the publishers' QoS."""

    def complaint(self) -> str:
        """The topic, and what is wrong with what is published there, if anything."""

    def close(self) -> None:
        """Unsubscribe."""


def open_source(node: Node, robot: RobotConfig, arrived: Arrived) -> DetectionSource:
    """The source that ``detections.source`` names.

    Raises ParameterError where its messages are not installed, and where the node would read its own people.
    """
    config = robot.detections
    if config.source == "humans":
        _check_namespaces(node, robot)
        return HumansSource(node, config.humans_namespace, _types(HUMANS, config, "IdsList", "Skeleton2D"), arrived)
    if config.source == "keypoints":
        return TopicSource(node, "keypoints", Keypoints2DArray, read_keypoints, arrived)
    (kind,) = _types(BOXES, config, "Detection2DArray")
    classes = config.wanted_classes
    return TopicSource(node, "detections", kind, lambda data, *_: read_boxes(data, classes), arrived)


def _check_namespaces(node: Node, config: RobotConfig) -> None:
    read, written = config.detections.humans_namespace, config.humans.namespace
    if config.humans.enabled and node.resolve_topic_name(read) == node.resolve_topic_name(written):
        raise ParameterError(
            f"parameter 'detections.humans_namespace': the node publishes its own people in {written!r}: set "
            "humans.namespace to another name, or humans.enabled to false"
        )


def _types(messages: OptionalOutput, config: DetectionsConfig, *names: str) -> Sequence[type]:
    if not messages.is_available:
        raise ParameterError(f"parameter 'detections.source' is {config.source!r}, but {messages.remedy}")
    return [messages.message(name) for name in names]


class TopicSource:
    """One message with all people of an image."""

    def __init__(
        self, node: Node, topic: str, kind: type, read: Callable[[bytes, int, int], Reported], arrived: Arrived
    ) -> None:
        self._read = read
        self._arrived = arrived
        self._lock = threading.Lock()
        self._messages: OrderedDict[int, bytes] = OrderedDict()
        self.topic = node.resolve_topic_name(topic)
        qos = overridden(node, self.topic, _SEVERAL, SUBSCRIPTION)
        self._subscription = AdaptiveSubscription(node, kind, self.topic, self._receive, qos)

    def _receive(self, data: bytes) -> None:
        stamp_ns = _stamp_ns(data)
        with self._lock:
            _keep(self._messages, stamp_ns, data)
        self._arrived(stamp_ns)

    def nearest(self, stamp_ns: int, tolerance_ns: int, *, complete: bool) -> int | None:
        """See DetectionSource; a message is complete."""
        with self._lock:
            return _nearest(self._messages, stamp_ns, tolerance_ns)

    def read(self, stamp_ns: int, width: int, height: int) -> Reported:
        """See DetectionSource."""
        with self._lock:
            data = self._messages.get(stamp_ns, b"")  # it may have made room for newer ones meanwhile
        return self._read(data, width, height)

    def adapt(self) -> None:
        """Follow the publishers' QoS."""
        self._subscription.adapt()

    def complaint(self) -> str:
        """See DetectionSource."""
        return self._subscription.wrong_types() or self.topic

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()


class HumansSource:
    """ROS4HRI: a list of tracked people, and a topic with the 2D skeleton of each.

    The people of a stamp are complete when everybody in the last list has a skeleton of it; an empty list is complete
    for any stamp. The ``qos_overrides`` of the skeletons are those of the topic with ``id`` for the person.
    """

    def __init__(self, node: Node, namespace: str, types: Sequence[type], arrived: Arrived) -> None:
        """``types``: hri_msgs' IdsList and Skeleton2D."""
        self._node = node
        self._ids_type, self._skeleton_type = types
        self._arrived = arrived
        self._lock = threading.Lock()
        self._skeletons: OrderedDict[int, dict[str, bytes]] = OrderedDict()
        self._tracked: frozenset[str] | None = None
        self._bodies: dict[str, AdaptiveSubscription] = {}
        self._root = f"{node.resolve_topic_name(namespace)}/bodies"
        self.topic = f"{self._root}/tracked"
        self._qos = overridden(node, f"{self._root}/id/skeleton2d", _SEVERAL, SUBSCRIPTION)
        list_qos = overridden(node, self.topic, _SEVERAL, SUBSCRIPTION)
        self._list = AdaptiveSubscription(node, self._ids_type, self.topic, self._receive_list, list_qos)

    def _receive_list(self, data: bytes) -> None:
        try:
            ids: Sequence[str] = deserialize_message(data, self._ids_type).ids
        except RuntimeError as err:  # a broken message must not end the node
            self._node.get_logger().warning(f"{self.topic} cannot be read: {err}", throttle_duration_sec=10.0)
            return
        people = sorted(person for person in ids if _PERSON.fullmatch(person))[:_MAX_PEOPLE]
        for gone in self._bodies.keys() - set(people):
            self._bodies.pop(gone).close()
        for new in (person for person in people if person not in self._bodies):
            topic = f"{self._root}/{new}/skeleton2d"
            receive = self._receiver(new)
            self._bodies[new] = AdaptiveSubscription(self._node, self._skeleton_type, topic, receive, self._qos)
        with self._lock:
            self._tracked = frozenset(people)
        self._arrived(_stamp_ns(data))

    def _receiver(self, person: str) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            stamp_ns = _stamp_ns(data)
            with self._lock:
                _keep(self._skeletons, stamp_ns, self._skeletons.get(stamp_ns, {}) | {person: data})
            self._arrived(stamp_ns)

        return receive

    def nearest(self, stamp_ns: int, tolerance_ns: int, *, complete: bool) -> int | None:
        """See DetectionSource."""
        with self._lock:
            if not self._tracked:
                return None if self._tracked is None else stamp_ns
            needed = self._tracked if complete else frozenset()
            stamps = [stamp for stamp, people in self._skeletons.items() if people.keys() >= needed]
            return _nearest(stamps, stamp_ns, tolerance_ns)

    def read(self, stamp_ns: int, width: int, height: int) -> Reported:
        """See DetectionSource."""
        with self._lock:
            tracked = self._tracked or frozenset()
            people = {p: data for p, data in self._skeletons.get(stamp_ns, {}).items() if p in tracked}
        return read_skeletons(people, self._skeleton_type, width, height)

    def adapt(self) -> None:
        """Follow the publishers' QoS."""
        for subscription in (self._list, *self._bodies.values()):
            subscription.adapt()

    def complaint(self) -> str:
        """See DetectionSource."""
        return self._list.wrong_types() or self.topic

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in (self._list, *self._bodies.values()):
            subscription.close()


def _keep(messages: OrderedDict[int, _Value], stamp_ns: int, value: _Value) -> None:
    """Store ``value`` as the newest, and forget the oldest beyond _KEPT."""
    messages[stamp_ns] = value
    messages.move_to_end(stamp_ns)
    while len(messages) > _KEPT:
        messages.popitem(last=False)


def _nearest(stamps: Sequence[int] | OrderedDict[int, bytes], stamp_ns: int, tolerance_ns: int) -> int | None:
    nearest = min(stamps, key=lambda stamp: abs(stamp - stamp_ns), default=None)
    return nearest if nearest is not None and abs(nearest - stamp_ns) <= tolerance_ns else None


def _stamp_ns(data: bytes) -> int:
    """The stamp of a message, ns; 0 where it is broken, which no image has."""
    try:
        return stamp_of(data).nanoseconds
    except CdrError:
        return 0
