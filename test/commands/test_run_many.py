# SPDX-License-Identifier: Apache-2.0
"""`hmr run` over many inputs, as its users start it; with networks that are none."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("mcap")

from hmr_ros.cli import main
from hmr_ros.commands import run as run_module
from hmr_ros.running.many.workers import Workers
from test.media.files import write_clip
from test.running.many import stubs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with inputs in ``in``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "assemble", stubs.assemble)
    stubs.write_inputs(tmp_path / "in")
    return tmp_path


@pytest.fixture
def in_this_process(monkeypatch):
    """Executors in place of workers; the numbers that were asked for."""
    asked = []

    def workers(count, opened):
        asked.append(count)
        return stubs.Here(opened, count)

    monkeypatch.setattr(run_module, "Workers", workers)
    return asked


def run(*arguments):
    return main(["run", *map(str, arguments)])


PAGE = (ROOT / "docs/many.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def results(directory):
    return {path.name.rpartition("-")[0]: path for path in directory.iterdir() if path.is_dir() and path.name[0] != "."}


def test_several_inputs_are_many(here, capsys, in_this_process):
    assert run("in/clip.avi", "in/photos", "--fov", "60") == 0
    assert in_this_process == [1]
    assert results(here / "out/many").keys() == {"clip", "photos"}
    printed = capsys.readouterr().out
    assert "inputs: 2 done\nimages: 7\n" in printed
    assert "out/many/report.html" in printed


def test_a_directory_with_workers_is_searched(here, in_this_process):
    assert run("in", "--workers", 3, "--fov", "60", "--save", "json,mcap", "--out", "results") == 0
    assert in_this_process == [3]
    files = {name: {file.name for file in path.iterdir()} for name, path in results(here / "results").items()}
    assert files == {
        "bag": {"bodies.jsonl", "bodies.mcap", "run.json"},
        "clip": {"bodies.jsonl", "run.json"},
        "photos": {"bodies.jsonl", "run.json"},
    }
    assumed = json.loads((results(here / "results")["clip"] / "run.json").read_text())
    assert assumed["problems"] == []


@pytest.mark.usefixtures("in_this_process")
def test_the_exit_status_says_what_is_missing(here, capsys):
    (here / "in/bad.mp4").write_text("text")
    assert run("in", "--workers", 1, "--retries", 0, "--save", "json") == 3
    assert "bad.mp4 failed: " in capsys.readouterr().err
    assert run("in/bad.mp4", "--workers", 1, "--out", "other") == 1


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in", "in", "--overwrite"], "--overwrite: of one input"),
        (["in", "--workers", "2", "--resume"], "--resume: of one input"),
        (["in", "--workers", "1", "--retries", "-1"], "--retries: expected 0 or more"),
        (["in", "--retries", "3"], "--retries and --chunk: of many inputs"),
        (["in", "--chunk", "60"], "--retries and --chunk: of many inputs"),
        (["in", "--workers", "1", "--chunk", "5", "--save", "json"], "--chunk: expected more than 5 s"),
        (["in", "--workers", "1", "--chunk", "60"], "--chunk: only --save json"),
        (["in", "--workers", "1", "--chunk", "60", "--save", "json", "--every", "2"], "--chunk: takes every image"),
        (["in", "--workers", "1", "--detections", "d.jsonl"], "--detections and --keep-ids: of one input"),
        (["in", "--workers", "1", "--rate", "5"], "--rate: of one video"),
        (["in", "--workers", "1", "--fov", "200"], "between 0 and 180"),
        (["in", "--workers", "1", "-p", "maxpeople:=3"], "did you mean 'max_people'"),
        (["in/clip.avi", "0"], "0: no such file or directory; of many inputs none is a webcam"),
    ],
)
def test_mistakes_are_named_before_any_work(here, capsys, arguments, words):
    assert run(*arguments) == 1
    assert words in capsys.readouterr().err
    assert not (here / "out/many").exists()


@pytest.mark.usefixtures("in_this_process")
def test_the_page_does_what_it_shows(here, capsys):
    pytest.importorskip("pyarrow")
    (here / "in").rename("recordings")
    (here / "clips").mkdir()
    write_clip(here / "clips/more.mp4")
    lines = [line.partition("#")[0] for language, text in BLOCKS if not language for line in text.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("hmr run")]
    assert len(commands) == 3
    for command in commands:
        assert main(command) == 0, command
    assert results(here / "results").keys() == {"bag", "clip", "photos"}
    assert results(here / "other").keys() == {"bag", "more"}
    capsys.readouterr()
    (snippet,) = (text for language, text in BLOCKS if language == "python")
    exec(compile(snippet, "docs/many.md", "exec"), {})
    assert "'images_sum': 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "0"], "--workers: expected 1 or more, got 0"),
        (["--workers", "1", "--cpus-per-task", "2"], "--cpus-per-task: of --ray"),
        (["--ray", "local", "--cpus-per-task", "0"], "--cpus-per-task: expected 1 or more, got 0"),
    ],
)
def test_numbers_of_processes_that_cannot_be_are_named(here, capsys, arguments, words):
    assert run("in", *arguments) == 1
    assert words in capsys.readouterr().err
    assert results(here / "out/many") == {}


def test_ray_that_is_missing_is_named_with_its_remedy(here, capsys, monkeypatch):
    monkeypatch.setattr("hmr_ros.running.many.cluster.importlib.util.find_spec", lambda name: None)
    assert run("in", "--ray", "local") == 1
    assert "--ray: needs the Python module ray: pip install" in capsys.readouterr().err


def started(*arguments):
    """`hmr run` with slow networks as a process of its own group, like that of a terminal."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, ROOT / "test/running/many/stubs.py", *arguments]
    return subprocess.Popen(
        list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_call_that_was_ended_leaves_nothing_half_written_and_goes_on(here, number, status):
    for k in range(5):
        write_clip(here / f"in/long{k}.avi", frames=30 + k)
    arguments = ["in", "--workers", 2, "--save", "json,npz", "--fov", 60, "--out", "results"]
    with started(*arguments) as process:
        deadline = time.monotonic() + 120
        while len(list(here.glob("results/*/run.json"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    done = {path: path.stat().st_mtime_ns for path in here.glob("results/*/run.json")}
    assert 3 <= len(done) < 8
    for path in results(here / "results").values():
        assert {file.name for file in path.iterdir()} == {"bodies.jsonl", "bodies.npz", "run.json"}
    assert run(*arguments) == 0
    assert len(results(here / "results")) == 8
    assert not (here / "results/.partial").exists()
    assert {path: path.stat().st_mtime_ns for path in done} == done
    for k in range(5):
        lines = (results(here / "results")[f"long{k}"] / "bodies.jsonl").read_text().splitlines()
        assert len(lines) == 30 + k


@pytest.mark.slow
def test_workers_are_processes(here):
    assert run_module.Workers is Workers
    assert run("in", "--workers", 2, "--save", "json", "--fov", 60) == 0
    assert results(here / "out/many").keys() == {"bag", "clip", "photos"}
