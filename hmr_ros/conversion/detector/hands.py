# SPDX-License-Identifier: Apache-2.0
"""MediaPipe's hand networks: their place in its wheel, and their interface as ONNX.

The landmark network, full and lite, gives the 21 points of a hand in its crop, px, and in space, m. The recrop network
finds the region of a hand in a rough one: its centre, and a point on the side of the wrist at half its size.
"""

from __future__ import annotations

from hmr_ros.conversion.detector.wheel import Source
from hmr_ros.core.manifest import TensorSpec

_UPSTREAM, _COMMAND = "MediaPipe Hands, Copyright The MediaPipe Authors", "hmr convert-hands"


def _landmarks(name: str, variant: str, sha256: str) -> Source:
    return Source(
        name=name,
        kind="hand_landmarks",
        member=f"mediapipe/modules/hand_landmark/hand_landmark_{variant}.tflite",
        sha256=sha256,
        joint_set="mano",
        image_size=(224, 224),
        scale=1 / 255,
        offset=0.0,
        outputs={
            "Identity": TensorSpec("landmarks", "float32", ("N", 63)),
            "Identity_1": TensorSpec("presence", "float32", ("N", 1)),
            "Identity_2": TensorSpec("handedness", "float32", ("N", 1)),
            "Identity_3": TensorSpec("world", "float32", ("N", 63)),
        },
        upstream=_UPSTREAM,
        command=_COMMAND,
    )


FULL = _landmarks("hand_landmarks", "full", "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3")
LITE = _landmarks("hand_landmarks_lite", "lite", "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6")
RECROP = Source(
    name="hand_recrop",
    kind="hand_recrop",
    member="mediapipe/modules/holistic_landmark/hand_recrop.tflite",
    sha256="67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
    joint_set=None,
    image_size=(256, 256),
    scale=1 / 255,
    offset=0.0,
    outputs={"output_crop": TensorSpec("crop", "float32", ("N", 4))},
    upstream=_UPSTREAM,
    command=_COMMAND,
)
SOURCES = (FULL, LITE, RECROP)
