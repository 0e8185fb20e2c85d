# SPDX-License-Identifier: Apache-2.0
"""The environment in which the tests talk over DDS."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("chosen", "expected"), [("42", {"42"}), (None, {str(number) for number in range(1, 101)})])
def test_the_domain_id_of_the_caller_is_respected(chosen, expected):
    environment = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
    if chosen is not None:
        environment["ROS_DOMAIN_ID"] = chosen
    program = "import os, test.ros.conftest; print(os.environ['ROS_DOMAIN_ID'])"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in expected
