# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.ros.wire.transport import effective, profiles_variable

OLD, NEW, TRANSPORTS = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS"


@pytest.mark.parametrize(("distro", "name"), [("jazzy", OLD), ("kilted", NEW), ("lyrical", NEW)])
def test_the_variable_is_the_distributions(distro: str, name: str):
    every = {OLD: "a.xml", NEW: "a.xml", TRANSPORTS: "UDPv4"}
    assert profiles_variable({"ROS_DISTRO": distro}) == name
    assert effective({"ROS_DISTRO": distro} | every) == {name: "a.xml", TRANSPORTS: "UDPv4"}


def test_empty_is_not_set():
    assert effective({"ROS_DISTRO": "jazzy", OLD: ""}) == {}
    assert profiles_variable({}) == NEW
