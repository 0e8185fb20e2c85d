# SPDX-License-Identifier: Apache-2.0
"""What belongs to an image in a recording: calibration, depth and transforms, used as the node uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hmr_ros.core.bounded import Bounded
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.geometry.frames import FrameTree, Transform
from hmr_ros.core.people import Camera
from hmr_ros.ros.bag.recording import Report
from hmr_ros.ros.input.camera_model import (
    BadCameraInfoError,
    camera_from_info,
    described_size,
)
from hmr_ros.ros.input.depth_messages import decoder_of, nearest
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.input.images import BadImageError, Frame
from hmr_ros.ros.input.transform_messages import read_transforms
from hmr_ros.ros.wire.cdr import STAMP_END, CdrError, Stamp
from hmr_ros.ros.wire.decoding import deserialise
from hmr_ros.ros.wire.types import CameraInfo

_DEPTHS = 32
"""Depth images that are kept: those of half a second around an image, at 60 Hz."""

_SIZES = 8

Assumed = Callable[[int, int], Camera]
"""Width and height in px of images without calibration -> their camera. Raises ValueError."""


class Calibration:
    """The CameraInfo of one camera; ``assumed`` is what it is without one, or given, to be used in any case."""

    def __init__(self, topic: str, assumed: Assumed, report: Report, *, is_given: bool, rectified: bool) -> None:
        self._topic = topic
        self._assumed = assumed
        self._report = report
        self._is_given = is_given
        self._rectified = rectified
        self._newest: CameraInfo | None = None
        self._newest_bytes = b""
        self._by_size = Bounded[tuple[int, int], CameraInfo](_SIZES)

    @property
    def is_known(self) -> bool:
        """Whether a CameraInfo has come."""
        return self._newest is not None

    def receive(self, data: bytes) -> None:
        """Take over a serialised CameraInfo."""
        if (content := data[STAMP_END:]) == self._newest_bytes:
            return
        self._newest_bytes = content
        try:
            info = deserialise(data, CameraInfo)
        except CdrError as err:
            self._report(f"CameraInfo on {self._topic} cannot be read: {err}")
            return
        self._newest = self._by_size[described_size(info)] = info

    def camera(self, frame: Frame) -> Camera:
        """The camera that took ``frame``: the newest calibration of its size. Raises ValueError where none is known."""
        height, width = frame.image.shape[:2]
        if self._is_given:
            return self._assumed(width, height)
        info = self._by_size.get((width, height), self._newest)
        if info is None:
            return self._without(f"no CameraInfo on {self._topic}", width, height)
        try:
            camera = camera_from_info(info, width, height, rectified=self._rectified)
        except BadCameraInfoError as err:
            return self._without(f"CameraInfo on {self._topic} is unusable: {err}", width, height)
        of_info = bare_frame(info.header.frame_id)
        if of_info and frame.frame_id != of_info:
            self._report(
                f"images are in frame {frame.frame_id!r}, the CameraInfo on {self._topic} in {of_info!r}: is it this "
                "camera's?"
            )
        return camera

    def _without(self, reason: str, width: int, height: int) -> Camera:
        self._report(f"{reason}: a field of view is assumed, distances are right only as far as it is. Give --fov")
        return self._assumed(width, height)


class Depths:
    """The depth images of one camera, on ``topic``."""

    def __init__(self, topic: str, config: RobotConfig, report: Report) -> None:
        self._topic = topic
        self._config = config
        self._report = report
        self._decode = decoder_of(topic)
        self._newest: deque[bytes] = deque(maxlen=_DEPTHS)

    def receive(self, data: bytes) -> None:
        """Keep a serialised depth image."""
        self._newest.append(data)

    def of(self, frame: Frame, camera: Camera) -> DepthImage | None:
        """The depth of ``frame``, which ``camera`` took; None, reported with the reason, when there is none."""
        try:
            data = nearest(self._newest, frame.stamp, self._config.depth_tolerance_s)
            return self._decode(data, self._config.depth_scale, frame.frame_id, camera)
        except (BadImageError, LookupError) as err:
            self._report(f"{self._topic}: an image without depth, as {err}: its positions come from colour alone")
            return None


class Transforms:
    """TF of a recording: a Listener that waits for nothing."""

    def __init__(self, report: Report) -> None:
        self._tree = FrameTree()
        self._report = report

    def receive(self, data: bytes, *, is_static: bool) -> None:
        """Add a serialised message."""
        try:
            ignored = read_transforms(self._tree, data, is_static=is_static)
        except CdrError as err:
            ignored = f"unreadable TF message: {err}"
        if ignored:
            self._report(ignored)

    def lookup(self, target: str, source: str, stamp: Stamp, timeout_s: float) -> Transform:
        """The transform ``source`` -> ``target`` at ``stamp``, of the messages until now. Raises NoTransformError."""
        return self._tree.lookup(target, source, stamp.nanoseconds)

    def forget_moving(self) -> None:
        """Forget moving frames: time jumped back."""
        self._tree.forget_moving()

    def close(self) -> None:
        """Nothing is to be closed."""
