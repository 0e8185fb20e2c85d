# SPDX-License-Identifier: Apache-2.0
"""The node's services, beside those of its lifecycle and parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger


class RefusedError(RuntimeError):
    """A request that cannot be met now; the message says why."""


class Controls(Protocol):
    """What the services do. Each says in words what came of it, or raises RefusedError."""

    def set_enabled(self, enabled: bool) -> str:
        """Process images, or stop and end all tracks; a node that is not active takes note."""

    def reset_tracks(self) -> str:
        """Forget everybody: who is there gets a new id."""

    def rebuild_engine(self) -> str:
        """Build this machine's engines again, while the CPU answers."""


def offer_services(node: Node, controls: Controls) -> None:
    """Offer ``~/set_enabled``, ``~/reset_tracks`` and ``~/rebuild_engine`` for as long as ``node`` lives."""

    def set_enabled(request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = _outcome(lambda: controls.set_enabled(request.data))
        return response

    def triggered(action: Callable[[], str]) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def trigger(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            response.success, response.message = _outcome(action)
            return response

        return trigger

    node.create_service(SetBool, "~/set_enabled", set_enabled)
    node.create_service(Trigger, "~/reset_tracks", triggered(controls.reset_tracks))
    node.create_service(Trigger, "~/rebuild_engine", triggered(controls.rebuild_engine))


def _outcome(action: Callable[[], str]) -> tuple[bool, str]:
    """Whether it could be done, and what to say of it."""
    try:
        return True, action()
    except RefusedError as err:
        return False, str(err)
