# SPDX-License-Identifier: Apache-2.0
from typing import Generic, TypedDict, TypeVar, type_check_only

from rclpy.qos import QoSProfile

_MessageT = TypeVar("_MessageT", covariant=True)

@type_check_only  # Jazzy has no name for it, and fewer keys in it than later distributions
class MessageInfo(TypedDict):
    source_timestamp: int
    received_timestamp: int

class Subscription(Generic[_MessageT]):
    qos_profile: QoSProfile
    @property
    def topic_name(self) -> str: ...
