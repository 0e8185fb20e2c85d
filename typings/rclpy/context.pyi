# SPDX-License-Identifier: Apache-2.0
from abc import ABCMeta

class Context(metaclass=ABCMeta):
    def ok(self) -> bool: ...
