# SPDX-License-Identifier: Apache-2.0
"""What happens to the node in ``make soak``, and what diagnostics are to say of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lifecycle_msgs.msg import Transition
from rclpy.qos import ReliabilityPolicy

from hmr_ros.bench.soak.camera import Fault
from hmr_ros.bench.soak.world import World

OK = "running"
"""What diagnostics say while nothing is wrong."""

UNCHECKED = ""
_HOUR_S = 3600.0
_BAG_S = 20.0

Action = Callable[[World], None]


def _nothing(_world: World) -> None:
    """No action."""


def _mend(world: World) -> None:
    world.camera.fault = Fault()


@dataclass(frozen=True)
class Event:
    """Something that lasts for ``seconds``: ``begin``, ``during`` before each image, ``end``.

    ``says``: a regular expression for diagnostics, found meanwhile; OK: nothing else may be found; UNCHECKED: anything
    may. ``drops``: whether broken images must have been counted.
    """

    name: str
    seconds: float
    says: str
    begin: Action = _nothing
    end: Action = _nothing
    during: Action = _nothing
    drops: bool = False


def _fault(name: str, seconds: float, says: str, fault: Fault, drops: bool = False) -> Event:
    """The camera has ``fault``."""

    def begin(world: World) -> None:
        world.camera.fault = fault

    return Event(name, seconds, says, begin, _mend, drops=drops)


def _replug(reliability: ReliabilityPolicy) -> Action:
    return lambda world: world.camera.plug(reliability)


def _states(*transitions: int) -> Action:
    return lambda world: world.change_state(*transitions)


def _simulate(world: World) -> None:
    world.set_parameters({"use_sim_time": True})


def _play_bag(world: World) -> None:
    """/clock and stamps of a bag that starts again every two seconds."""
    bag_s = _BAG_S + time.monotonic() % 2.0
    world.tick(bag_s)
    offset_s = bag_s - world.node.get_clock().now().nanoseconds * 1e-9
    world.camera.fault = Fault(offset_s=offset_s)


def _wake(world: World) -> None:
    world.set_parameters({"use_sim_time": False})
    _mend(world)


def _turn_knobs(world: World) -> None:
    """Live parameters get other values, one of them a wrong one."""
    world.set_parameters({"max_people": 2, "smoothing.beta": 1.0, "publish_tf": "root", "detection_threshold": 0.6})
    world.set_parameters({"mesh_faces": int(world.rng.integers(200, 2000)), "publish_markers": False})
    world.set_parameters({"max_people": -1})


def _turn_back(world: World) -> None:
    defaults: dict[str, float | bool | str] = {
        "max_people": 8,
        "smoothing.beta": 3.0,
        "publish_tf": "skeleton",
        "detection_threshold": 0.5,
    }
    world.set_parameters(defaults | {"publish_markers": True})


def _visits(world: World) -> None:
    for _ in range(3):
        world.visit()


_OFF, _ON = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE
_CLEAN, _CONFIGURE = Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE

EVENTS = (
    Event("camera unplugged", 4.0, "no publisher of", lambda w: w.camera.unplug(), lambda w: w.camera.plug()),
    _fault("camera silent", 4.0, "no image for", Fault(silent=True)),
    _fault("calibration lost", 3.0, "unusable: K is all zero", Fault(calibrated=False)),
    _fault("every second image broken", 3.0, UNCHECKED, Fault(broken=0.5), drops=True),
    _fault("all images broken", 5.0, "no image was processed", Fault(broken=1.0), drops=True),
    _fault("stamps an hour ahead", 3.0, "in the future", Fault(offset_s=_HOUR_S)),
    _fault("stamps an hour old", 5.0, "no image was processed", Fault(offset_s=-_HOUR_S)),
    _fault("stamps of zero", 3.0, "no_stamp", Fault(zero=True)),
    _fault("stamps repeated", 3.0, "repeated_stamp", Fault(repeats=2)),
    Event("/clock of a bag that starts again", 8.0, UNCHECKED, _simulate, _wake, _play_bag),
    Event("deactivated", 3.0, "not active", _states(_OFF), _states(_ON)),
    Event("cleaned up", 3.0, "not active", _states(_OFF, _CLEAN), _states(_CONFIGURE, _ON)),
    Event("disabled", 3.0, "disabled", lambda w: w.set_enabled(False), lambda w: w.set_enabled(True)),
    Event("tracks reset", 2.0, OK, lambda w: w.reset_tracks()),
    Event("parameters set", 4.0, OK, _turn_knobs, _turn_back),
    Event("subscribers come and go", 5.0, OK, _visits, lambda w: w.leave()),
    Event("a subscriber is killed", 5.0, OK, lambda w: w.start_client(), lambda w: w.kill_clients()),
    Event(
        "camera with other QoS",
        4.0,
        UNCHECKED,
        _replug(ReliabilityPolicy.BEST_EFFORT),
        _replug(ReliabilityPolicy.RELIABLE),
    ),
    Event("a second camera", 4.0, "publishers", lambda w: w.rival(), lambda w: w.leave()),
)


def names() -> list[str]:
    """The names of all events."""
    return [event.name for event in EVENTS]
