# SPDX-License-Identifier: Apache-2.0
"""Metric human body meshes for ROS 2, and for Python without ROS.

``open_pipeline`` says how to get from a photo to meshes. Names are loaded when they are first used: ``import hmr_ros``
alone loads neither numpy nor the networks' runtime.
"""

from __future__ import annotations

import importlib
import os
from pkgutil import extend_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmr_ros.core.body.body_model import BodyModel
    from hmr_ros.core.body.hand_model import HandModel
    from hmr_ros.core.camera import Camera
    from hmr_ros.core.config import DetectionsConfig, PipelineSettings
    from hmr_ros.core.fitting.depth import DepthImage
    from hmr_ros.core.geometry.frames import Transform
    from hmr_ros.core.geometry.ground import Ground
    from hmr_ros.core.people import Bodies, Detections, State
    from hmr_ros.perception.assemble import assemble, open_body, open_hand, open_pipeline
    from hmr_ros.perception.hands import Hands
    from hmr_ros.perception.pipeline import Pipeline, Result, Timings

# ONNX Runtime's wheels since 1.29 report their use to Microsoft, and keep an identifier of the machine in TMPDIR,
# unless this is set when they are loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# colcon generates `hmr_ros.msg` into the install space. A checkout finds it there too, once that space is sourced.
__path__ = extend_path(__path__, __name__)

__version__ = "0.2.0"

__all__ = [
    "Bodies",
    "BodyModel",
    "Camera",
    "DepthImage",
    "Detections",
    "DetectionsConfig",
    "Ground",
    "HandModel",
    "Hands",
    "Pipeline",
    "PipelineSettings",
    "Result",
    "State",
    "Timings",
    "Transform",
    "__version__",
    "assemble",
    "open_body",
    "open_hand",
    "open_pipeline",
]

_MODULES = {
    "Bodies": "hmr_ros.core.people",
    "BodyModel": "hmr_ros.core.body.body_model",
    "Camera": "hmr_ros.core.camera",
    "DepthImage": "hmr_ros.core.fitting.depth",
    "Detections": "hmr_ros.core.people",
    "DetectionsConfig": "hmr_ros.core.config",
    "Ground": "hmr_ros.core.geometry.ground",
    "HandModel": "hmr_ros.core.body.hand_model",
    "Hands": "hmr_ros.perception.hands",
    "Pipeline": "hmr_ros.perception.pipeline",
    "PipelineSettings": "hmr_ros.core.config",
    "Result": "hmr_ros.perception.pipeline",
    "State": "hmr_ros.core.people",
    "Timings": "hmr_ros.perception.pipeline",
    "Transform": "hmr_ros.core.geometry.frames",
    "assemble": "hmr_ros.perception.assemble",
    "open_body": "hmr_ros.perception.assemble",
    "open_hand": "hmr_ros.perception.assemble",
    "open_pipeline": "hmr_ros.perception.assemble",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'hmr_ros' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
