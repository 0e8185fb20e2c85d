# SPDX-License-Identifier: Apache-2.0
"""The worker thread: takes the newest image, publishes the messages about it, then takes the newest image again."""

from __future__ import annotations

import dataclasses
import gc
import threading
import time
import traceback
from dataclasses import dataclass

from rclpy.node import Node

from hmr_ros.core import tracepoints
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.temporal.shedding import Costs, Shed
from hmr_ros.core.thread_names import show_name
from hmr_ros.engines.runtime import EngineError
from hmr_ros.perception.pipeline import Pipeline, Result
from hmr_ros.ros.input.images import BadImageError, BadImageReason, Frame
from hmr_ros.ros.input.inputs import CameraInput
from hmr_ros.ros.monitor import Drop, Monitor
from hmr_ros.ros.node.admission import Arrival, Order, Rejection, too_late
from hmr_ros.ros.node.latency import LatencyBudget
from hmr_ros.ros.node.turn_taking import TurnTaking
from hmr_ros.ros.node.work import PublishedWork, Work, described, processed
from hmr_ros.ros.output.looks import CameraLooks
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.wire.cdr import CdrError, Stamp, stamp_of

_LOG_EVERY_S = 10.0
_PATIENCE_S = 2.0
"""Longest wait for the end of the current image, s; a worker that takes longer hangs."""


@dataclass(frozen=True, eq=False)
class _LastPublished:
    """The bodies published last, and the header of their image."""

    stamp: Stamp
    frame_id: str
    bodies: Bodies


class Worker:
    """Processes images from construction until the slot of ``source`` is closed; ``config`` may be replaced."""

    def __init__(
        self,
        node: Node,
        source: CameraInput,
        outputs: Outputs,
        pipeline: Pipeline,
        monitor: Monitor,
        config: RobotConfig,
        looks: CameraLooks | None = None,
    ) -> None:
        """``looks``: where to put how people look; None: nowhere."""
        self.config = config
        self._looks = looks
        self._node = node
        self._source = source
        self._outputs = outputs
        self._pipeline = pipeline
        self._monitor = monitor
        self._budget = LatencyBudget(node)
        self._turns = TurnTaking(pipeline)
        self._order = Order()
        self._processing = threading.Lock()  # held while an image is processed
        self._last_published: _LastPublished | None = None
        self._unreported: tuple[int, ...] = ()  # tracks that ended with images that were not published
        gc.collect()
        gc.freeze()  # what exists by now stays: collecting it again would delay an image by tens of milliseconds
        self._thread = threading.Thread(target=self._run, name="hmr_worker")
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the current image, once the slot is closed."""
        self._thread.join()
        self._budget.close()
        gc.unfreeze()

    def end_tracks(self) -> int:
        """End all tracks after the current image and publish their loss; returns how many. For other threads.

        Raises TimeoutError when that image does not end.
        """
        if not self._processing.acquire(timeout=_PATIENCE_S):
            raise TimeoutError(f"the current image has taken {_PATIENCE_S:g} s and is not done")
        try:
            return self._begin_again()
        finally:
            self._processing.release()

    def _begin_again(self) -> int:
        """Reset the pipeline and report the bodies published last as lost; returns how many."""
        last, self._last_published, self._unreported = self._last_published, None, ()
        self._pipeline.reset()
        if last is None:
            return 0
        self._outputs.end(last.stamp, last.frame_id, last.bodies)
        return len(last.bodies)

    def _run(self) -> None:
        """Process images; none, however broken, ends this loop."""
        show_name("hmr_worker")
        while (data := self._source.slot.take()) is not None:
            try:
                with self._processing:
                    self._process(data)
            except BadImageError as err:
                self._drop(err.reason, str(err))
            except CdrError as err:
                self._drop(BadImageReason.BROKEN_MESSAGE, str(err))
            except EngineError as err:
                self._drop(Drop.ENGINE_FAILED, str(err))
            except Exception:  # a bug must neither end the thread nor go unseen
                if not self._node.context.ok():
                    return  # the middleware was shut down: the process is ending
                self._recover(traceback.format_exc())

    def _recover(self, cause: str) -> None:
        """Report a bug, and begin again without tracks: their state may be the cause, or half updated."""
        self._drop(Drop.INTERNAL_ERROR, cause)
        try:
            with self._processing:
                self._begin_again()
        except Exception:  # as for any image
            self._node.get_logger().error(f"cannot end tracks: {traceback.format_exc()}")

    def _process(self, data: bytes) -> None:
        """Process one serialised image message, or drop it."""
        started_s, config = time.perf_counter(), self.config
        stamp = stamp_of(data)
        tracepoints.begin(stamp.nanoseconds)
        age_s = self._age_s(stamp)
        arrival = Arrival(stamp, age_s, time.monotonic())
        shed = self._decide(arrival, config)
        if isinstance(shed, Rejection):
            self._drop(shed.reason, shed.explanation)
            return
        tracepoints.mark("admission")
        frame = self._source.decode(data)
        tracepoints.mark("decoding")
        self._follow_frame(frame.frame_id)
        camera = self._source.camera(frame, config.input_timeout_s)
        depth = self._source.depth(frame, camera)
        given, ground = self._source.detections(frame), self._source.ground(frame, camera, config)
        world = self._source.world(frame, config)
        tracepoints.mark("other inputs")
        self._turns.begin(started_s, self._source.slot.lingered_s)
        result = self._pipeline(frame.image, camera, stamp.seconds, depth, shed, given, ground, world)
        self._log_jump(result.jump)
        self._accept(arrival)
        result = self._with_unreported(result)
        admission = self._budget.publishable(stamp.seconds, self._age_s(stamp), shed, config.max_latency_ms)
        if not admission.is_admitted:
            self._leave_unpublished(stamp, shed, result, too_late(admission.expected_s, config.max_latency_ms))
            return
        shed = admission.shed
        self._last_published = _LastPublished(stamp, frame.frame_id, result.bodies)
        if self._looks is not None:
            self._looks.put(stamp, result.bodies.ids, self._pipeline.looks(result.bodies.ids))
        published = self._publish(frame, camera, result, shed)
        self._record(Work(stamp, age_s, shed, result, published, started_s))
        tracepoints.mark("bookkeeping")
        tracepoints.end()

    def _with_unreported(self, result: Result) -> Result:
        """``result`` with the lost tracks that no message has reported yet."""
        lost = {*result.lost, *self._unreported} - set(result.bodies.ids.tolist())
        return dataclasses.replace(result, lost=tuple(sorted(lost))) if self._unreported else result

    def _leave_unpublished(self, stamp: Stamp, shed: Shed, result: Result, late: Rejection) -> None:
        """Drop an image whose bodies come too late; what it says of lost tracks comes with the next."""
        self._unreported = result.lost
        timings = result.timings
        self._turns.was_late()
        self._budget.unpublished(stamp.seconds, shed, timings.detect_s, timings.estimate_s)
        self._drop(late.reason, late.explanation)

    def _log_jump(self, jump: str) -> None:
        """Log how the world jumped, unless it did not ("")."""
        if jump:
            text = f"world_frame {self.config.world_frame!r} jumped {jump}: people stay before the camera"
            self._node.get_logger().warning(text, throttle_duration_sec=_LOG_EVERY_S)

    def _follow_frame(self, frame_id: str) -> None:
        """End all tracks where images are in another frame than before: it is another camera, or it was moved."""
        last = self._last_published
        if last is None or last.frame_id == frame_id:
            return
        ended = self._begin_again()
        self._node.get_logger().warning(
            f"images changed from frame {last.frame_id!r} to {frame_id!r}: {ended} tracks ended"
            f"{self._source.rivals(separator='; ')}",
            throttle_duration_sec=_LOG_EVERY_S,
        )

    def _accept(self, arrival: Arrival) -> None:
        """Continue from an image that was processed, and log the jump of time that it made."""
        self._order.accept(arrival)
        if self._order.jump:
            self._node.get_logger().warning(self._order.jump)

    def _decide(self, arrival: Arrival, config: RobotConfig) -> Shed | Rejection:
        """The work to leave out of an image, or why not to process it at all."""
        if rejected := self._order.rejection(arrival, config):
            return rejected
        admission = self._budget.admit(arrival.stamp.seconds, arrival.age_s, config.max_latency_ms)
        if admission.is_admitted:
            return admission.shed
        self._turns.was_late()
        return too_late(admission.expected_s, config.max_latency_ms)

    def _publish(self, frame: Frame, camera: Camera | None, result: Result, shed: Shed) -> PublishedWork:
        """Publish everything about one image but what is ``shed``."""
        started_s = time.perf_counter()
        published = self._outputs.publish(frame, camera, result.bodies, result.lost, result.pose)
        self._unreported = ()
        publish_s = time.perf_counter() - started_s
        if shed >= Shed.VIEWS:
            return PublishedWork(published, publish_s, 0.0)
        started_s = time.perf_counter()
        problem = self._outputs.publish_views(frame, camera, result.bodies, result.lost, result.hands)
        published = dataclasses.replace(published, problem=published.problem or problem)
        return PublishedWork(published, publish_s, time.perf_counter() - started_s)

    def _record(self, work: Work) -> None:
        """Report a published image to the latency budget and to diagnostics."""
        latency_s, timings = self._age_s(work.stamp), work.result.timings
        views_s = work.published.views_s + timings.hands_s
        rest_s = latency_s - work.age_s - timings.detect_s - timings.estimate_s - views_s
        costs = Costs(timings.detect_s, timings.estimate_s, views_s, max(rest_s, 0.0), work.published.publish_s)
        self._turns.end(work.result, latency_s, self.config.max_latency_ms * 1e-3)
        self._budget.done(work.stamp.seconds, work.shed, costs, latency_s)
        if work.published.outputs.problem:
            self._monitor.drop(Drop.NO_TRANSFORM)
        late = self._budget.overrun_problem(self.config.max_latency_ms)
        self._monitor.process(processed(work, latency_s, described(work.result.ground, self.config), late))

    def _age_s(self, stamp: Stamp) -> float:
        """Time since ``stamp`` by the node's clock, s."""
        return (self._node.get_clock().now().nanoseconds - stamp.nanoseconds) * 1e-9

    def _drop(self, reason: str, explanation: str) -> None:
        """Count a dropped image, and log it where there is something to explain."""
        self._monitor.drop(reason, explanation)
        if explanation:
            self._node.get_logger().warning(
                f"dropped an image ({reason}): {explanation}", throttle_duration_sec=_LOG_EVERY_S
            )
