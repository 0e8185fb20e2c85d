# SPDX-License-Identifier: Apache-2.0
"""The error of everything that is read."""

from __future__ import annotations


class SourceError(ValueError):
    """A file or device that cannot be read; the message names it and the remedy."""
