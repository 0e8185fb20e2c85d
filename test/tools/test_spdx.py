# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hmr_ros.tools import spdx


def test_every_source_file_names_its_licence(capsys: pytest.CaptureFixture[str]):
    assert spdx.main([]) == 0, capsys.readouterr().err


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three bare files."""
    monkeypatch.setattr(spdx, "ROOT", tmp_path)
    monkeypatch.setattr(spdx, "SINGLE_FILES", ("run",))
    (tmp_path / "run").write_text("#!/bin/sh\nexec make\n")
    (tmp_path / "launch").mkdir()
    (tmp_path / "launch/hmr.launch.py").write_text('"""Launch."""\n')
    (tmp_path / "launch/empty.py").write_text("")
    return tmp_path


def test_files_without_it_are_named(tree: Path, capsys: pytest.CaptureFixture[str]):
    assert spdx.main([]) == 1
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "run",
        "launch/empty.py",
        "launch/hmr.launch.py",
    ]


def test_write_adds_it_once_and_behind_a_shebang(tree: Path):
    assert [spdx.main(["--write"]), spdx.main(["--write"]), spdx.main([])] == [0, 0, 0]
    assert (tree / "run").read_text() == f"#!/bin/sh\n{spdx.LINE}\nexec make\n"
    assert (tree / "launch/hmr.launch.py").read_text() == f'{spdx.LINE}\n"""Launch."""\n'
    assert (tree / "launch/empty.py").read_text() == f"{spdx.LINE}\n"
