# SPDX-License-Identifier: Apache-2.0
"""A copy of the tree to break, and a server that runs tests in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hmr_ros.tools.mutation.sites import Mutant

PASSED, INTERNAL_ERROR, USAGE_ERROR, NO_TESTS = 0, 3, 4, 5  # of pytest
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How a run of tests ended; ``test`` is the first that failed (pytest's node id), or empty."""

    status: int
    test: str = ""

    @property
    def noticed(self) -> bool:
        """Whether a test failed, or did not end in its time."""
        return self.status not in (PASSED, NO_TESTS)


def copy_tree(root: Path, to: Path) -> None:
    """Copy what git knows or would add, and the install space with its links into the tree led to the copy."""
    listed = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)
    if (root / "install").is_dir():
        shutil.copytree(root / "install", to / "install", symlinks=True)
        _lead_links(to / "install", root, to)
    if (root / ".venv").exists():
        (to / ".venv").symlink_to(root / ".venv")


def _lead_links(install: Path, root: Path, to: Path) -> None:
    """What colcon built stays where it is; sources and data are taken from the copy."""
    for link in (p for p in install.rglob("*") if p.is_symlink()):
        target = os.readlink(link)
        if target.startswith(f"{root}/") and not target.startswith(f"{root}/build/"):
            link.unlink()
            link.symlink_to(target.replace(str(root), str(to), 1))


def environment(root: Path, to: Path) -> dict[str, str]:
    """The variables of this process, into which a sourced workspace put its paths, led to the copy."""
    path = re.compile(re.escape(str(root)) + r"(?=[/:]|$)")
    settings = {name: path.sub(str(to), value) for name, value in os.environ.items()}
    return settings | {"OMP_NUM_THREADS": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(to / ".hypothesis")}


LIBRARIES = ("numpy", "pytest", "torch", "onnxruntime", "cv2", "rclpy")
"""What tests spend seconds to import, where they are not forked from a process that has."""


class Workbench:
    """Breaks the copy at ``tree`` and runs tests there. Close it.

    ``seconds``: the most CPU time that one group of tests takes. ``libraries``: modules imported once, for all runs.
    """

    def __init__(
        self, tree: Path, environment: dict[str, str], seconds: float, libraries: Sequence[str] = LIBRARIES
    ) -> None:
        self.tree = tree
        self._seconds = seconds
        self._sound: dict[tuple[str, ...], bool] = {}
        self._broken_times = 0
        server = tree / "hmr_ros" / "tools" / "mutation" / "server.py"
        self._log = tree / "pytest.log"
        self._server = subprocess.Popen(
            [sys.executable, "-P", str(server), *libraries],
            cwd=tree, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def close(self) -> None:
        """End the server."""
        with self._server:  # closes the pipes, at whose end the server ends, and waits for it
            pass

    def source(self, path: str) -> str:
        """The text of a file of the copy."""
        return (self.tree / path).read_text()

    def noticed_by(self, mutant: Mutant, stages: Sequence[Sequence[str]]) -> str:
        """The first test that fails with the mutant and not without it, or empty: a survivor."""
        for files in stages:
            outcome = self._attempt(mutant, files)
            while outcome.test and not self._passes((outcome.test,)):
                outcome = self._attempt(mutant, files)  # without that test, which proves nothing
            if outcome.noticed and self._passes((outcome.test,) if outcome.test else tuple(files)):
                return outcome.test or "time-out"
        return ""

    def _attempt(self, mutant: Mutant, files: Sequence[str]) -> Outcome:
        with self._broken(mutant):
            return self._run(files)

    def _passes(self, tests: tuple[str, ...]) -> bool:
        """Whether tests pass, in time, on the code as it is: asked once."""
        if tests not in self._sound:
            outcome = self._run(tests)
            if outcome.status in (INTERNAL_ERROR, USAGE_ERROR):
                raise RuntimeError(f"pytest cannot run {tests} on the code as it is: {self._log.read_text()[-2000:]}")
            self._sound[tests] = not outcome.noticed
        return self._sound[tests]

    def _run(self, tests: Sequence[str]) -> Outcome:
        unsound = {name[0] for name, sound in self._sound.items() if not sound and len(name) == 1}
        tests = [test for test in tests if test not in unsound]  # files that cannot be imported anyway
        if not tests:
            return Outcome(NO_TESTS)
        options = ["-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
        request = {
            "arguments": [*options, *(f"--deselect={test}" for test in unsound), *tests],
            "seconds": self._seconds,
            "log": str(self._log),
        }
        self._pipe(self._server.stdin).write(json.dumps(request) + "\n")
        self._pipe(self._server.stdin).flush()
        answer = self._pipe(self._server.stdout).readline()
        if not answer:
            raise RuntimeError("the test server ended; its error is above")
        failed = _FAILED.search(self._log.read_text(errors="replace"))
        return Outcome(int(answer), failed[1] if failed and int(answer) > 0 else "")

    @contextmanager
    def _broken(self, mutant: Mutant) -> Iterator[None]:
        """The file with the mutant in it. Every state has a time of its own, so that no cached bytecode serves two."""
        file = self.tree / mutant.path
        whole, times = file.read_text(), file.stat()
        self._broken_times += 1
        file.write_text(mutant.applied(whole))
        os.utime(file, (times.st_atime, times.st_mtime + self._broken_times))
        try:
            yield
        finally:
            file.write_text(whole)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe
