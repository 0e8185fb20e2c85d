# SPDX-License-Identifier: Apache-2.0
"""The node's own services; those of its lifecycle and parameters are rclpy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger


class RefusedError(RuntimeError):
    """A request that cannot be met now; its message is the reason."""


class Controls(Protocol):
    """The actions of the services. Each returns a message for the caller, or raises RefusedError."""

    def set_enabled(self, enabled: bool) -> str:
        """Process images, or stop and end all tracks; an inactive node does so once it is active."""

    def reset_tracks(self) -> str:
        """End all tracks: people in the next images get new ids."""

    def rebuild_engine(self) -> str:
        """Build the TensorRT engines of this machine again; networks run on the CPU meanwhile."""


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
    """Success and message of a service response."""
    try:
        return True, action()
    except RefusedError as err:
        return False, str(err)
