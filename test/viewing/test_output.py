# SPDX-License-Identifier: Apache-2.0
import socket
import urllib.request

import numpy as np
import pytest

pytest.importorskip("rerun")

import rerun as rr

from hmr_ros.viewing.layout import layout
from hmr_ros.viewing.output import Server, to_file, to_viewer

PANELS = layout(is_live=False, has_time=True, positions=np.array([[5.0, 0.0, 1.0]]))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_page_knows_where_its_data_is():
    server = Server(1234, 5678)
    assert server.page == "http://127.0.0.1:5678/?url=rerun%2Bhttp%3A%2F%2F127.0.0.1%3A1234%2Fproxy"
    assert server.command[1:] == "--bind 127.0.0.1 --port 1234 --serve-web --web-viewer-port 5678".split()
    assert Server(bind="0.0.0.0").data == "rerun+http://127.0.0.1:9876/proxy"


def test_without_a_display_there_is_no_window(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(RuntimeError, match="give --web for a browser, or --save"), to_viewer(Server(), PANELS):
        pass


def test_a_used_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"port {port} is in use"), to_viewer(Server(port, 1), PANELS):
            pass


def test_a_viewer_that_ends_is_named(monkeypatch):
    monkeypatch.setattr(Server, "command", ["false"])
    with pytest.raises(RuntimeError, match="did not start"), to_viewer(Server(free_port(), 1), PANELS):
        pass


def test_a_file_is_complete_or_absent(tmp_path):
    with pytest.raises(ValueError, match="broken"), to_file(tmp_path / "new" / "scene.rrd", PANELS):
        raise ValueError("broken")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.slow
def test_a_page_is_served_while_it_is_looked_at():
    server = Server(free_port(), free_port())
    with to_viewer(server, PANELS) as output, urllib.request.urlopen(server.page, timeout=120) as page:
        output.recording.log("events", rr.TextLog("hello"))
        assert b"<html" in page.read().lower()
    assert not server.is_listening
