# SPDX-License-Identifier: Apache-2.0
"""Where the files that travel with the package lie: models, config and samples."""

from __future__ import annotations

from pathlib import Path


def share_dir() -> Path:
    """The directory that holds ``models``, ``config`` and ``samples``.

    It is the checkout, or <prefix>/share/hmr_ros where colcon or pip installed the package. Raises FileNotFoundError
    where there is neither.
    """
    here = Path(__file__)
    for directory in (here.parents[2], *(parent / "share/hmr_ros" for parent in here.parents)):
        if (directory / "models/open_body.npz").is_file():  # a bare "models" beside site-packages may be someone else's
            return directory
    raise FileNotFoundError(f"no models/open_body.npz beside or above {here}; install the package again")
