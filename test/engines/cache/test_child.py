# SPDX-License-Identifier: Apache-2.0
"""What happens in the child stays there: results, errors, crashes, hangs, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hmr_ros.engines.cache.child import build_in_child, probe_in_child
from hmr_ros.engines.runtime import EngineError
from test.engines import fake_builder
from test.engines.fake_builder import diary, request


def ignore(stage: str, fraction: float) -> None:
    """No progress is looked at."""


def test_brings_back_the_engine_and_progress(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    engine = build_in_child(fake_builder.build, request(tmp_path), lambda *step: seen.append(step))
    assert engine.startswith(b"engine for abab")
    assert ("half", 0.5) in seen


def test_a_large_engine_arrives_whole(tmp_path: Path) -> None:
    assert len(build_in_child(fake_builder.build_megabytes, request(tmp_path), ignore)) > 4 << 20


@pytest.mark.parametrize(
    ("build", "hint"),
    [
        (fake_builder.fail, "unsupported operator Foo"),
        (fake_builder.crash, r"net.onnx.*Fake 4090 ended with status -11: .*about to fall"),
        (fake_builder.stumble, "(?s)ended with status 1.*a bug"),
    ],
)
def test_failures_are_told(tmp_path: Path, build: object, hint: str) -> None:
    with pytest.raises(EngineError, match=hint):
        build_in_child(build, request(tmp_path), ignore)  # type: ignore[arg-type]


def test_a_hang_is_ended(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="longer than 1 s"):
        probe_in_child(fake_builder.probe_forever, tmp_path / "x", request(tmp_path), ignore, timeout_s=1.0)


def test_what_progress_raises_ends_the_work(tmp_path: Path) -> None:
    wanted = request(tmp_path)

    def stop(stage: str, fraction: float) -> None:
        if stage == "forever":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        build_in_child(fake_builder.build_forever, wanted, stop)
    assert not is_running(child_of(wanted))


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    script = (
        "import sys; from pathlib import Path; from test.engines import fake_builder as f;"
        "from hmr_ros.engines.cache.child import build_in_child;"
        "build_in_child(f.build_forever, f.request(Path(sys.argv[1])), lambda *a: None)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    wait_until(lambda: bool(diary(wanted)))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_running(child_of(wanted)))


def child_of(wanted: fake_builder.BuildRequest) -> int:
    return int(diary(wanted)[0].removeprefix("pid:"))


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(happened: object, timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.02)


def test_the_environment_of_the_child_finds_this_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the working directory, and nothing in it is imported."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working directory')")
    monkeypatch.chdir(tmp_path)
    assert os.getcwd() == str(tmp_path)
    assert build_in_child(fake_builder.build, request(tmp_path), ignore)
