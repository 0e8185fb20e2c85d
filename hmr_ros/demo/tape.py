# SPDX-License-Identifier: Apache-2.0
"""The demo as a recording, demo.mcap: what the camera sent and the node published, for Foxglove, RViz and ros2 bag."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.msg import SmplBody, SmplBodyArray
from hmr_ros.ros.bag.inputs import Transforms
from hmr_ros.ros.bag.options import MESH_FACES
from hmr_ros.ros.bag.publishing import Clock, FilePublishers
from hmr_ros.ros.bag.recording import Record, Topic
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.output.publishing import Qos
from hmr_ros.ros.player.recorder import Moment
from hmr_ros.ros.wire.cdr import Stamp, write_compressed_image
from hmr_ros.ros.wire.messages import Origin, header, track_id
from hmr_ros.ros.wire.reading import bodies_from_message
from hmr_ros.ros.wire.types import CameraInfo, message_class

NAME = "demo.mcap"

HOW_TO_OPEN = (
    "Foxglove (config/foxglove.json) and hmr view open it; `ros2 bag play` and RViz (config/hmr.rviz) show it; "
    "`hmr run` reads its images"
)

_IMAGE, _INFO, _BODIES = "/image/compressed", "/camera_info", "/bodies"


def write_tape(path: Path, moments: Sequence[Moment], body_model: BodyModel) -> bool:
    """Write ``moments`` to ``path``; False where the Python module mcap, which does it, is not installed.

    Images, calibration and bodies are as they were received; markers, meshes, TF and the others are made of these
    bodies by the node's own writers, each with the stamp of its image.
    """
    if importlib.util.find_spec("mcap") is None:
        return False
    from hmr_ros.ros.bag.result import Result

    result, clock = Result(path), Clock()

    def write(topic: Topic, record: Record) -> None:
        if topic.name != _BODIES:  # they are written as they were received
            result.write(topic, record)

    try:
        around = FilePublishers(write, clock, "", Transforms(print), print)
        received = FilePublishers(result.write, clock, "", Transforms(print), print)
        first = moments[0].message
        origin = Origin(first.method, first.body_model)
        outputs = Outputs(around, body_model, origin, RobotConfig(mesh_faces=MESH_FACES), Presence())
        for moment in moments:
            _write_moment(moment, received, outputs, body_model)
    finally:
        result.close()
    return True


def _write_moment(moment: Moment, received: FilePublishers, outputs: Outputs, body_model: BodyModel) -> None:
    of_image = moment.message.header
    stamp = Stamp(of_image.stamp.sec, of_image.stamp.nanosec)
    received.clock.log_ns = stamp.nanoseconds
    image = write_compressed_image(stamp, of_image.frame_id, moment.jpeg.ravel(), "jpeg")
    received.create(message_class("sensor_msgs", "CompressedImage"), _IMAGE, Qos(1)).publish(image)
    if moment.camera is not None:
        info = camera_info(moment.camera)
        info.header = header(stamp, of_image.frame_id)
        received.create(CameraInfo, _INFO, Qos(1)).publish(info)
    received.create(SmplBodyArray, _BODIES, Qos(5)).publish(moment.message)
    bodies, lost = tracks(moment.message, body_model)
    frame = Frame(stamp, of_image.frame_id, moment.image())
    outputs.publish(frame, moment.camera, bodies, lost)
    outputs.publish_views(frame, moment.camera, bodies, lost)


def tracks(message: SmplBodyArray, body_model: BodyModel) -> tuple[Bodies, tuple[int, ...]]:
    """The bodies of ``message`` with the numbers of their tracks, and the tracks that were lost."""
    bodies, names = bodies_from_message(message, body_model)
    ids = np.array([track_id(name) for name in names], np.int64)
    lost = tuple(sorted(track_id(body.id) for body in message.bodies if body.state == SmplBody.LOST))
    return dataclasses.replace(bodies, ids=ids), lost


def camera_info(camera: Camera) -> CameraInfo:
    """The calibration of ``camera``, without a header."""
    info = CameraInfo(width=camera.width, height=camera.height, distortion_model=camera.distortion_model)
    K = np.asarray(camera.K, np.float64)
    info.d, info.k, info.r = camera.D.tolist(), K.ravel(), np.eye(3).ravel()
    info.p = np.hstack([K, np.zeros((3, 1))]).ravel()
    return info
