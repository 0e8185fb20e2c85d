# SPDX-License-Identifier: Apache-2.0
"""ROS4HRI's list of tracked bodies (REP-155): one list per process, for all of its cameras.

libhri takes a body that is missing from the last list as gone. Two publishers of the list, one per camera, would
alternately delete the bodies of the other.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from hmr_ros.ros.output.human_messages import HriTypes
from hmr_ros.ros.output.publishing import Publisher, Publishers, Qos
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.template import KeptTemplate
from hmr_ros.ros.wire.types import Header

LATCHED = Qos(1, latched=True)
"""Reliable, and late subscribers get the last message."""

_LAST_LIST_S = 0.5
"""Longest wait for clients to acknowledge the last list, s: small as it is, it is rarely lost."""


class TrackedLists:
    """The lists of one process, by topic; a topic exists while it has members. Thread-safe."""

    def __init__(self, publishers: Publishers) -> None:
        """The lists are published through ``publishers``, also when the camera that they came from is gone."""
        self._publishers = publishers
        self._lock = threading.Lock()
        self._seen: dict[str, dict[TrackedBodies, list[str]]] = {}
        self._open: dict[str, Publisher] = {}
        self._kept: dict[tuple[str, str], KeptTemplate] = {}

    def join(self, topic: str) -> TrackedBodies:
        """Add a camera to the list published on ``topic``; returns its part of it. Needs hri_msgs."""
        member = TrackedBodies(self, topic)
        with self._lock:
            if topic not in self._open:
                self._open[topic] = self._publishers.create(HriTypes.imported().ids_list, topic, LATCHED)
                self._seen[topic] = {}
            self._seen[topic][member] = []
        return member

    def update(self, topic: str, member: TrackedBodies, header: Header, ids: Sequence[str]) -> None:
        """Publish ``ids`` as those of ``member``, with the last ids of all other members."""
        with self._lock:
            self._seen[topic][member] = list(ids)
            self._publish(topic, header)

    def leave(self, topic: str, member: TrackedBodies, header: Header) -> None:
        """Remove ``member`` and publish the list without its ids; destroy the topic with its last member.

        The last list is empty: clients keep the bodies of the last one they got, also when its publisher is gone.
        """
        with self._lock:
            del self._seen[topic][member]
            if self._publishers.speaks(self._open[topic]):
                self._publish(topic, header)
            if not self._seen[topic]:
                self._publishers.delivered([self._open[topic]], _LAST_LIST_S)
                self._publishers.destroy(self._open.pop(topic))

    def _publish(self, topic: str, header: Header) -> None:
        """Publish the ids of all members."""
        if not self._publishers.is_open:
            return  # the middleware was shut down: the process is ending
        ids = [name for names in self._seen[topic].values() for name in names]
        kept = self._kept.setdefault((topic, header.frame_id), KeptTemplate())
        template = kept(tuple(ids), lambda: HriTypes.imported().ids_list(header=header, ids=ids))
        template.stamp(Stamp(header.stamp.sec, header.stamp.nanosec))
        self._open[topic].publish(template.finish())


class TrackedBodies:
    """The part of one camera in the list published on ``topic``."""

    def __init__(self, lists: TrackedLists, topic: str) -> None:
        self._lists = lists
        self._topic = topic
        self._header = Header()

    def update(self, header: Header, ids: Sequence[str]) -> None:
        """Publish the list; this camera's are ``ids``, in the image with ``header``."""
        self._header = header
        self._lists.update(self._topic, self, header, ids)

    def close(self) -> None:
        """Remove this camera's ids from the list."""
        self._lists.leave(self._topic, self, self._header)
