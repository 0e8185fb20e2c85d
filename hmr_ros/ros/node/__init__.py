# SPDX-License-Identifier: Apache-2.0
"""The processes that estimate bodies, and everything that starts, configures, watches and stops them.

node            ``hmr_node``: the lifecycle node; cameras: ``hmr_multi``, one such node for each of several cameras
process         start, spin and end of a process; executors: what spins it; launching: what the launch files share
operation       the active node: inputs, outputs and the worker
worker          the thread that processes images; admission: which images; latency: how much work for each
params          parameters from ``RobotConfig``; services: enable, reset tracks, rebuild engines
diagnostics     what /diagnostics reports; log_bridge: Python logging -> the node's log
"""

from hmr_ros.core.blas import use_one_blas_thread

use_one_blas_thread()  # here, as the modules import numpy
