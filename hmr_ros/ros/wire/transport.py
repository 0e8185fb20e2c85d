# SPDX-License-Identifier: Apache-2.0
"""Fast DDS's settings for large messages. Needs no ROS: `hmr doctor` reads it on machines without one."""

from __future__ import annotations

from collections.abc import Mapping

from hmr_ros.core.share import share_dir

TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"

_PROFILES, _PROFILES_OF_JAZZY = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"

VARIABLES = (TRANSPORTS, _PROFILES, _PROFILES_OF_JAZZY)
"""Whatever Fast DDS of some distribution reads."""


def profiles_variable(environment: Mapping[str, str]) -> str:
    """The variable that names a file of profiles: Fast DDS 2, of Jazzy, does not know the one of Fast DDS 3."""
    return _PROFILES_OF_JAZZY if environment.get("ROS_DISTRO") == "jazzy" else _PROFILES


def effective(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that this distribution's Fast DDS reads, as far as they are set."""
    known = (profiles_variable(environment), TRANSPORTS)
    return {name: value for name in known if (value := environment.get(name))}


def for_large_messages(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that make room for large messages (config/fastdds.xml); none where the user has set others."""
    if any(name in environment for name in VARIABLES):
        return {}
    return {profiles_variable(environment): str(share_dir() / "config" / "fastdds.xml")}
