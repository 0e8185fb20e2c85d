# SPDX-License-Identifier: Apache-2.0
"""Who publishes a topic, as the graph of ROS tells."""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.topic_endpoint_info import TopicEndpointInfo

_UNKNOWN = "_NODE_NAME_UNKNOWN_"
"""What rmw calls a node that the graph has not told of yet, or not any more."""


def several(topic: str, publishers: Iterable[TopicEndpointInfo]) -> str:
    """That ``topic`` has several ``publishers``, with the names of their nodes; "" where it has one or none."""
    names = sorted(map(_full_name, publishers))
    return f"{topic} has {len(names)} publishers ({', '.join(names)})" if len(names) > 1 else ""


def _full_name(publisher: TopicEndpointInfo) -> str:
    if publisher.node_name == _UNKNOWN:
        return "unknown"
    return f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
