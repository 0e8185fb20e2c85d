# SPDX-License-Identifier: Apache-2.0
from typing import Generic, TypeVar

from rclpy.duration import Duration
from rclpy.qos import QoSProfile

_MessageT = TypeVar("_MessageT", contravariant=True)

class Publisher(Generic[_MessageT]):
    qos_profile: QoSProfile
    @property
    def topic_name(self) -> str: ...
    def publish(self, msg: _MessageT | bytes) -> None: ...
    def get_subscription_count(self) -> int: ...
    def wait_for_all_acked(self, timeout: Duration = ...) -> bool: ...
