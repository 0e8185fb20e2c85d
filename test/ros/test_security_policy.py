# SPDX-License-Identifier: Apache-2.0
"""The SROS 2 policy allows what the running nodes have in the graph, and nothing else."""

import dataclasses
import fnmatch
import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from hmr_ros.perception.fingers import Fingers
from hmr_ros.ros.node.cameras import CameraGroup
from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.player import calibration
from hmr_ros.ros.player.player import Player
from hmr_ros.ros.wire import interfaces
from test.ros.graph import FakeCamera, spin_until, started_context
from test.ros.node.test_fusing import Fused
from test.ros.stubs import BODY_MODEL, HAND, StubDetector, StubEstimator, stub_pipeline

POLICY = Path(__file__).parents[2] / "config" / "sros2" / "policy.xml"

OTHERS = (interfaces.TF, interfaces.HUMANS, interfaces.PEOPLE, interfaces.COLLISION_OBJECTS)
if not all(package.is_available for package in OTHERS):
    pytest.skip("needs the messages of others: make test", allow_module_level=True)

EVERYTHING = {
    "use_depth": "true",
    "target_frame": "odom",
    "planning.collision_objects": "true",
    "max_frame_age_s": "0.0",
}
"""Parameters with which the node has all topics, but for those that exclude others."""

INSTEAD = (
    {"use_sim_time": "true", "image_transport": "compressed", "detections.source": "boxes"},
    {"detections.source": "keypoints"},
    {"detections.source": "humans", "humans.enabled": "false"},
)
"""Parameters of the topics that exclude others; with a clock that never starts, images are not processed."""

OF_A_PERSON = ("topic", "subscribe", "/humans/bodies/abcde/skeleton2d")
"""What is subscribed for each person whom another node tracks; here there is none."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A line of the policy: ``kind`` is topic or service, ``name`` absolute, with `*` for a person's id."""

    kind: str
    access: str
    name: str

    def covers(self, used: tuple[str, str, str]) -> bool:
        kind, access, name = used
        return (kind, access) == (self.kind, self.access) and fnmatch.fnmatchcase(name, self.name)


def rules(enclave: str) -> set[Rule]:
    """What the policy allows to all nodes of ``enclave``, names resolved as sros2's permissions.xsl does it."""
    found = set()
    for profile in ET.parse(POLICY).iterfind(f"enclaves/enclave[@path='{enclave}']/profiles/profile"):
        above = profile.attrib["ns"].rstrip("/")
        for group in profile:
            for element in group:
                name = str(element.text)
                name = f"{above}/{profile.attrib['node']}{name[1:]}" if name[0] == "~" else name
                name = name if name[0] == "/" else f"{above}/{name}"
                found |= {Rule(element.tag, access, name) for access, value in group.attrib.items() if value == "ALLOW"}
    return found


def used_by(node: Node) -> Iterator[tuple[str, str, str]]:
    """What ``node`` has in the graph, as `ros2 security generate_policy` asks for it."""
    queries = {
        ("topic", "publish"): node.get_publisher_names_and_types_by_node,
        ("topic", "subscribe"): node.get_subscriber_names_and_types_by_node,
        ("service", "reply"): node.get_service_names_and_types_by_node,
        ("service", "request"): node.get_client_names_and_types_by_node,
    }
    for (kind, access), query in queries.items():
        for name, _ in query(node.get_name(), node.get_namespace()):
            yield kind, access, name


def is_discovered(node: Node) -> bool:
    """Whether the graph knows all that ``node`` subscribes; it learns of it a little later."""
    known = {name for kind, access, name in used_by(node) if (kind, access) == ("topic", "subscribe")}
    return {subscription.topic_name for subscription in node.subscriptions} <= known


def set_on_the_command_line(parameters: dict[str, str]) -> list[str]:
    return [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]


_NUMBERS = itertools.count()
"""Of the graphs: nodes of one name in one domain would be taken for each other."""


class Graph:
    """An application of nodes with cameras at ``namespaces``, and what they use in the graph."""

    def __init__(self, make, parameters, namespaces=("",)):
        self.context = started_context(["--ros-args", *set_on_the_command_line(parameters)], next(_NUMBERS))
        self.executor = SingleThreadedExecutor(context=self.context)
        self.application = make(self.context)
        self.peer = Node("camera", context=self.context, use_global_arguments=False)
        for node in (*self.application.nodes, self.peer):
            self.executor.add_node(node)
        self.namespaces = namespaces
        self.cameras = [FakeCamera(self.peer, f"{above}/image", f"{above}/camera_info") for above in namespaces]

    def used(self, people=True):
        """What the nodes use once they are active, with ``people`` once each camera saw some."""
        assert self.application.autostart()
        if people:
            spin_until(self.executor, self._shown)
        spin_until(self.executor, lambda: all(map(is_discovered, self.application.nodes)))
        return {entry for node in self.application.nodes for entry in used_by(node)}

    def _shown(self):
        for camera in self.cameras:
            camera.publish_info()
            camera.publish_image()
        topics = [name for name, _ in self.peer.get_topic_names_and_types()]
        people = [rf"{above}/bodies/\w+/joint_states" for above in self.namespaces]
        return all(any(re.fullmatch(person, topic) for topic in topics) for person in people)

    def close(self):
        self.application.destroy_node()
        self.peer.destroy_node()
        self.context.try_shutdown()


def built(config):
    pipeline = stub_pipeline(StubDetector(2), StubEstimator())
    pipeline.fingers = Fingers(None, BODY_MODEL, HAND)
    return pipeline


def assert_fits(enclave: str, used: set[tuple[str, str, str]]) -> None:
    """Everything ``used`` is allowed, and everything allowed is used."""
    allowed = rules(enclave)
    assert {entry for entry in used if not any(rule.covers(entry) for rule in allowed)} == set(), "not allowed"
    assert {rule for rule in allowed if not any(rule.covers(entry) for entry in used)} == set(), "wider than needed"


def test_the_node_may_do_what_it_does_and_no_more(closing):
    def node(context):
        return HmrNode(built, context=context)

    used = closing(Graph, node, EVERYTHING).used()
    instead = (closing(Graph, node, parameters).used(people=False) for parameters in INSTEAD)
    assert_fits("/hmr", used.union(*instead, {OF_A_PERSON}))


def test_several_cameras_may_do_what_they_do_and_no_more(closing):
    names, namespaces = {"cameras": "[front, back]"}, ("/front", "/back")

    def group(context):
        return CameraGroup(built, context=context)

    used = closing(Graph, group, EVERYTHING | names, namespaces).used()
    instead = (closing(Graph, group, parameters | names, namespaces).used(people=False) for parameters in INSTEAD)
    assert_fits("/hmr_multi", used.union(*instead, {OF_A_PERSON}))


def test_fusing_may_do_what_it_does_and_no_more(closing):
    fused = closing(Fused, "planning.collision_objects:=true", "use_sim_time:=true")
    fused.show_until(lambda: fused.bodies and len(fused.bodies[-1].bodies) == 2 and is_discovered(fused.node))
    assert_fits("/hmr_fuse", set(used_by(fused.node)))


def test_the_player_may_do_what_it_does_and_no_more():
    context = Context()
    context.init(args=[])
    used = set()
    for compressed in (False, True):
        player = Player(calibration.from_focal_length(500.0), "camera", compressed=compressed)
        used |= set(used_by(player))
        player.destroy_node()
    context.try_shutdown()
    assert_fits("/hmr_player", used)


def test_people_are_all_that_is_left_open():
    """A pattern stands for the five letters of an id, never for a whole part of the graph."""
    names = {rule.name for enclave in ("/hmr", "/hmr_multi", "/hmr_fuse", "/hmr_player") for rule in rules(enclave)}
    assert not any("*" in name or "[" in name for name in names)
    open_ends = {name for name in names if "?" in name}
    assert all(re.fullmatch(r"[a-z_0-9/]*/bodies/\?{5}/((left|right)_hand/)?[a-z_0-9]+", name) for name in open_ends)
