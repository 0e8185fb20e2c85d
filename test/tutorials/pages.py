# SPDX-License-Identifier: Apache-2.0
"""The tutorials as they are copied and pasted: blocks of commands, Python and YAML.

Blocks without a language are run by tests; `sh` are commands that install something, or need what a test lacks.
"""

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/tutorials").glob("*.md"))

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def commands(self):
        """The words of each line that is a command."""
        return [shlex.split(line, comments=True) for line in self.text.splitlines() if line.strip()]


def blocks(page):
    """All blocks of a page, in their order."""
    return [Block(language, textwrap.dedent(text)) for _, language, text in _BLOCK.findall(page.read_text())]
