# SPDX-License-Identifier: Apache-2.0
"""`hmr` itself; what the commands do is tested with their modules."""

import argparse
import importlib
import json
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

from hmr_ros import __version__, cli, commands
from hmr_ros.core.manifest import models_dir


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["--help"])
    assert exit_info.value.code == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed and line in listed for name, line in cli.COMMANDS.items())


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


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("evaluate-phots", "no command 'evaluate-phots'; did you mean evaluate-photos?\n"),
        ("xyz", "no command 'xyz'; `hmr --help` lists them\n"),
    ],
)
def test_an_unknown_command_is_named_with_the_nearest(name: str, told: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_info:
        cli.main([name])
    assert exit_info.value.code == 2
    assert told in capsys.readouterr().err


def test_a_python_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(cli.sys, "version_info", (3, 10, 12))
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["doctor"])
    assert exit_info.value.code == 2
    assert re.search(r"Python 3\.11 or newer.*Humble.*use Jazzy or later", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("torch", "which is not installed; see `hmr doctor`"),
        ("hmr_ros.msg", "which this package lacks as it was built: build it again"),
    ],
)
def test_a_missing_module_is_named_with_the_remedy(
    module: str, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def without(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["train"])
    assert exit_info.value.code == 2
    assert f"`hmr train` needs the Python module {module!r}, {remedy}" in capsys.readouterr().err


def test_arguments_reach_the_command_and_its_status_comes_back(monkeypatch: pytest.MonkeyPatch):
    class Echo:
        """A command."""

        EXAMPLES = ()

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


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_examples_in_the_help_are_command_lines_that_parse(name: str, capsys: pytest.CaptureFixture[str]):
    command = importlib.import_module(cli.module_of(name))
    assert command.EXAMPLES
    for example in command.EXAMPLES:
        program, called, *arguments = shlex.split(example)
        assert (program, called) == ("hmr", name)
        cli.parser_of(name, command).parse_args(arguments)
    cli.parser_of(name, command).print_help()
    assert all(f"\n  {example}\n" in capsys.readouterr().out for example in command.EXAMPLES[:1])


@pytest.mark.parametrize("manifest", sorted(models_dir().glob("*.json")), ids=lambda path: path.stem)
def test_shipped_networks_name_the_commands_that_made_them(manifest: Path):
    """As they are called now: whoever wants to make the network again types them."""
    program, called, *options = shlex.split(json.loads(manifest.read_text())["provenance"]["command"])
    assert program == "hmr"
    parser = cli.parser_of(called, importlib.import_module(cli.module_of(called)))
    assert set(options) <= parser._option_string_actions.keys()


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_help_of_a_command_begins_with_its_name(name: str):
    command = importlib.import_module(cli.module_of(name))
    assert str(command.__doc__).startswith(f"`hmr {name}`: ")


def test_every_module_of_commands_is_in_the_table():
    found = {info.name for info in pkgutil.iter_modules(commands.__path__)}
    assert found == {cli.module_of(name).rpartition(".")[2] for name in cli.COMMANDS}


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, RuntimeError, FloatingPointError])
def test_errors_are_printed_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[Exception]
):
    class Failing:
        """A command."""

        EXAMPLES = ()

        @staticmethod
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            pass

        @staticmethod
        def run(args: argparse.Namespace) -> int:
            raise kind("no.mp4: no such file; give a video")

    monkeypatch.setattr(importlib, "import_module", lambda name: Failing)
    assert cli.main(["demo"]) == 1
    assert "hmr demo: no.mp4: no such file; give a video\n" in capsys.readouterr().err
    monkeypatch.setenv(cli.DEBUG, "1")
    with pytest.raises(kind, match="no such file"):
        cli.main(["demo"])
