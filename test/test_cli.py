# SPDX-License-Identifier: Apache-2.0
"""`hmr` itself; what the commands do is tested with their modules."""

import argparse
import importlib

import pytest

from hmr_ros import __version__, cli


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["--help"])
    assert exit_info.value.code == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed and line in listed for name, (_, line) in cli.COMMANDS.items())


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"hmr_ros {__version__}\n"


@pytest.mark.parametrize("argv", [[], ["dance"], ["--fast"]])
def test_wrong_usage_ends_with_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_info:
        cli.main(argv)
    assert exit_info.value.code == 2
    assert "hmr: error:" in capsys.readouterr().err


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def without_torch(name: str) -> object:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", without_torch)
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["train"])
    assert exit_info.value.code == 2
    assert "`hmr train` needs the Python module 'torch'" in capsys.readouterr().err


def test_arguments_reach_the_command_and_its_status_comes_back(monkeypatch: pytest.MonkeyPatch):
    class Echo:
        """A command."""

        @staticmethod
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            parser.add_argument("--status", type=int)

        @staticmethod
        def run(args: argparse.Namespace) -> int:
            return args.status

    monkeypatch.setattr(importlib, "import_module", lambda name: Echo)
    assert cli.main(["bench", "--status", "7"]) == 7


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_info:
        cli.main([name, "--help"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: hmr {name}")


def test_errors_are_told_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    class Failing:
        """A command."""

        @staticmethod
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            pass

        @staticmethod
        def run(args: argparse.Namespace) -> int:
            raise ValueError("no.mp4: no such file; give a video")

    monkeypatch.setattr(importlib, "import_module", lambda name: Failing)
    assert cli.main(["demo"]) == 1
    assert "hmr demo: no.mp4: no such file; give a video\n" in capsys.readouterr().err
    monkeypatch.setenv(cli.DEBUG, "1")
    with pytest.raises(ValueError, match="no such file"):
        cli.main(["demo"])
