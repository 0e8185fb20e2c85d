# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's C library, of which the Python package has a copy."""

import importlib.util
from pathlib import Path

import pytest


def shipped_library() -> str:
    """Its path. Skips the test where this package has none."""
    spec = importlib.util.find_spec("onnxruntime")
    found = sorted(Path(spec.origin).parent.glob("capi/libonnxruntime.so.*")) if spec else []
    if not found:
        pytest.skip("the Python package of ONNX Runtime has no C library here")
    return str(found[0])
