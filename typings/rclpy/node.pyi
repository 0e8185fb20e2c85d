# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar, overload

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.client import Client
from rclpy.clock import Clock
from rclpy.context import Context
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.service import Service
from rclpy.subscription import MessageInfo, Subscription
from rclpy.timer import Timer
from rclpy.topic_endpoint_info import TopicEndpointInfo

_T = TypeVar("_T")

class Node:
    def __init__(
        self,
        node_name: str,
        *,
        context: Context | None = None,
        cli_args: list[str] | None = None,
        parameter_overrides: list[Parameter[object]] | None = None,
    ) -> None: ...
    def destroy_node(self) -> None: ...

    # Names and the graph
    @property
    def context(self) -> Context: ...
    def get_namespace(self) -> str: ...
    def get_fully_qualified_name(self) -> str: ...
    def get_logger(self) -> RcutilsLogger: ...
    def get_clock(self) -> Clock: ...
    def resolve_topic_name(self, topic: str) -> str: ...
    def count_publishers(self, topic_name: str) -> int: ...
    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]: ...
    def get_publishers_info_by_topic(self, topic_name: str) -> list[TopicEndpointInfo]: ...
    def get_subscriptions_info_by_topic(self, topic_name: str) -> list[TopicEndpointInfo]: ...

    # Topics, services, timers
    @property
    def publishers(self) -> Iterator[Publisher[object]]: ...
    @property
    def subscriptions(self) -> Iterator[Subscription[object]]: ...
    def create_publisher(
        self,
        msg_type: type[_T],
        topic: str,
        qos_profile: QoSProfile | int,
        *,
        event_callbacks: PublisherEventCallbacks | None = None,
    ) -> Publisher[_T]: ...
    @overload
    def create_subscription(
        self,
        msg_type: type[_T],
        topic: str,
        callback: Callable[[_T], None] | Callable[[_T, MessageInfo], None],
        qos_profile: QoSProfile | int,
        *,
        event_callbacks: SubscriptionEventCallbacks | None = None,
        raw: Literal[False] = False,
    ) -> Subscription[_T]: ...
    @overload
    def create_subscription(
        self,
        msg_type: type[_T],
        topic: str,
        callback: Callable[[bytes], None] | Callable[[bytes, MessageInfo], None],
        qos_profile: QoSProfile | int,
        *,
        event_callbacks: SubscriptionEventCallbacks | None = None,
        raw: Literal[True],
    ) -> Subscription[_T]: ...
    def destroy_publisher(self, publisher: Publisher[_T]) -> bool: ...
    def destroy_subscription(self, subscription: Subscription[object]) -> bool: ...
    def create_client(self, srv_type: type, srv_name: str) -> Client[object, object]: ...
    def create_service(self, srv_type: type, srv_name: str, callback: Callable[[_T, _T], _T]) -> Service: ...
    def create_timer(
        self, timer_period_sec: float, callback: Callable[[], None], *, clock: Clock | None = None
    ) -> Timer: ...

    # Parameters
    @overload
    def declare_parameter(self, name: str, *, descriptor: ParameterDescriptor) -> Parameter[object]: ...
    @overload
    def declare_parameter(
        self, name: str, value: _T, descriptor: ParameterDescriptor | None = None, ignore_override: bool = False
    ) -> Parameter[_T]: ...
    def undeclare_parameter(self, name: str) -> None: ...
    def has_parameter(self, name: str) -> bool: ...
    def get_parameter(self, name: str) -> Parameter[object]: ...
    def set_parameters_atomically(self, parameter_list: list[Parameter[object]]) -> SetParametersResult: ...
    def add_pre_set_parameters_callback(
        self, callback: Callable[[list[Parameter[object]]], list[Parameter[object]]]
    ) -> None: ...
    def add_on_set_parameters_callback(
        self, callback: Callable[[list[Parameter[object]]], SetParametersResult]
    ) -> None: ...
    def add_post_set_parameters_callback(self, callback: Callable[[list[Parameter[object]]], None]) -> None: ...
