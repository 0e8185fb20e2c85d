# SPDX-License-Identifier: Apache-2.0
"""The thread that works: newest image in, messages out, then the newest image again."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from dataclasses import dataclass

from rclpy.node import Node

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.engines.runtime import EngineError
from hmr_ros.perception.assemble import Assembly
from hmr_ros.ros.input.images import DECODERS, BadImageError, BadImageReason, Frame
from hmr_ros.ros.input.inputs import CameraInput
from hmr_ros.ros.monitor import Disagreement, Drop, Monitor, Processed
from hmr_ros.ros.node.latency import LatencyBudget
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.wire.cdr import CdrError, Stamp, stamp_of

_LOG_EVERY_S = 10.0
_LATEST_S = 0.5
"""An image older than the one before it, but not by so much, was overtaken. More is another time: a bag starts over."""
_PATIENCE_S = 2.0
"""How long to wait for the image at hand; a worker that takes longer hangs."""


@dataclass(frozen=True, eq=False)
class _Shown:
    """Who was published last."""

    stamp: Stamp
    frame_id: str
    bodies: Bodies


class Worker:
    """Runs from construction until the slot of ``source`` is closed. ``config`` may be replaced meanwhile."""

    def __init__(
        self,
        node: Node,
        source: CameraInput,
        outputs: Outputs,
        assembly: Assembly,
        monitor: Monitor,
        config: RobotConfig,
    ) -> None:
        self.config = config
        self._node = node
        self._source = source
        self._outputs = outputs
        self._assembly = assembly
        self._monitor = monitor
        self._budget = LatencyBudget(node, assembly)
        self._last_stamp = Stamp(0, 0)
        self._turn = threading.Lock()  # held for each image
        self._shown: _Shown | None = None
        gc.collect()
        gc.freeze()  # what is there by now stays: looking through it again would cost some image tens of milliseconds
        self._thread = threading.Thread(target=self._run, name="hmr_worker")
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the image at hand, once the slot is closed."""
        self._thread.join()
        self._budget.close()
        gc.unfreeze()

    def end_tracks(self) -> int:
        """Forget everybody after the image at hand, and tell who listens; how many they were. For other threads.

        Raises TimeoutError when that image does not end.
        """
        if not self._turn.acquire(timeout=_PATIENCE_S):
            raise TimeoutError(f"the image at hand has taken {_PATIENCE_S:g} s and is not done")
        try:
            shown, self._shown = self._shown, None
            self._assembly.pipeline.reset()
            if shown is not None:
                self._outputs.end(shown.stamp, shown.frame_id, shown.bodies)
        finally:
            self._turn.release()
        return len(shown.bodies) if shown is not None else 0

    def _run(self) -> None:
        """No image, however broken, ends this loop."""
        while (data := self._source.slot.take()) is not None:
            try:
                with self._turn:
                    self._process(data)
            except BadImageError as err:
                self._drop(err.reason, str(err))
            except CdrError as err:
                self._drop(BadImageReason.BROKEN_MESSAGE, str(err))
            except EngineError as err:
                self._drop(Drop.ENGINE_FAILED, str(err))
            except Exception:  # a bug must neither end the thread nor go unseen
                if not self._node.context.ok():
                    return  # the middleware went away under us: the process is ending
                self._drop(Drop.INTERNAL_ERROR, traceback.format_exc())
                self._assembly.pipeline.reset()

    def _process(self, data: bytes) -> None:
        started_s, config, pipeline = time.perf_counter(), self.config, self._assembly.pipeline
        stamp = stamp_of(data)
        if not self._is_wanted(stamp, config):
            return
        frame = DECODERS[config.image_transport](data)
        camera = self._source.camera(frame, config.input_timeout_s)
        bodies = pipeline(frame.image, camera, stamp.seconds, self._source.depth(frame, camera))
        self._shown = _Shown(stamp, frame.frame_id, bodies)
        self._outputs.publish(frame, camera, bodies, pipeline.lost)
        views_s = self._publish_views(frame, camera, bodies)
        if self._outputs.problem:
            self._monitor.drop(Drop.NO_TRANSFORM)
        self._last_stamp, latency_s = stamp, self._age_s(stamp)
        self._budget.done(stamp.seconds, latency_s, pipeline.timings, views_s)
        overhead_s = time.perf_counter() - started_s - pipeline.timings.total_s
        self._monitor.process(self._processed(bodies, latency_s, overhead_s))

    def _processed(self, bodies: Bodies, latency_s: float, overhead_s: float) -> Processed:
        """What is told about the image at hand."""
        return Processed(
            at_s=time.monotonic(),
            latency_s=latency_s,
            timings=self._assembly.pipeline.timings,
            overhead_s=overhead_s,
            people=len(bodies),
            metric=int(bodies.valid.sum()),
            measured=self._assembly.pipeline.measured,
            shed=str(self._budget.shed),
            disagreement=Disagreement.about(bodies),
            tentative=int((bodies.states == State.TENTATIVE).sum()),
            coasting=int((bodies.states == State.COASTING).sum()),
            limit_violations=self._outputs.limit_violations,
        )

    def _publish_views(self, frame: Frame, camera: Camera | None, bodies: Bodies) -> float:
        """What people look at, if there is time for it; how long it took, s."""
        if self._budget.shed >= Shed.VIEWS:
            return 0.0
        started_s = time.perf_counter()
        self._outputs.publish_views(frame, camera, bodies, self._assembly.pipeline.lost)
        return time.perf_counter() - started_s

    def _is_wanted(self, stamp: Stamp, config: RobotConfig) -> bool:
        """Whether an image is young enough, comes in its order, does not exceed the rate and can be done in time."""
        age_s = self._age_s(stamp)
        if config.max_frame_age_s and age_s > config.max_frame_age_s:
            self._drop(
                Drop.TOO_OLD,
                f"image is {age_s:.2f} s old, max_frame_age_s is {config.max_frame_age_s:g}. For a bag: play it with "
                "--clock and set use_sim_time, or set max_frame_age_s to 0",
            )
            return False
        since_last_s = (stamp.nanoseconds - self._last_stamp.nanoseconds) * 1e-9
        if -_LATEST_S < since_last_s < 0:
            self._drop(Drop.OUT_OF_ORDER, f"image is {-since_last_s:.3f} s older than the one before it")
            return False
        if config.max_rate_hz and 0 <= since_last_s < 1 / config.max_rate_hz:
            self._monitor.drop(Drop.RATE_LIMIT)
            return False
        if not self._budget.admit(stamp.seconds, age_s, config.max_latency_ms):
            expected_ms = self._budget.expected_s * 1e3
            explanation = f"it would be {expected_ms:.0f} ms old when done, max_latency_ms is {config.max_latency_ms:g}"
            self._drop(Drop.WOULD_BE_LATE, explanation)
            return False
        return True

    def _age_s(self, stamp: Stamp) -> float:
        return (self._node.get_clock().now().nanoseconds - stamp.nanoseconds) * 1e-9

    def _drop(self, reason: str, explanation: str) -> None:
        self._monitor.drop(reason)
        self._node.get_logger().warning(
            f"dropped an image ({reason}): {explanation}", throttle_duration_sec=_LOG_EVERY_S
        )
