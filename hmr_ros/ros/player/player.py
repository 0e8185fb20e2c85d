# SPDX-License-Identifier: Apache-2.0
"""``hmr_player``: a video, a directory of images or a webcam as a camera topic with its CameraInfo."""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hmr_ros.core.calibration_file import CalibrationError
from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
from hmr_ros.media.errors import SourceError
from hmr_ros.media.images import Bgr
from hmr_ros.ros.node.process import StartError, initialize, starting
from hmr_ros.ros.player import calibration
from hmr_ros.ros.player.shots import Shot, Show, open_show
from hmr_ros.ros.wire.cdr import Stamp, write_compressed_image, write_image
from hmr_ros.ros.wire.messages import header

_JPEG_QUALITY = 90
_POLL_S = 0.02

_SCENE_GAP_S = 1.2
"""Pause before another scene, longer than ``track_timeout_s``; a black image follows, which ends all tracks. After a
pause alone, as on a slow machine, a person at the position of another would continue that track."""

_BLACK_S = 0.6
"""Time that the black image stays, s, so that no later image overtakes it."""


_ENDING = (signal.SIGINT, signal.SIGTERM)
"""Signals that end the player with status 0."""


class SimulatedTimeError(ValueError):
    """``use_sim_time`` was asked of the player, whose images are of now."""


class Player(Node):
    """Publishes ``image`` (or ``image/compressed``) and ``camera_info`` under one stamp."""

    def __init__(self, calibrate: calibration.Calibration, frame_id: str, *, compressed: bool) -> None:
        super().__init__("hmr_player")
        self._calibrate = calibrate
        self._frame_id = frame_id
        self._compressed = compressed
        # As in image_transport: the compressed topic is below the image topic, also where that is remapped.
        topic = self.resolve_topic_name("image") + ("/compressed" if compressed else "")
        self._images = self.create_publisher(CompressedImage if compressed else Image, topic, QoSProfile(depth=1))
        self._infos = self.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=1))

    def publish(self, image: Bgr) -> None:
        """Publish ``image`` (H, W, 3) uint8 BGR and its calibration, stamped now."""
        stamp = Stamp(*self.get_clock().now().seconds_nanoseconds())
        self._images.publish(self._serialised(stamp, image))
        # Last: in the default shared memory of Fast DDS a large image overwrites messages sent just before it.
        self._publish_info(stamp, image)

    def refuse_simulated_time(self) -> None:
        """Raise SimulatedTimeError where ``use_sim_time`` is set."""
        if self.get_parameter("use_sim_time").value:
            raise SimulatedTimeError(
                "use_sim_time: images are stamped with the time at which they are played, not with that of /clock; "
                "leave the parameter out, here and in the nodes that receive them"
            )

    def wait_for_subscribers(self, count: int, timeout_s: float) -> None:
        """Wait until there are ``count`` subscribers, at most ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while self._images.get_subscription_count() < count and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _publish_info(self, stamp: Stamp, image: Bgr) -> None:
        info = self._calibrate(image.shape[1], image.shape[0])
        info.header = header(stamp, self._frame_id)
        self._infos.publish(info)

    def _serialised(self, stamp: Stamp, image: Bgr) -> bytes:
        """The message of ``image`` (H, W, 3) uint8 BGR, raw or as JPEG."""
        if not self._compressed:
            return write_image(stamp, self._frame_id, image, "bgr8")
        _, payload = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        return write_compressed_image(stamp, self._frame_id, np.asarray(payload, np.uint8).ravel(), "jpeg")


def play(player: Player, source: Show, rate_hz: float, *, loop: bool) -> None:
    """Publish ``source`` at ``rate_hz``, or at its own rate when it is live; after a delay it does not catch up."""
    due_s = time.monotonic()
    for shot in _endless(source) if loop else source.shots():
        if not player.context.ok():
            return
        if shot.new_scene:
            time.sleep(_SCENE_GAP_S)
            player.publish(np.zeros_like(shot.image))
            due_s = time.monotonic() + _BLACK_S
        if not source.live:
            time.sleep(max(0.0, due_s - time.monotonic()))
            due_s = max(due_s + 1 / rate_hz, time.monotonic())
        player.publish(shot.image)


def _endless(source: Show) -> Iterator[Shot]:
    return itertools.chain.from_iterable(source.shots() for _ in itertools.count())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hmr_player", description=__doc__)
    parser.add_argument(
        "source", help="video file, image, directory of images, number or device of a webcam, or URL (rtsp://...)"
    )
    parser.add_argument("--rate", type=float, help="images per second (default: the video's own; 10 for a directory)")
    parser.add_argument("--loop", action="store_true", help="start again at the end")
    parser.add_argument("--compressed", action="store_true", help="publish JPEG on image/compressed")
    parser.add_argument("--frame-id", default="camera_optical_frame", help="optical frame of the camera")
    parser.add_argument("--wait", type=int, default=0, metavar="N", help="wait for N subscribers, at most 30 s")
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--camera-info", default="", help="YAML file of camera_calibration")
    camera.add_argument("--focal", type=float, help="focal length in px")
    camera.add_argument("--fov", type=float, help="angle of the longer image side in degrees")
    return parser


def _calibration(args: argparse.Namespace, player_name: str) -> calibration.Calibration:
    """The calibration that the options give, or an assumed one with a warning. Raises CalibrationError."""
    if args.camera_info:
        return calibration.from_file(Path(args.camera_info))
    if args.focal:
        return calibration.from_focal_length(args.focal)
    if not args.fov:
        print(
            f"{player_name}: assuming a field of view of {ASSUMED_FIELD_OF_VIEW_DEG:g} degrees; distances are only as "
            "right as this is. Give --camera-info, --focal or --fov",
            file=sys.stderr,
        )
    return calibration.from_field_of_view(args.fov or ASSUMED_FIELD_OF_VIEW_DEG)


def main(args: list[str] | None = None) -> int:
    """Play a source until it ends or a signal stops the process; returns the exit status."""
    argv = sys.argv if args is None else ["hmr_player", *args]
    for number in _ENDING:  # rclpy's own handler ends its context in the middle of publishing, which then fails
        signal.signal(number, signal.default_int_handler)
    try:
        with starting():
            own = remove_ros_args(argv)[1:]
        options = _parser().parse_args(own)
        initialize(argv)
        source = open_show(options.source)
        player = Player(_calibration(options, "hmr_player"), options.frame_id, compressed=options.compressed)
        player.refuse_simulated_time()
        if options.wait:
            player.wait_for_subscribers(options.wait, 30.0)
        play(player, source, options.rate or source.rate_hz, loop=options.loop)
    except (SourceError, CalibrationError, SimulatedTimeError, StartError) as err:
        print(f"hmr_player: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # the usual end of a ROS node
    finally:
        for number in _ENDING:  # ros2 launch sends one more
            signal.signal(number, signal.SIG_IGN)
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
