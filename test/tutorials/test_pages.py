# SPDX-License-Identifier: Apache-2.0
"""What can be checked of the tutorials without running them: commands, arguments, parameters, topics exist."""

import importlib
import importlib.util
import itertools
import re

import pytest
import yaml

from hmr_ros.cli import COMMANDS, module_of, parser_of
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe, updated
from test.tutorials.pages import PAGES, ROOT, blocks

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)

OFFLINE = ("evaluate", "export", "train")
LAUNCHING = (ROOT / "hmr_ros/ros/node/launching.py").read_text()


def commands(page, program):
    return [words for block in blocks(page) for words in block.commands if words[:1] == [program]]


def test_a_page_is_short_and_made_of_known_blocks(page):
    assert len(page.read_text().splitlines()) <= 80
    assert {block.language for block in blocks(page)} <= {"", "sh", "python", "yaml"}
    assert [block for block in blocks(page) if not block.language], "a page shows something that runs"
    assert all(words[0] == "hmr" for block in blocks(page) if not block.language for words in block.commands)


def test_every_command_of_ours_is_one(page):
    for _, verb, *arguments in commands(page, "hmr"):
        assert verb in COMMANDS
        if verb in OFFLINE and importlib.util.find_spec("torch") is None:
            continue
        command = importlib.import_module(module_of(verb))
        parser_of(verb, command).parse_args(arguments)


def test_launch_files_and_their_arguments_exist(page):
    parameters = {setting.name for setting in describe(RobotConfig)}
    for words in commands(page, "ros2"):
        if words[1:3] != ["launch", "hmr_ros"]:
            continue
        text = (ROOT / "launch" / words[3]).read_text() + LAUNCHING
        for name in (word.partition(":=")[0] for word in words[4:]):
            assert f'"{name}"' in text or name in parameters, name


def test_parameters_exist_and_have_values_that_they_may_have(page):
    for block in blocks(page):
        if block.language == "yaml" and "/**" in (raw := yaml.safe_load(block.text)):
            assert updated(RobotConfig(), dict(flat(raw["/**"]["ros__parameters"]))) != RobotConfig()
    for words in commands(page, "hmr"):
        for option, value in itertools.pairwise(words):
            if option == "-p":
                name, _, text = value.partition(":=")
                updated(RobotConfig(), {name: yaml.safe_load(text)})


def flat(values, prefix=""):
    """Nested parameters with dots."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_python_compiles(page):
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, page.name, "exec")


def test_the_site_shows_it(page):
    assert f"tutorials/{page.name}" in (ROOT / "mkdocs.yml").read_text()
    assert re.search(rf"tutorials/{page.name}\)", (ROOT / "README.md").read_text())
