# SPDX-License-Identifier: Apache-2.0
"""Python logging of the package in the node's log: with which severity, from which on, and for how long."""

import logging

import pytest

from hmr_ros.ros.node.log_bridge import logged_by

LOG = logging.getLogger("hmr_ros.perception.methods")
PACKAGE = logging.getLogger("hmr_ros")


class Logger:
    def __init__(self):
        self.lines = []

    def __getattr__(self, severity):
        return lambda text: self.lines.append((severity, text))


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (logging.CRITICAL, "error"),
        (logging.ERROR, "error"),
        (logging.ERROR - 1, "warning"),
        (logging.WARNING, "warning"),
        (logging.WARNING - 1, "info"),
        (logging.INFO, "info"),
        (logging.INFO - 1, None),
        (logging.DEBUG, None),
    ],
)
def test_severities_stay_and_details_are_left_out(level, severity):
    logger = Logger()
    with logged_by(logger):
        LOG.log(level, "%s is missing", "a model")
    assert logger.lines == ([] if severity is None else [(severity, "a model is missing")])


def test_after_the_block_all_is_as_before():
    before, logger = (list(PACKAGE.handlers), PACKAGE.level), Logger()
    with pytest.raises(KeyError), logged_by(logger):
        raise KeyError
    assert (PACKAGE.handlers, PACKAGE.level) == before
    LOG.warning("too late")
    assert logger.lines == []


def test_inside_another_block_nothing_is_logged_twice():
    outer, inner = Logger(), Logger()
    with logged_by(outer):
        with logged_by(inner):
            LOG.warning("once")
        LOG.warning("again")
    assert outer.lines == [("warning", "once"), ("warning", "again")]
    assert inner.lines == []
