# SPDX-License-Identifier: Apache-2.0
from enum import IntEnum

class HistoryPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    KEEP_LAST = 1
    KEEP_ALL = 2
    UNKNOWN = 3

class ReliabilityPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    RELIABLE = 1
    BEST_EFFORT = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4

class DurabilityPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    TRANSIENT_LOCAL = 1
    VOLATILE = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4

class QoSProfile:
    depth: int
    history: HistoryPolicy
    reliability: ReliabilityPolicy
    durability: DurabilityPolicy
    def __init__(
        self,
        *,
        depth: int = ...,
        history: HistoryPolicy = ...,
        reliability: ReliabilityPolicy = ...,
        durability: DurabilityPolicy = ...,
    ) -> None: ...
