# SPDX-License-Identifier: Apache-2.0
"""One camera of a recording: its images -> bodies, and the messages about them. What the node's worker does, without
threads, clock and latency: every image is processed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.recording.entry import Entry
from hmr_ros.ros.bag.cameras import CameraTopics
from hmr_ros.ros.bag.inputs import Calibration, Depths
from hmr_ros.ros.bag.publishing import Clock, FilePublishers
from hmr_ros.ros.bag.recording import Record
from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.ground import ground_input
from hmr_ros.ros.input.images import DECODERS, BadImageError, BadImageReason, Frame
from hmr_ros.ros.input.world import world_input
from hmr_ros.ros.node.admission import Arrival, Order
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.output.shared import SharedOutputs
from hmr_ros.ros.wire.cdr import ENCAPSULATION, CdrError, CdrWriter, Stamp, stamp_of
from hmr_ros.ros.wire.messages import Origin


@dataclass(frozen=True, eq=False)
class Equipment:
    """What a camera is followed with: networks, where its messages go, calibration; depth, None without."""

    pipeline: Pipeline
    publishers: FilePublishers
    shared: SharedOutputs
    clock: Clock
    calibration: Calibration
    depths: Depths | None


@dataclass(frozen=True, eq=False)
class _Last:
    """The bodies published last, and the header of their image."""

    stamp: Stamp
    frame_id: str
    bodies: Bodies


class CameraFollower:
    """Processes the images of ``topics`` in their order. ``began_ns`` is the time at which the recording begins."""

    def __init__(self, topics: CameraTopics, equipment: Equipment, config: RobotConfig, began_ns: int) -> None:
        pipeline = equipment.pipeline
        self.topics = topics
        self.drops: Counter[str] = Counter()
        self._equipment = equipment
        self._config = config
        self._began_ns = began_ns
        self._decode: Callable[[bytes, BitDepth], Frame] = DECODERS[topics.transport]
        self._bit_depth = BitDepth()
        self._order = Order()
        self._last: _Last | None = None
        origin = Origin(pipeline.method, pipeline.body_model_name, pipeline.calibration)
        self._outputs = Outputs(
            equipment.publishers, pipeline.body_model, origin, config, Presence(), equipment.shared, pipeline.hand_model
        )
        self._ground_input = ground_input(self._outputs.frames, config.ground_frame)
        self._world_input = world_input(self._outputs.frames, config.world_frame)

    def process(self, record: Record, index: int) -> Entry | str:
        """The bodies in the image with this ``index``, whose messages are published.

        Or why it is left out, "" if that is no problem.
        """
        try:
            return self._processed(_stamped(record), record.log_ns, index)
        except BadImageError as err:
            return self._dropped(index, err.reason, str(err))
        except CdrError as err:
            return self._dropped(index, BadImageReason.BROKEN_MESSAGE, str(err))

    def close(self) -> None:
        """Publish the end of all tracks and the last list of them, as the node does when it stops."""
        self.end()
        self._outputs.close()

    def end(self) -> None:
        """Publish the end of all tracks; the next image begins new ones."""
        last, self._last = self._last, None
        self._equipment.pipeline.reset()
        if last is not None:
            self._outputs.end(last.stamp, last.frame_id, last.bodies)

    def _processed(self, data: bytes, log_ns: int, index: int) -> Entry | str:
        stamp = stamp_of(data)
        arrival = Arrival(stamp, 0.0, stamp.seconds)
        if rejected := self._order.rejection(arrival, self._config):
            return self._dropped(index, rejected.reason, rejected.explanation)
        frame = self._decode(data, self._bit_depth)
        if self._last is not None and self._last.frame_id != frame.frame_id:
            self._equipment.publishers.report(f"images changed to frame {frame.frame_id!r}: all tracks end")
            self.end()
        self._equipment.clock.log_ns = log_ns
        camera = self._equipment.calibration.camera(frame)
        depth = self._equipment.depths.of(frame, camera) if self._equipment.depths is not None else None
        ground, world = self._ground(frame, camera), self._world(frame)
        result = self._equipment.pipeline(frame.image, camera, stamp.seconds, depth, ground=ground, world=world)
        self._last = _Last(stamp, frame.frame_id, result.bodies)
        published = self._outputs.publish(frame, camera, result.bodies, result.lost, result.pose)
        of_views = self._outputs.publish_views(frame, camera, result.bodies, result.lost, result.hands)
        self._order.accept(arrival)
        jump = f"world_frame {self._config.world_frame!r} jumped {result.jump}" if result.jump else ""
        for text in filter(None, (self._order.jump, jump, published.problem or of_views)):
            self._equipment.publishers.report(f"{self.topics.topic}: {text}")
        time_s = (log_ns - self._began_ns) * 1e-9
        stem = f"{index:06d}"
        return Entry(
            self.topics.topic,
            index,
            stem,
            time_s,
            frame.image,
            camera,
            result.bodies,
            result.lost,
            stamp.nanoseconds,
            result.hands,
        )

    def _ground(self, frame: Frame, camera: Camera | None) -> Ground | None:
        """The ground below ``camera``, if one is asked for; why there is none is reported."""
        if self._ground_input is None or camera is None:
            return None
        ground = self._ground_input.of(frame, self._config)
        if ground is None:
            self._equipment.publishers.report(f"{self.topics.topic}: {self._ground_input.problem}")
        return ground

    def _world(self, frame: Frame) -> Transform | None:
        """From the optical frame into the world, if one is asked for; why it is not known is reported."""
        if self._world_input is None:
            return None
        world = self._world_input.of(frame, self._config)
        if world is None:
            self._equipment.publishers.report(f"{self.topics.topic}: {self._world_input.problem}")
        return world

    def _dropped(self, index: int, reason: str, explanation: str) -> str:
        self.drops[reason] += 1
        if not explanation:
            return ""
        return f"{self.topics.topic}: image {index} is left out ({reason}): {explanation}"


def _stamped(record: Record) -> bytes:
    """The message of ``record``, with the time at which it was recorded where its header has none. Raises CdrError."""
    if stamp_of(record.data).nanoseconds:
        return record.data
    seconds, nanoseconds = divmod(record.log_ns, 1_000_000_000)
    head = CdrWriter().stamp(Stamp(seconds, nanoseconds)).finish()
    if not record.data.startswith(ENCAPSULATION):
        raise CdrError("big-endian messages without a stamp are not read")
    return head + record.data[len(head) :]
