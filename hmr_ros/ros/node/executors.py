# SPDX-License-Identifier: Apache-2.0
"""The executor that spins the nodes: rclpy's EventsExecutor where it has one, else the single-threaded one.

The single-threaded executor assembles its wait set again for every wake-up, and wakes up again after every callback.
The middleware tells the EventsExecutor what has happened. Jazzy's (rclpy 7.1.6) fails with callbacks that take a
message's info beside the message (SystemError): none of the nodes' may.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rclpy.executors import Executor, SingleThreadedExecutor

from hmr_ros.ros.wire.qos import ParameterError

VARIABLE = "HMR_EXECUTOR"
EVENTS, SINGLE_THREADED = "events", "single_threaded"


def make_executor(environment: Mapping[str, str] = os.environ) -> Executor:
    """The executor that HMR_EXECUTOR names in ``environment``, else the EventsExecutor where there is one.

    Raises ParameterError for a name of none.
    """
    wanted = environment.get(VARIABLE, "")
    if wanted not in ("", EVENTS, SINGLE_THREADED):
        raise ParameterError(f"{VARIABLE}: expected {EVENTS} or {SINGLE_THREADED}, got {wanted!r}")
    if wanted == SINGLE_THREADED:
        return SingleThreadedExecutor()
    try:
        from rclpy.experimental.events_executor import EventsExecutor
    except ImportError as err:
        if wanted:
            raise ParameterError(f"{VARIABLE}: rclpy has no EventsExecutor here ({err}): unset it") from err
        return SingleThreadedExecutor()
    return EventsExecutor()
