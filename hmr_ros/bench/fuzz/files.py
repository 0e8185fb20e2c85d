# SPDX-License-Identifier: Apache-2.0
"""The readers of files: models, manifests, settings, calibrations, recordings of motion, photos and videos."""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from mcap.writer import Writer
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hmr_ros.bench.fuzz.mutations import DEEP, archives, damaged
from hmr_ros.bench.fuzz.targets import Target
from hmr_ros.conversion import smpl
from hmr_ros.core.body.body_model import SMPL_KEYS, load_body_model
from hmr_ros.core.calibration_file import CalibrationError
from hmr_ros.core.camera import Camera
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.manifest import Manifest, ManifestError, TensorSpec, load_manifest, models_dir
from hmr_ros.core.settings import load_toml
from hmr_ros.engines.onnx.check import check
from hmr_ros.engines.onnx.engine import OnnxEngine
from hmr_ros.engines.runtime import EngineError
from hmr_ros.media.errors import SourceError
from hmr_ros.media.images import read_bgr
from hmr_ros.media.sources import open_source
from hmr_ros.recording.given import read_given
from hmr_ros.ros.bag.opening import open_recording
from hmr_ros.ros.bag.recording import RecordingError
from hmr_ros.training.motion.amass import read_amass
from hmr_ros.training.motion.bvh import read_bvh

_SHAPE = ("N", 3)
_MANIFEST = Manifest(
    name="sum",
    kind="person_boxes",
    file="sum.onnx",
    sha256="0" * 64,
    inputs=(TensorSpec("x", "float32", _SHAPE),),
    outputs=(TensorSpec("y", "float32", _SHAPE),),
    licence="Apache-2.0",
)
_SETTINGS = b"""
model = "both"
max_people = 4
keypoint_threshold = 0.5
[detector]
size = "640x352"
[smoothing]
beta = 3
"""
_CALIBRATION = b"""
image_width: 640
image_height: 480
camera_matrix: {rows: 3, cols: 3, data: [500.0, 0, 320, 0, 500, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0]}
"""
_DETECTIONS = b"""{"frame": 0, "boxes": [[1, 2, 30, 40]], "scores": [0.9], "ids": [7]}
{"image": "a.jpg", "keypoints": [], "joint_set": "coco17"}
"""
_BVH = b"""HIERARCHY
ROOT Hips
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
 JOINT Chest
 {
  OFFSET 0 5 0
  CHANNELS 3 Zrotation Yrotation Xrotation
  End Site
  {
   OFFSET 0 5 0
  }
 }
}
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 1 2 3 4 5 6
0 0 0 1 2 3 4 5 7
"""


def files(directory: Path) -> Iterator[Target]:
    """All that is read from files, which are written into ``directory``."""

    def path_to(name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
        return functools.partial(_read_file, directory / name, read)

    manifests = [path.read_bytes() for path in sorted(models_dir().glob("*.json"))]
    yield Target("manifest", damaged([*manifests, DEEP]), path_to("m.json", load_manifest), (ManifestError,), 30)
    yield Target("network", damaged([_network()]), _read_network, (EngineError,), 30)
    body = models_dir() / "open_body.npz"
    yield Target("body model", damaged([body.read_bytes()]), path_to("b.npz", load_body_model), (ValueError,), 2)
    changed = archives(dict(np.load(body)))
    yield Target("body model of other arrays", changed, path_to("c.npz", load_body_model), (ValueError,), 1)
    yield Target("pickle of SMPL", damaged([_pickle()]), path_to("smpl.pkl", _convert), (ValueError,), 20)
    settings = path_to("s.toml", lambda path: load_toml(path, RobotConfig))
    yield Target("settings", damaged([_SETTINGS, DEEP, b"x=" + DEEP]), settings, (ValueError,), 20)
    calibrations = damaged([_CALIBRATION, DEEP])
    yield Target("calibration", calibrations, path_to("c.yaml", Camera.from_yaml), (CalibrationError,), 10)
    yield Target("photo", damaged(_photos()), path_to("p.png", read_bgr), (SourceError,), 30)
    yield Target("video", damaged([_video(directory)]), path_to("v.avi", _play), (SourceError,), 3)
    yield Target("recording", damaged([_bag()]), path_to("r.mcap", _replay), (RecordingError,), 20)
    given = path_to("d.jsonl", read_given)
    yield Target("detections file", damaged([_DETECTIONS, DEEP]), given, (ValueError,), 20)
    yield Target("BVH recording", damaged([_BVH]), path_to("r.bvh", read_bvh), (ValueError,), 10)
    amass = _recording()
    yield Target("AMASS recording", damaged([_archive(amass)]), path_to("r.npz", read_amass), (ValueError,), 10)
    yield Target("AMASS of other arrays", archives(amass), path_to("q.npz", read_amass), (ValueError,), 10)


def _read_file(path: Path, read: Callable[[Path], object], data: bytes) -> None:
    path.write_bytes(data)
    read(path)


def _read_network(data: bytes) -> None:
    check(data, _MANIFEST, Path("sum.onnx"))
    OnnxEngine(_MANIFEST, data, threads=1).run({"x": np.ones((2, 3), np.float32)})


def _convert(path: Path) -> None:
    smpl.convert(path, path.with_suffix(".npz"))


def _play(path: Path) -> None:
    for _ in open_source(str(path)).frames():
        pass


def _replay(path: Path) -> None:
    with contextlib.closing(open_recording(path, lambda problem: None)) as recording:
        for _ in recording.records():
            pass


def _bag() -> bytes:
    """An .mcap of three messages in one chunk."""
    file = io.BytesIO()
    writer = Writer(file)
    writer.start()
    schema = writer.register_schema("sensor_msgs/msg/Image", "ros2msg", b"uint8 x")
    channel = writer.register_channel("image", "cdr", schema)
    for number in range(3):
        writer.add_message(channel, number, bytes([0, 1, 0, 0, number]), number)
    writer.finish()
    return file.getvalue()


def _network() -> bytes:
    """A network that computes y = x + 1 for x (N, 3)."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, list(_SHAPE)) for name in "xy")
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "sum", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def _pickle() -> bytes:
    """SMPL's keys, each with a small array."""
    return pickle.dumps({key: np.zeros((2, 3)) for key in SMPL_KEYS}, protocol=2)


def _photos() -> Sequence[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return [cv2.imencode(suffix, pixels)[1].tobytes() for suffix in (".png", ".jpg", ".bmp", ".webp", ".tiff")]


def _video(directory: Path) -> bytes:
    """Five frames of 32 x 32 px."""
    path = directory / "seed.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 32))
    for number in range(5):
        writer.write(np.full((32, 32, 3), 50 * number, np.uint8))
    writer.release()
    return path.read_bytes()


def _recording() -> dict[str, NDArray[np.generic]]:
    return {"poses": np.zeros((5, 156)), "trans": np.zeros((5, 3)), "mocap_framerate": np.array(60.0)}


def _archive(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
