# SPDX-License-Identifier: Apache-2.0
"""BlazePose's two networks: their place in the MediaPipe wheel, and their interface as ONNX."""

from __future__ import annotations

from hmr_ros.conversion.detector.wheel import Source
from hmr_ros.core.manifest import TensorSpec

_UPSTREAM, _COMMAND = "BlazePose of MediaPipe, Copyright The MediaPipe Authors", "hmr convert-detector"

DETECTOR = Source(
    name="blazepose_detector",
    kind="detector",
    member="mediapipe/modules/pose_detection/pose_detection.tflite",
    sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    joint_set=None,
    image_size=("H", "W"),
    scale=1 / 127.5,
    offset=-1.0,
    outputs={
        "Identity": TensorSpec("regressions", "float32", ("N", "A", 12)),
        "Identity_1": TensorSpec("logits", "float32", ("N", "A", 1)),
    },
    upstream=_UPSTREAM,
    command=_COMMAND,
)
LANDMARKS = Source(
    name="blazepose_landmarks",
    kind="landmarks",
    member="mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    joint_set="blazepose",
    image_size=(256, 256),
    scale=1 / 255,
    offset=0.0,
    outputs={  # without Identity_2, a mask that costs a third of the rest, and Identity_4, its own 3D pose
        "Identity": TensorSpec("landmarks", "float32", ("N", 39, 5)),
        "Identity_1": TensorSpec("presence", "float32", ("N", 1)),
        "Identity_3": TensorSpec("heatmaps", "float32", ("N", 39, 64, 64)),
    },
    upstream=_UPSTREAM,
    command=_COMMAND,
)
SOURCES = (DETECTOR, LANDMARKS)
