# SPDX-License-Identifier: Apache-2.0
"""The demo as a recording: what was received, and what the node's writers make of it."""

import cv2
import numpy as np
import pytest

pytest.importorskip("mcap")
pytest.importorskip("rclpy")
pytest.importorskip("hmr_ros.msg")

from hmr_ros.core.camera import Camera
from hmr_ros.demo import tape
from hmr_ros.ros.bag.cameras import chosen
from hmr_ros.ros.bag.opening import open_recording
from hmr_ros.ros.player.recorder import Moment
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.decoding import deserialise
from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.messages import Origin, header, person_name, person_number, smpl_body_array
from hmr_ros.ros.wire.types import message_class
from test.ros.stubs import BODY_MODEL, some_bodies

CAMERA = Camera.from_fov(60, 640, 480)
FRAME = "camera_optical_frame"


def moment(k, ids, lost=()):
    _, jpeg = cv2.imencode(".jpg", np.full((480, 640, 3), 90, np.uint8))
    message = smpl_body_array(
        header(Stamp(100 + k, 5), FRAME), some_bodies(len(ids), ids), lost, Origin("stub", "open_body")
    )
    return Moment(np.asarray(jpeg, np.uint8), CAMERA, message, 0.1)


def read(path):
    recording = open_recording(path, pytest.fail)
    try:
        return recording.topics, [(r.topic, r.log_ns, r.data) for r in recording.records()]
    finally:
        recording.close()


def of(topics, records, name):
    package, _, kind = topics[name].type.split("/")
    return [deserialise(data, message_class(package, kind)) for topic, _, data in records if topic == name]


def test_it_holds_what_was_received_and_what_the_node_makes_of_it(tmp_path):
    moments = [moment(0, [41, 7]), moment(1, [41], lost=[7])]
    assert tape.write_tape(tmp_path / "demo.mcap", moments, BODY_MODEL)
    topics, records = read(tmp_path / "demo.mcap")
    assert [data for topic, _, data in records if topic == "/bodies"] == [serialise(m.message) for m in moments]
    assert {log_ns for _, log_ns, _ in records} == {100_000_000_005, 101_000_000_005}
    meshes = [(marker.id, marker.action) for marker in of(topics, records, "/mesh")]
    number = {k: person_number(k) for k in (41, 7)}
    assert meshes == [(number[41], 0), (number[7], 0), (number[41], 0), (number[7], 2)]
    frames = [t.child_frame_id for message in of(topics, records, "/tf") for t in message.transforms]
    assert frames == [f"body_{person_name(k)}" for k in (41, 7, 41)]
    assert {"/markers", "/humans/bodies/tracked", "/people"} <= set(topics)
    (info, _) = of(topics, records, "/camera_info")
    np.testing.assert_allclose(np.array(info.k).reshape(3, 3), CAMERA.K)


def test_hmr_run_reads_its_images(tmp_path):
    tape.write_tape(tmp_path / "demo.mcap", [moment(0, [1])], BODY_MODEL)
    topics, _ = read(tmp_path / "demo.mcap")
    (camera,) = chosen(topics, (), "", pytest.fail)
    assert (camera.topic, camera.info, camera.transport) == ("/image/compressed", "/camera_info", "compressed")


def test_without_mcap_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(tape.importlib.util, "find_spec", lambda name: None)
    assert not tape.write_tape(tmp_path / "demo.mcap", [moment(0, [1])], BODY_MODEL)
    assert list(tmp_path.iterdir()) == []
