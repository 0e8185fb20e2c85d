# SPDX-License-Identifier: Apache-2.0
from enum import IntEnum
from typing import Generic, TypeVar

from rcl_interfaces.msg import Parameter as ParameterMessage

_ValueT = TypeVar("_ValueT", covariant=True)

class Parameter(Generic[_ValueT]):
    class Type(IntEnum):
        NOT_SET = 0
        BOOL = 1
        INTEGER = 2
        DOUBLE = 3
        STRING = 4
        BYTE_ARRAY = 5
        BOOL_ARRAY = 6
        INTEGER_ARRAY = 7
        DOUBLE_ARRAY = 8
        STRING_ARRAY = 9

    def __init__(self, name: str, type_: Type | None = None, value: _ValueT = ...) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def type_(self) -> Type: ...
    @property
    def value(self) -> _ValueT: ...
    def to_parameter_msg(self) -> ParameterMessage: ...
