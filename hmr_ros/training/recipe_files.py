# SPDX-License-Identifier: Apache-2.0
"""Training settings: a TOML file, or one that ships with the package, and what the command line changes of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hmr_ros.core.settings import load_toml, parse_assignment, updated
from hmr_ros.core.share import share_dir
from hmr_ros.training.config import TrainConfig


def find_recipe(config: Path) -> Path:
    """The TOML file that ``config`` means: an existing file, or a shipped one by name.

    Names are as "pose2mesh" or "config/train/pose2mesh.toml". Raises FileNotFoundError with the shipped ones.
    """
    if config.is_file():
        return config
    shipped = {path.stem: path for path in sorted((share_dir() / "config/train").glob("*.toml"))}
    inside = config.parent in (Path(), Path("config/train"))
    if inside and config.suffix in ("", ".toml") and config.stem in shipped:
        return shipped[config.stem]
    raise FileNotFoundError(f"no file {config}; name a TOML file, or one that ships with hmr_ros: {', '.join(shipped)}")


def load_recipe(config: Path, settings: Iterable[str]) -> TrainConfig:
    """The settings that ``config`` means (``find_recipe``), with those of ``--set`` in place of its own."""
    return updated(load_toml(find_recipe(config), TrainConfig), dict(map(parse_assignment, settings)))
