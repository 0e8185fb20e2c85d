# SPDX-License-Identifier: Apache-2.0
import sys
from collections.abc import Iterator

import pytest

from hmr_ros.engines.onnx import c_library
from test.engines.shipped_library import shipped_library


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with ONNX Runtime's C library, without the Python package."""
    path = shipped_library()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(c_library, "NAMES", (path,))
    c_library.load_library.cache_clear()
    yield
    c_library.load_library.cache_clear()
