# SPDX-License-Identifier: Apache-2.0
"""Which image topics of a recording are read, and what belongs to each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hmr_ros.ros.bag.recording import RecordingError, Report, Topic

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"

_BODIES = "hmr_ros/msg/SmplBodyArray"
_RESULTS = r"(bodies(/\w+/joint_states)?|markers|mesh|mesh_points|overlay|people|collision_object)"
_HUMANS = re.compile(r"/humans/bodies/")

ALL = "all"
"""In place of a topic: every camera."""

_TRANSPORTS = {IMAGE: "raw", COMPRESSED: "compressed"}
_NO_COLOUR = re.compile(r"depth|disparity|confidence|mask|heatmap", re.IGNORECASE)
_SECOND_CHOICE = re.compile(r"infra|right|thermal|fisheye", re.IGNORECASE)
_OURS = re.compile(r"(^|/)(overlay|cropped)$")
"""What the node publishes is no camera."""


@dataclass(frozen=True)
class CameraTopics:
    """One camera: its image ``topic`` and how it travels, the name without transport, and what lies beside it.

    ``depth`` is "" without depth. ``namespace`` is where its bodies are published, "" for the topics of a node without
    a namespace; ``name`` names its files.
    """

    topic: str
    transport: str
    base: str
    info: str
    depth: str
    namespace: str

    @property
    def name(self) -> str:
        """Letters, digits and dashes."""
        return self.base.strip("/").replace("/", "-")


def earlier_results(topics: Mapping[str, Topic]) -> frozenset[str]:
    """The topics of an earlier run, or of a node that was recorded: what lies beside each topic of our bodies."""
    found = [topic.name.rpartition("/")[0] for topic in topics.values() if topic.type == _BODIES]
    pattern = re.compile("|".join(f"{re.escape(space)}/{_RESULTS}" for space in found) or r"(?!)")
    humans = {name for name in topics if found and _HUMANS.match(name)}
    return frozenset({name for name in topics if pattern.fullmatch(name)} | humans)


def chosen(topics: Mapping[str, Topic], wanted: Sequence[str], depth: str, report: Report) -> tuple[CameraTopics, ...]:
    """The cameras that ``wanted`` names: topics, or ALL; none: one is chosen, and reported where there are several.

    ``depth`` is the depth topic, "" without. Raises RecordingError for topics that are not there.
    """
    found = _image_topics(topics)
    if not found:
        raise RecordingError(f"no images in this recording: {_listed(topics)}")
    if ALL in wanted:
        names = _of_cameras(found)
    elif wanted:
        names = [_known(name, topics) for name in wanted]
    else:
        names = [_best(found, topics)]
        if len(found) > 1:
            others = ", ".join(name for name in found if name != names[0])
            report(f"reading {names[0]}; --image NAME for another ({others}), --image {ALL} for every camera")
    if depth and depth not in topics:
        raise RecordingError(f"--depth {depth}: no such topic; {_listed(topics)}")
    if depth and len(names) > 1:
        raise RecordingError("--depth: depth belongs to one camera; choose it with --image")
    return tuple(_camera(topics[name], depth, has_namespace=len(names) > 1) for name in names)


def _image_topics(topics: Mapping[str, Topic]) -> list[str]:
    """The topics that may hold images of people, by name."""
    images = [topic for topic in topics.values() if topic.type in _TRANSPORTS]
    return sorted(t.name for t in images if not _NO_COLOUR.search(t.name) and not _OURS.search(t.name))


def _known(name: str, topics: Mapping[str, Topic]) -> str:
    """``name``, with its leading slash. Raises RecordingError where it is not there or holds no images."""
    name = "/" + name.lstrip("/")
    if name not in topics:
        raise RecordingError(f"--image {name}: no such topic; {_listed(topics)}")
    if topics[name].type not in _TRANSPORTS:
        raise RecordingError(f"--image {name}: expected {IMAGE} or {COMPRESSED}, it carries {topics[name].type}")
    return name


def _of_cameras(found: Sequence[str]) -> list[str]:
    """One topic for each camera: the raw images where they were recorded in both ways."""
    by_base = {_base(name): name for name in sorted(found, reverse=True)}
    return sorted(by_base.values())


def _best(found: Sequence[str], topics: Mapping[str, Topic]) -> str:
    """The likeliest topic: calibrated, of colour, with the most messages; the first by name among equals."""
    raw = _of_cameras(found)
    return min(
        raw, key=lambda name: (_info(name) not in topics, bool(_SECOND_CHOICE.search(name)), -topics[name].count)
    )


def _camera(topic: Topic, depth: str, *, has_namespace: bool) -> CameraTopics:
    base = _base(topic.name)
    namespace = (base.rpartition("/")[0] or base) if has_namespace else ""
    return CameraTopics(topic.name, _TRANSPORTS[topic.type], base, _info(topic.name), depth, namespace)


def _base(name: str) -> str:
    return name.removesuffix("/compressed")


def _info(name: str) -> str:
    """As in image_transport: beside the image."""
    return f"{_base(name).rpartition('/')[0]}/camera_info"


def _listed(topics: Mapping[str, Topic]) -> str:
    """The topics in words."""
    if not topics:
        return "there are no topics"
    return "it has " + ", ".join(f"{topic.name} ({topic.type})" for topic in sorted(topics.values(), key=str))
