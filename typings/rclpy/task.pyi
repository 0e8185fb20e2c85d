# SPDX-License-Identifier: Apache-2.0
from typing import Generic, TypeVar

_ResultT = TypeVar("_ResultT", covariant=True)

class Future(Generic[_ResultT]):
    def done(self) -> bool: ...
    def result(self) -> _ResultT | None: ...
