# SPDX-License-Identifier: Apache-2.0
"""A lean camera for `hmr bench ros`: images serialised beforehand, so that it takes no more time than sending needs.

``hmr_player`` reads, converts and serialises each image, which at 30 images of 720p a second fills much of a core.
"""

from __future__ import annotations

import itertools
import signal
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image

from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
from hmr_ros.ros.player import calibration
from hmr_ros.ros.player.shots import open_show
from hmr_ros.ros.wire.cdr import ENCAPSULATION, STAMP_END, Stamp, write_image
from hmr_ros.ros.wire.messages import header

FRAME = "camera_optical_frame"
_MAX_IMAGES = 120
"""Images of a clip that are kept, 2.8 MB each at 720p; then it starts again."""
_POLL_S = 0.02


def stamped(message: bytes, stamp_ns: int) -> bytes:
    """The serialised ``message``, which starts with a header, with another stamp."""
    return b"".join(
        (ENCAPSULATION, struct.pack("<iI", *divmod(stamp_ns, 1_000_000_000)), memoryview(message)[STAMP_END:])
    )


class Camera(Node):
    """Publishes serialised ``images`` and their ``info`` in turn, each under the stamp of its moment."""

    def __init__(self, images: Sequence[bytes], info: bytes, log: Path) -> None:
        """A line of ``log`` is the stamp of an image and when it had been published, ns."""
        super().__init__("hmr_bench_camera")
        self._images, self._info = images, info
        self._log = log.open("a", encoding="utf-8", buffering=1)
        self._image_publisher = self.create_publisher(Image, "image", QoSProfile(depth=1))
        self._info_publisher = self.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=1))

    def wait_for_subscriber(self) -> None:
        """Wait until the images have one."""
        while not self._image_publisher.get_subscription_count():
            time.sleep(_POLL_S)

    def play(self, rate_hz: float) -> None:
        """Publish for ever; after a delay it does not catch up."""
        due_s = time.monotonic()
        for image in itertools.cycle(self._images):
            time.sleep(max(0.0, due_s - time.monotonic()))
            due_s = max(due_s + 1 / rate_hz, time.monotonic())
            stamp_ns = time.time_ns()
            self._image_publisher.publish(stamped(image, stamp_ns))
            self._log.write(f"{stamp_ns} {time.time_ns()}\n")
            self._info_publisher.publish(stamped(self._info, stamp_ns))


def serialised(source: str, calibrate: calibration.Calibration) -> tuple[list[bytes], bytes]:
    """The messages of the first images of ``source``, and of their calibration."""
    shots = itertools.islice(open_show(source).shots(), _MAX_IMAGES)
    images = [write_image(Stamp(0, 0), FRAME, shot.image, "bgr8") for shot in shots]
    height, width = struct.unpack_from("<II", images[0], STAMP_END + 4 + _padded(len(FRAME) + 1))
    info = calibrate(width, height)
    info.header = header(Stamp(0, 0), FRAME)
    return images, serialize_message(info)


def _padded(size: int) -> int:
    return size + -size % 4


def _calibration(given: str) -> calibration.Calibration:
    """By a focal length in px, a file of camera_calibration, or, for "", an assumed field of view."""
    if given.endswith(".yaml"):
        return calibration.from_file(Path(given))
    return calibration.from_focal_length(float(given)) if given else _assumed()


def _assumed() -> calibration.Calibration:
    return calibration.from_field_of_view(ASSUMED_FIELD_OF_VIEW_DEG)


def main() -> int:
    """Play until a signal ends it. Arguments: a video file or an image, images per second, calibration, log."""
    _, source, rate_hz, given, log = remove_ros_args(sys.argv)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    try:
        camera = Camera(*serialised(source, _calibration(given)), Path(log))
        camera.wait_for_subscriber()
        camera.play(float(rate_hz))
    except KeyboardInterrupt:
        pass  # its usual end
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
