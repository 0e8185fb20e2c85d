# SPDX-License-Identifier: Apache-2.0
"""Metric human body meshes for ROS 2."""

from pkgutil import extend_path

# colcon generates `hmr_ros.msg` into the install space. A checkout finds it there too, once that space is sourced.
__path__ = extend_path(__path__, __name__)

__version__ = "0.2.0"
