# SPDX-License-Identifier: Apache-2.0
"""Hooks of mkdocs: the pages of the documentation site that other files hold, and links that work there, too.

README, CONTRIBUTING and models/README.md become pages; so do the messages and, package by package, the docstrings.
Links between files of the repository become links between pages; those to files without a page become plain text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "models/README.md": "models.md",
    "SECURITY.md": "security.md",
}
"""File of the repository -> page, for those outside of docs/."""

API = ("core", "engines", "perception", "ros", "networks", "training", "evaluation", "export", "conversion")
"""Packages with reference pages, in the order of the navigation."""

_BODY_ALONE = "    options:\n      show_root_heading: false\n      show_root_toc_entry: false\n"
"""For what has its heading already."""

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference pages to the navigation."""
    assert config.nav is not None, "mkdocs.yml has a nav"
    config.nav.insert(-1, {"API": ["api/index.md", *(_section(part) for part in API)]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every page that is made here."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=with_site_links((ROOT / source).read_text(), source, page)))
    files.append(File.generated(config, "messages.md", content=messages_page()))
    files.append(File.generated(config, "api/index.md", content=api_overview()))
    for part in API:
        for package in _packages(part):
            files.append(File.generated(config, _page(package), content=reference(package)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Translate the links of the guides in docs/."""
    if page.file.generated_by:
        return markdown
    return with_site_links(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def with_site_links(markdown: str, source: str, page: str) -> str:
    """``markdown`` of the repository's file ``source``, with links as they have to be on ``page``."""

    def translate(match: re.Match[str]) -> str:
        image, text, path, anchor = match.groups(default="")
        target = site_page(os.path.normpath(PurePosixPath(source).parent / path))
        if target is None:
            return text
        return f"{image}[{text}]({os.path.relpath(target, PurePosixPath(page).parent)}{anchor})"

    return _LINK.sub(translate, markdown)


def site_page(path: str) -> str | None:
    """The page, or image, that shows a file of the repository; None where none does."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.startswith("msg/"):
        return f"messages.md#{Path(path).stem.lower()}"
    return _reference_page(path)


def messages_page() -> str:
    """The messages as they are defined, comments included."""
    messages = sorted((ROOT / "msg").glob("*.msg"))
    return "# Messages\n\n" + "\n".join(f"## {m.stem}\n\n```\n{m.read_text().strip()}\n```\n" for m in messages)


def api_overview() -> str:
    """What `import hmr_ros` offers."""
    return f"# Python API\n\n::: hmr_ros\n{_BODY_ALONE}"


def reference(package: str) -> str:
    """The docstrings of a package, then of each module in it."""
    modules = sorted((ROOT / package.replace(".", "/")).glob("[!_]*.py"))
    parts = [f"# {package}", f"::: {package}\n{_BODY_ALONE}", *(f"::: {package}.{module.stem}\n" for module in modules)]
    return "\n\n".join(parts)


def _section(part: str) -> dict[str, list[str | dict[str, str]]]:
    """The navigation of one part: its package, whose page opens with the section, then the packages inside."""
    first, *others = _packages(part)
    prefix = f"hmr_ros.{part}."
    return {part: [_page(first), *({package.removeprefix(prefix): _page(package)} for package in others)]}


def _packages(part: str) -> Iterator[str]:
    """The dotted name of a package, and of each package inside."""
    for directory in sorted(initial.parent for initial in (ROOT / "hmr_ros" / part).rglob("__init__.py")):
        yield ".".join(directory.relative_to(ROOT).parts)


def _page(package: str) -> str:
    """The reference page of a package, such as hmr_ros.core.geometry."""
    path = package.removeprefix("hmr_ros.").replace(".", "/")
    return f"api/{path}.md" if "/" in path else f"api/{path}/index.md"


def _reference_page(path: str) -> str | None:
    """Where the docstrings of a Python file stand; None where they have no page."""
    file = PurePosixPath(path)
    if file.suffix != ".py" or file.parts[0] != "hmr_ros" or file.parts[1] not in API:
        return None
    return f"{_page('.'.join(file.parent.parts))}#{'.'.join(file.with_suffix('').parts)}"
