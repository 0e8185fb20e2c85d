# SPDX-License-Identifier: Apache-2.0
from hmr_ros.media.sources import StreamSource
from hmr_ros.running.single import source_name


def test_a_stream_gives_its_hosts_name_to_the_directory():
    url = "rtsp://me:secret@camera.local/1"
    assert source_name(url, StreamSource(url, 30.0)) == "camera.local"
