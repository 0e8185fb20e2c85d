# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.media.errors import SourceError
from hmr_ros.running.many.inputs import Kind, find


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "in/bag/metadata.yaml",
        "in/bag/bag_0.mcap",
        "in/bag/bag_1.mcap",
        "in/loose/a.mcap",
        "in/loose/b.db3.zstd",
        "in/photos/1.jpg",
        "in/photos/2.PNG",
        "in/photos/.hidden.jpg",
        "in/photos/clip.MP4",
        "in/old.bag",
        "in/readme.txt",
        "in/.trash/gone.mp4",
        "out/clip-0123456789abcdef/overlay.mp4",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


ALL = {
    "in/bag": Kind.RECORDING,
    "in/loose/a.mcap": Kind.RECORDING,
    "in/loose/b.db3.zstd": Kind.RECORDING,
    "in/old.bag": Kind.RECORDING,
    "in/photos": Kind.PHOTOS,
    "in/photos/clip.MP4": Kind.VIDEO,
}


@pytest.mark.parametrize(
    "patterns",
    [
        ["in"],
        ["in/**"],
        ["."],
        ["in/bag", "in", "in/bag/bag_0.mcap"],
        ["in/bag", "in/bag/metadata.yaml", "in/bag/bag_0.mcap", "in/loose", "in/old.bag", "in/photos", "in/readme.txt"],
    ],
)
def test_each_input_is_found_once_however_it_is_named(here, patterns):
    found = find(patterns, here / "out")
    assert {str(each.path.relative_to(here)): each.kind for each in found} == ALL


def test_files_that_are_named_stand_for_themselves(here):
    assert [each.path.name for each in find(["in/photos/1.jpg", "in/bag/bag_1.mcap"], here / "out")] == [
        "bag_1.mcap",
        "1.jpg",
    ]


def test_the_files_of_an_input(here):
    files = {each.path.name: [path.name for path in each.files] for each in find(["in"], here / "out")}
    assert files["bag"] == ["bag_0.mcap", "bag_1.mcap", "metadata.yaml"]
    assert files["photos"] == ["1.jpg", "2.PNG"]
    assert files["old.bag"] == ["old.bag"]


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (["in", "gone.mp4"], "gone.mp4: no such file"),
        (["in/*.mkv"], "in/.*mkv: no such file"),
        (["in/readme.txt"], "no recordings, videos or photos"),
    ],
)
def test_what_names_nothing_is_refused(here, patterns, words):
    with pytest.raises(SourceError, match=words):
        find(patterns, here / "out")
