# SPDX-License-Identifier: Apache-2.0
"""What the parts without ROS log, in the node's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.impl.rcutils_logger import RcutilsLogger

_PACKAGE = logging.getLogger("hmr_ros")


class _RosHandler(logging.Handler):
    """Hands records to a node's logger; their texts tell already what they are about."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        # One line for each, as rclpy lets no line change its severity.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


@contextmanager
def logged_by(logger: RcutilsLogger) -> Iterator[None]:
    """Within the block, what this package logs from INFO on goes to ``logger``, or to that of a block around it."""
    if any(isinstance(handler, _RosHandler) for handler in _PACKAGE.handlers):
        yield
        return
    handler, level = _RosHandler(logger), _PACKAGE.level
    _PACKAGE.addHandler(handler)
    _PACKAGE.setLevel(logging.INFO)
    try:
        yield
    finally:
        _PACKAGE.removeHandler(handler)
        _PACKAGE.setLevel(level)
