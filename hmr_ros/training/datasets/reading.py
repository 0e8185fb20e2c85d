# SPDX-License-Identifier: Apache-2.0
"""What the readers of data sets share: errors that name the file and what is wrong with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the block raises on a file of another layout into a ValueError that names ``path``."""
    try:
        yield
    except json.JSONDecodeError as err:
        raise ValueError(f"{path}: not a JSON file: {err}") from err
    except KeyError as err:
        raise ValueError(f"{path}: not in the expected layout: it lacks {err}; see docs/datasets.md") from err
    except (AttributeError, IndexError, TypeError) as err:
        raise ValueError(f"{path}: not in the expected layout: {err}; see docs/datasets.md") from err
    except ValueError as err:
        if str(path.parent) in str(err) or path.name in str(err):
            raise
        raise ValueError(f"{path}: {err}; see docs/datasets.md") from err
