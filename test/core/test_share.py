# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hmr_ros.core import share


def test_a_checkout_and_an_install_space_hold_the_same_directories():
    assert {path.name for path in share.share_dir().iterdir()} >= {"models", "config", "samples"}


def test_an_installed_package_finds_share_under_its_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expected = tmp_path / "share/hmr_ros"
    for directory in (expected / "models", tmp_path / "lib/python3/site-packages/models"):
        directory.mkdir(parents=True)
    (expected / "models/open_body.npz").touch()
    monkeypatch.setattr(share, "__file__", str(tmp_path / "lib/python3/site-packages/hmr_ros/core/share.py"))
    assert share.share_dir() == expected  # not site-packages, whose "models" is another package's


def test_a_package_without_its_files_names_where_they_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(share, "__file__", str(tmp_path / "hmr_ros/core/share.py"))
    with pytest.raises(FileNotFoundError, match=r"no models/open_body.npz beside or above .*install the package again"):
        share.share_dir()
