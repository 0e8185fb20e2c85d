"""The thread that works: newest image in, messages out, then the newest image again."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass

from rclpy.node import Node

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Bodies
from hmr_ros.engines.runtime import EngineError
from hmr_ros.perception.assemble import Assembly
from hmr_ros.ros.cdr import CdrError, Stamp, stamp_of
from hmr_ros.ros.diagnostics import Disagreement, Drop, Monitor, Processed
from hmr_ros.ros.images import DECODERS, BadImageError, BadImageReason
from hmr_ros.ros.inputs import CameraInput
from hmr_ros.ros.outputs import Outputs

_LOG_EVERY_S = 10.0
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
        self._last_stamp = Stamp(0, 0)
        self._turn = threading.Lock()  # held for each image
        self._shown: _Shown | None = None
        self._thread = threading.Thread(target=self._run, name="hmr_worker")
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the image at hand, once the slot is closed."""
        self._thread.join()

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
        bodies = pipeline(frame.image, camera, stamp.seconds)
        self._shown = _Shown(stamp, frame.frame_id, bodies)
        self._outputs.publish(frame, camera, bodies, pipeline.lost, config)
        if self._outputs.problem:
            self._monitor.drop(Drop.NO_TRANSFORM)
        self._last_stamp = stamp
        overhead_s = time.perf_counter() - started_s - pipeline.timings.total_s
        self._monitor.process(
            Processed(
                at_s=time.monotonic(),
                latency_s=self._age_s(stamp),
                timings=pipeline.timings,
                overhead_s=overhead_s,
                people=len(bodies),
                metric=int(bodies.valid.sum()),
                disagreement=Disagreement.about(bodies),
            )
        )

    def _is_wanted(self, stamp: Stamp, config: RobotConfig) -> bool:
        """Whether an image is young enough and does not exceed the rate."""
        age_s = self._age_s(stamp)
        if config.max_frame_age_s and age_s > config.max_frame_age_s:
            self._drop(
                Drop.TOO_OLD,
                f"image is {age_s:.2f} s old, max_frame_age_s is {config.max_frame_age_s:g}. For a bag: play it with "
                "--clock and set use_sim_time, or set max_frame_age_s to 0",
            )
            return False
        since_last_s = (stamp.nanoseconds - self._last_stamp.nanoseconds) * 1e-9
        if config.max_rate_hz and 0 <= since_last_s < 1 / config.max_rate_hz:
            self._monitor.drop(Drop.RATE_LIMIT)
            return False
        return True

    def _age_s(self, stamp: Stamp) -> float:
        return (self._node.get_clock().now().nanoseconds - stamp.nanoseconds) * 1e-9

    def _drop(self, reason: str, explanation: str) -> None:
        self._monitor.drop(reason)
        self._node.get_logger().warning(
            f"dropped an image ({reason}): {explanation}", throttle_duration_sec=_LOG_EVERY_S
        )
