# SPDX-License-Identifier: Apache-2.0
from typing import TypeVar

_MessageT = TypeVar("_MessageT")

def serialize_message(message: object) -> bytes: ...
def deserialize_message(serialized_message: bytes, message_type: type[_MessageT]) -> _MessageT: ...
