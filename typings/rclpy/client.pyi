# SPDX-License-Identifier: Apache-2.0
from typing import Generic, TypeVar

from rclpy.task import Future

_RequestT = TypeVar("_RequestT", contravariant=True)
_ResponseT = TypeVar("_ResponseT", covariant=True)

class Client(Generic[_RequestT, _ResponseT]):
    def call_async(self, request: _RequestT) -> Future[_ResponseT]: ...
