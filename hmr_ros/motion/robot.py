# SPDX-License-Identifier: Apache-2.0
"""A person's joint angles on a humanoid robot: joint by joint, within the limits of its URDF."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from hmr_ros.core.arrays import Float64s, Int64s
from hmr_ros.core.ros4hri.joints import wrapped
from hmr_ros.motion.joints_file import JOINTS


@dataclass(frozen=True, eq=False)
class Robot:
    """R ``joints`` of a robot that follow joints of a person.

    Joint r takes ``signs[r]`` times the angle of JOINTS[``rows[r]``], within ``limits`` (R, 2) rad.
    """

    joints: tuple[str, ...]
    rows: Int64s
    signs: Float64s
    limits: Float64s

    def follow(self, angles: Float64s) -> Float64s:
        """(T, 20) rad of a person -> (T, R) rad of the robot, within its limits."""
        return np.asarray(np.clip(self._wanted(angles), *self.limits.T))

    def held(self, angles: Float64s) -> dict[str, float]:
        """The joints that are held at a limit, with the fraction of the frames in which they are."""
        beyond = (np.abs(self._wanted(angles) - self.follow(angles)) > 1e-9).mean(0)
        return {joint: float(part) for joint, part in zip(self.joints, beyond, strict=True) if part > 0}

    def _wanted(self, angles: Float64s) -> Float64s:
        """Of all whole turns the one nearest to the middle of the limits."""
        middle = self.limits.mean(1)
        return np.asarray(middle + wrapped(self.signs * angles[:, self.rows] - middle))


def read_robot(table: Path, urdf: Path) -> Robot:
    """The robot of ``urdf`` by the .toml file ``table``: ``[joints]``, ROBOT_JOINT = "HUMAN_JOINT" or "-HUMAN_JOINT".

    Raises ValueError, which names the file and the joint.
    """
    followed = _followed(table)
    limits = _limits(urdf)
    if missing := sorted(followed.keys() - limits.keys()):
        raise ValueError(f"{table}: {missing[0]}: {urdf} has no revolute joint of this name")
    names = [name.removeprefix("-") for name in followed.values()]
    return Robot(
        joints=tuple(followed),
        rows=np.array([JOINTS.index(name) for name in names], np.int64),
        signs=np.array([-1.0 if name.startswith("-") else 1.0 for name in followed.values()]),
        limits=np.array([limits[joint] for joint in followed], np.float64).reshape(-1, 2),
    )


def _followed(table: Path) -> Mapping[str, str]:
    """Robot's joint -> human joint, with its sign."""
    try:
        joints = tomllib.loads(table.read_text(encoding="utf-8")).get("joints")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ValueError(f"{table}: not a TOML file: {err}") from err
    if not isinstance(joints, dict) or not joints:
        raise ValueError(f'{table}: expected [joints] with lines ROBOT_JOINT = "HUMAN_JOINT"')
    for joint, human in joints.items():
        if not isinstance(human, str) or human.removeprefix("-") not in JOINTS:
            raise ValueError(f"{table}: {joint}: expected one of {', '.join(JOINTS)}, or - and its name, got {human!r}")
    return joints


def _limits(urdf: Path) -> Mapping[str, tuple[float, float]]:
    """The limits of all revolute joints, rad; a continuous one has a whole turn."""
    found: dict[str, tuple[float, float]] = {}
    try:
        for joint in ElementTree.parse(urdf).getroot().findall("joint"):
            name, limit = joint.get("name", ""), joint.find("limit")
            if joint.get("type") == "continuous":
                found[name] = (-np.pi, np.pi)
            elif joint.get("type") == "revolute" and limit is not None:
                found[name] = (float(limit.get("lower", "0")), float(limit.get("upper", "0")))
    except (ElementTree.ParseError, ValueError) as err:
        raise ValueError(f"{urdf}: not a URDF: {err}") from err
    return found
