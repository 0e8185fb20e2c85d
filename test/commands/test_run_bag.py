# SPDX-License-Identifier: Apache-2.0
"""`hmr run` on recordings, as docs/bags.md shows it; with a pipeline without networks."""

import json
import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")

from hmr_ros.cli import main
from hmr_ros.commands import run as run_module
from hmr_ros.ros.bag import opening
from test.ros.bag.recordings import BEGAN_NS, FRAME, scene, transform, write_mcap, write_rosbag2
from test.ros.bag.runs import build

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/bags.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with ``my_bag``, and stubs for networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "assemble", build())
    write_rosbag2(Path("my_bag"), [transform(BEGAN_NS, child=FRAME), *scene(6)], "MCAP")
    return tmp_path


def commands():
    lines = [line.partition("#")[0] for language, text in BLOCKS if not language for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("hmr run")]


def test_the_page_does_what_it_shows(here, capsys):
    assert len(commands()) == 7
    for command in commands():
        assert main(command) == 0, command
    assert "6 images, 12 bodies of 2 people\n  out/run/my_bag/bodies.mcap\n" in capsys.readouterr().out
    (snippet,) = (text for language, text in BLOCKS if language == "python")
    exec(compile(snippet, "docs/bags.md", "exec"), {})
    printed = [line.partition(" ") for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 7
    assert all(int(ns) >= BEGAN_NS and "3.0" in bodies for ns, _, bodies in printed[:6])
    assert len((here / "part/bodies.jsonl").read_text().splitlines()) == 3
    assert (here / "both/bodies.jsonl").is_file()


def test_a_part_without_images_is_named(here, capsys):
    assert main(["run", "my_bag", "--start", "20", "--seconds", "3"]) == 1
    assert "my_bag has no image between 20 s and 23 s (--start, --seconds)" in capsys.readouterr().err
    assert main(["run", "my_bag", "--start", "20"]) == 1
    assert "my_bag has no image between 20 s and its end" in capsys.readouterr().err


def test_files_are_those_of_other_inputs(here):
    assert main(["run", "my_bag", "--out", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "bodies.jsonl",
        "bodies.mcap",
        "bodies.npz",
        "overlay.mp4",
    ]


def test_a_used_directory_is_refused_and_another_one_is_taken(here, capsys):
    for expected in ("my_bag", "my_bag-2"):
        assert main(["run", "my_bag", "--save", "json"]) == 0
        assert (here / f"out/run/{expected}/bodies.jsonl").is_file()
    assert main(["run", "my_bag", "--out", "out/run/my_bag"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["run", "my_bag", "--out", "out/run/my_bag", "--overwrite", "--save", "mcap"]) == 0
    assert [path.name for path in (here / "out/run/my_bag").iterdir()] == ["bodies.mcap"]


def test_images_that_cannot_be_read_give_another_status(here, capsys):
    said = scene(3)
    said[4] = type(said[4])(said[4].topic, said[4].log_ns, said[4].data[:1000])
    write_mcap(Path("broken.mcap"), said)
    assert main(["run", "broken.mcap", "--save", "json"]) == 3
    assert "hmr run: /camera/image_raw: image 1 is left out (broken_message)" in capsys.readouterr().err
    assert [json.loads(line)["frame"] for line in Path("out/run/broken/bodies.jsonl").read_text().splitlines()] == [
        0,
        2,
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["photo.jpg", "--merge"], "--merge: of a recording alone, and photo.jpg is none"),
        (["photo.jpg", "--save", "mcap"], "--save mcap: of a recording alone"),
        (["photo.jpg", "--image", "/a", "-p", "a:=1"], "--image and --param: of a recording alone"),
        (["my_bag", "--rate", "5"], "--rate: a recording has the time of each image"),
        (["my_bag", "-p", "maxpeople:=3"], "did you mean 'max_people'"),
        (["my_bag", "--fov", "200"], "between 0 and 180"),
        (["gone.mcap"], "gone.mcap: no such file or directory"),
    ],
)
def test_mistakes_are_named(here, capsys, arguments, words):
    assert main(["run", *arguments]) == 1
    assert words in capsys.readouterr().err


def test_a_missing_library_is_named_with_its_remedy(here, capsys, monkeypatch):
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda name: None)
    assert main(["run", "my_bag"]) == 1
    assert "my_bag: read by the Python module mcap, which is not installed: pip install" in capsys.readouterr().err
