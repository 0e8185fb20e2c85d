# SPDX-License-Identifier: Apache-2.0
"""For colcon and other tools that look for a setup.py; pyproject.toml says all there is to say."""

from setuptools import setup

setup()
