# SPDX-License-Identifier: Apache-2.0
"""Python logging of the packages without ROS -> the node's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.impl.rcutils_logger import RcutilsLogger

_PACKAGE = logging.getLogger("hmr_ros")


class _RosHandler(logging.Handler):
    """Passes log records to a node's logger, without prefix: their texts name their subject."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        # Three calls, as rclpy forbids one line of code to log with different severities.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


@contextmanager
def logged_by(logger: RcutilsLogger) -> Iterator[None]:
    """Within the block, log records of this package from INFO on go to ``logger``, or to that of an enclosing block."""
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
