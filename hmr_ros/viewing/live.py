# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a running node: its bodies beside the images that they belong to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing

from hmr_ros.recording.stopping import Stopping
from hmr_ros.results.recording_file import snapshot_of
from hmr_ros.results.snapshot import Snapshot
from hmr_ros.ros.player.session import Session
from hmr_ros.ros.player.watcher import Watcher

_SPIN_S = 0.05


def live_snapshots(namespace: str, image_topic: str) -> Iterator[Snapshot | None]:
    """What the node in ``namespace`` publishes, from now on, until Ctrl-C or SIGTERM; None while nothing comes.

    ``image_topic`` is relative to the namespace unless it begins with a slash.
    """
    first_ns, number = None, 0
    # Signals are taken from rclpy, which would end in the middle of a snapshot.
    with closing(Session(namespace.strip("/"), lambda: Watcher(image_topic))) as session, Stopping() as stopping:
        while not stopping.requested:
            session.spin(_SPIN_S)
            if not session.node.sights:
                yield None
            while session.node.sights:
                sight = session.node.sights.popleft()
                snapshot = snapshot_of(sight.message, number, 0.0)
                now_ns = snapshot.header_ns or 0
                first_ns = now_ns if first_ns is None else first_ns
                time_s = (now_ns - first_ns) * 1e-9
                yield dataclasses.replace(snapshot, stamp_s=time_s, image=sight.image, camera=sight.camera)
                number += 1
