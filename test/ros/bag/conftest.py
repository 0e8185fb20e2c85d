# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of recordings."""

import functools

import pytest

from hmr_ros.core.body.decimation import coarse_faces
from hmr_ros.ros.output import outputs
from test.ros.stubs import BODY_MODEL


@functools.cache
def _coarse_faces(count):
    return coarse_faces(BODY_MODEL.v_template, BODY_MODEL.faces, count)


@pytest.fixture(autouse=True)
def _decimated_once(monkeypatch):
    """The mesh of each number of triangles is made once for all tests: it takes most of the time of a short run."""
    monkeypatch.setattr(outputs, "coarse_faces", lambda _vertices, _faces, count: _coarse_faces(count))
