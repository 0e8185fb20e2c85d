# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from hmr_ros.core.people import State
from hmr_ros.recording.entry import unique_stems
from test.recording.entries import entry


def test_files_about_an_image_have_its_name_and_no_others():
    paths = [Path(name) for name in ("a.jpg", "b.jpg", "B.png", "c.jpg", "c.png")]
    assert unique_stems(paths) == ("a", "b.jpg", "B.png", "c.jpg", "c.png")


def test_tentative_bodies_are_not_trusted():
    states = [State.TENTATIVE, State.TRACKED, State.COASTING]
    assert entry([1, 2, 3], states=states).trusted().ids.tolist() == [2, 3]
