# SPDX-License-Identifier: Apache-2.0
"""The node, which records its tracepoints into the file of its first argument. For `hmr bench ros`."""

from __future__ import annotations

import sys

from hmr_ros.bench.recording import record_into_first_argument
from hmr_ros.ros.node import node

if __name__ == "__main__":
    record_into_first_argument()
    sys.exit(node.main())
