# SPDX-License-Identifier: Apache-2.0
"""Quality of service as users want it: ``qos_overrides.<topic>.<publisher|subscription>.<policy>``.

The names and values are those of rclcpp's and rclpy's QoSOverridingOptions, and so are the parameters: fixed once
declared. rclpy's own does not serve here: it knows no topics that come and go with people, whose parameters would pile
up, and no subscription that follows what publishers offer.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

PUBLISHER, SUBSCRIPTION = "publisher", "subscription"

AS_OFFERED = QoSProfile(
    depth=1,  # more would have Fast DDS hold back new messages, up to a second, until a lost one is sent again
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.BEST_AVAILABLE,
    durability=DurabilityPolicy.BEST_AVAILABLE,
)
"""The best of what all publishers of a topic offer."""

_POLICIES: dict[str, tuple[IntEnum, ...]] = {
    "history": (HistoryPolicy.KEEP_LAST, HistoryPolicy.KEEP_ALL),
    "reliability": (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
    "durability": (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL),
}
_BEST_AVAILABLE = (ReliabilityPolicy.BEST_AVAILABLE, DurabilityPolicy.BEST_AVAILABLE)
_DEEPEST = 1000


class ParameterError(ValueError):
    """A parameter given at start that the node cannot run with."""


def overridden(node: Node, topic: str, qos: QoSProfile, entity: str) -> QoSProfile:
    """``qos`` as the parameters of ``node`` change it; ``entity`` is PUBLISHER or SUBSCRIPTION.

    Raises ParameterError for a value that is none.
    """
    prefix = f"qos_overrides.{node.resolve_topic_name(topic)}.{entity}"
    result = copy.copy(qos)
    for policy, choices in _POLICIES.items():
        default = getattr(qos, policy)
        known = {choice.name.lower(): choice for choice in (*choices, *(b for b in _BEST_AVAILABLE if b is default))}
        descriptor = ParameterDescriptor(
            description=f"{policy} of the {entity}", read_only=True, additional_constraints=", ".join(known)
        )
        value = _declared(node, f"{prefix}.{policy}", default.name.lower(), descriptor)
        if value not in known:
            raise ParameterError(f"parameter '{prefix}.{policy}': expected {', '.join(known)}, got {value!r}")
        setattr(result, policy, known[value])
    depth = ParameterDescriptor(description=f"depth of the {entity}", read_only=True)
    depth.integer_range = [IntegerRange(from_value=1, to_value=_DEEPEST)]
    result.depth = _declared(node, f"{prefix}.depth", qos.depth, depth)
    return result


def mismatches(node: Node) -> list[str]:
    """Who cannot hear a publisher of ``node``, or be heard by a subscription of it, and why, in words.

    This asks the graph, as rclpy's events tell neither who it is nor whether it is over.
    """
    return [*_unheard(node), *_unhearing(node)]


def _unheard(node: Node) -> Iterator[str]:
    for publisher in node.publishers:
        for other in node.get_subscriptions_info_by_topic(publisher.topic_name):
            if refused := _refused(publisher.qos_profile, other.qos_profile):
                yield _told(publisher.topic_name, PUBLISHER, f"{other.node_name} asks for {refused}, which it is not")


def _unhearing(node: Node) -> Iterator[str]:
    for subscription in node.subscriptions:
        for other in node.get_publishers_info_by_topic(subscription.topic_name):
            if refused := _refused(other.qos_profile, subscription.qos_profile):
                topic = subscription.topic_name
                yield _told(topic, SUBSCRIPTION, f"{other.node_name} does not offer {refused}, which is asked for")


def _refused(offered: QoSProfile, asked: QoSProfile) -> str:
    """What is asked for and not offered. rclpy's own check takes an unset deadline for a short one."""
    refused = []
    if asked.reliability is ReliabilityPolicy.RELIABLE and offered.reliability is ReliabilityPolicy.BEST_EFFORT:
        refused.append("reliable")
    if asked.durability is DurabilityPolicy.TRANSIENT_LOCAL and offered.durability is DurabilityPolicy.VOLATILE:
        refused.append("transient_local")
    return " and ".join(refused)


def _told(topic: str, entity: str, what: str) -> str:
    return f"{topic}: {what}; see qos_overrides.{topic}.{entity}"


def _declared(node: Node, name: str, default: str | int, descriptor: ParameterDescriptor) -> Any:
    """The value of a parameter, declared if it is not yet: a node that is activated again keeps it."""
    if node.has_parameter(name):
        return node.get_parameter(name).value
    try:
        return node.declare_parameter(name, default, descriptor).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as err:
        allowed = descriptor.additional_constraints or f"an integer, 1 to {_DEEPEST}"
        raise ParameterError(f"parameter {name!r}: expected {allowed} (default {default!r})") from err
