# SPDX-License-Identifier: Apache-2.0
from rclpy.clock_type import ClockType
from rclpy.time import Time

class Clock:
    def __new__(cls, *, clock_type: ClockType = ...) -> Clock: ...
    def now(self) -> Time: ...
