# SPDX-License-Identifier: Apache-2.0
"""BlazePose's landmark network: its place in the MediaPipe wheel, and its interface as ONNX."""

from __future__ import annotations

from hmr_ros.conversion.detector.wheel import Source
from hmr_ros.core.manifest import TensorSpec

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
    upstream="BlazePose of MediaPipe, Copyright The MediaPipe Authors",
    command="hmr convert-detector",
)
SOURCES = (LANDMARKS,)
