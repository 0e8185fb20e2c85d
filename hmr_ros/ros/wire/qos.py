# SPDX-License-Identifier: Apache-2.0
"""QoS that users set: parameters ``qos_overrides.<topic>.<publisher|subscription>.<policy>``; and QoS mismatches.

Names and values are those of QoSOverridingOptions in rclcpp and rclpy; the parameters are read-only. rclpy's own class
cannot be used: it declares parameters for each topic, which would pile up with topics that come and go with people, and
its subscriptions cannot follow the QoS that publishers offer.
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
    depth=1,  # with more, Fast DDS holds new messages back for up to a second until a lost one is resent
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.BEST_AVAILABLE,
    durability=DurabilityPolicy.BEST_AVAILABLE,
)
"""QoS of a subscription that requests the best that all publishers of its topic offer."""

_POLICIES: dict[str, tuple[IntEnum, ...]] = {
    "history": (HistoryPolicy.KEEP_LAST, HistoryPolicy.KEEP_ALL),
    "reliability": (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
    "durability": (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL),
}
_BEST_AVAILABLE = (ReliabilityPolicy.BEST_AVAILABLE, DurabilityPolicy.BEST_AVAILABLE)
_MAX_DEPTH = 1000


class ParameterError(ValueError):
    """An invalid parameter given at start; the message names it and the allowed values."""


def overridden(node: Node, topic: str, qos: QoSProfile, entity: str) -> QoSProfile:
    """``qos`` with the ``qos_overrides`` of ``node`` applied; ``entity`` is PUBLISHER or SUBSCRIPTION.

    Raises ParameterError for an invalid value.
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
    depth.integer_range = [IntegerRange(from_value=1, to_value=_MAX_DEPTH)]
    result.depth = _declared(node, f"{prefix}.depth", qos.depth, depth)
    return result


def mismatches(node: Node) -> list[str]:
    """All connections of ``node`` with incompatible QoS, in words: topic, other node and policy.

    Read from the graph, as rclpy's events name neither the other node nor the end of a mismatch.
    """
    return [*_mismatched_subscribers(node), *_mismatched_publishers(node)]


def _mismatched_subscribers(node: Node) -> Iterator[str]:
    """Subscribers that receive nothing from a publisher of ``node``."""
    for publisher in node.publishers:
        for other in node.get_subscriptions_info_by_topic(publisher.topic_name):
            if refused := _refused(publisher.qos_profile, other.qos_profile):
                yield _described(
                    publisher.topic_name, PUBLISHER, f"{other.node_name} requests {refused}, which is not offered"
                )


def _mismatched_publishers(node: Node) -> Iterator[str]:
    """Publishers that a subscription of ``node`` receives nothing from."""
    for subscription in node.subscriptions:
        for other in node.get_publishers_info_by_topic(subscription.topic_name):
            if refused := _refused(other.qos_profile, subscription.qos_profile):
                topic = subscription.topic_name
                yield _described(topic, SUBSCRIPTION, f"{other.node_name} does not offer {refused}, which is requested")


def _refused(offered: QoSProfile, requested: QoSProfile) -> str:
    """The policies that are requested and not offered. rclpy's own check takes an unset deadline for a short one."""
    refused = []
    if requested.reliability is ReliabilityPolicy.RELIABLE and offered.reliability is ReliabilityPolicy.BEST_EFFORT:
        refused.append("reliable")
    if requested.durability is DurabilityPolicy.TRANSIENT_LOCAL and offered.durability is DurabilityPolicy.VOLATILE:
        refused.append("transient_local")
    return " and ".join(refused)


def _described(topic: str, entity: str, what: str) -> str:
    return f"{topic}: {what}; see qos_overrides.{topic}.{entity}"


def _declared(node: Node, name: str, default: str | int, descriptor: ParameterDescriptor) -> Any:
    """The value of the parameter ``name``, declared unless an earlier activation did. Raises ParameterError."""
    if node.has_parameter(name):
        return node.get_parameter(name).value
    try:
        return node.declare_parameter(name, default, descriptor).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as err:
        allowed = descriptor.additional_constraints or f"an integer, 1 to {_MAX_DEPTH}"
        raise ParameterError(f"parameter {name!r}: expected {allowed} (default {default!r})") from err
