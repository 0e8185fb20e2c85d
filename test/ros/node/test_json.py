# SPDX-License-Identifier: Apache-2.0
"""Everything that is published can be written as JSON, which has no NaN: as rosbridge sends it to a browser."""

import json

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, TwistStamped
from hmr_ros.msg import SmplBody, SmplBodyArray
from hri_msgs.msg import IdsList, NormalizedRegionOfInterest2D, Skeleton2D
from moveit_msgs.msg import CollisionObject
from people_msgs.msg import People
from sensor_msgs.msg import JointState, PointCloud2
from std_msgs.msg import Float64MultiArray
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from test.ros.graph import spin_until
from test.ros.world import World

TOPICS = {
    "bodies": SmplBodyArray,
    "markers": MarkerArray,
    "mesh": Marker,
    "mesh_points": PointCloud2,
    "people": People,
    "collision_object": CollisionObject,
    "/tf": TFMessage,
    "/humans/bodies/tracked": IdsList,
    "/diagnostics": DiagnosticArray,
    "hmr/latency": Float64MultiArray,
}
OF_A_PERSON = {
    "bodies/{}/joint_states": JointState,
    "/humans/bodies/{}/joint_states": JointState,
    "/humans/bodies/{}/position": PointStamped,
    "/humans/bodies/{}/velocity": TwistStamped,
    "/humans/bodies/{}/roi": NormalizedRegionOfInterest2D,
    "/humans/bodies/{}/skeleton2d": Skeleton2D,
}


def as_json(value):
    """``value`` as rosbridge has it: messages are objects, sequences lists."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: as_json(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, (str, bool, int, float)):
        return value
    return [each.item() if isinstance(each, np.generic) else as_json(each) for each in value]


@pytest.fixture
def world(executor, closing):
    w = closing(World, executor, 2, **{"planning.collision_objects": True, "mesh_faces": 100, "track_timeout_s": 0.05})
    for topic, kind in TOPICS.items():
        w.subscribe(kind, topic)
    return w


def test_every_message_is_valid_json(world):
    w = world
    assert w.node.start()
    w.show(info=False)  # bodies that are not valid
    assert not w.received["bodies"][-1].bodies[0].valid
    w.show_calibrated()
    names = [body.id for body in w.received["bodies"][-1].bodies]
    followed = [topic.format(names[0]) for topic in OF_A_PERSON]
    for topic, kind in zip(followed, OF_A_PERSON.values(), strict=True):
        w.subscribe(kind, topic)
    w.show_until(lambda: all(w.received[topic] for topic in (*TOPICS, *followed)))
    w.detector.people = 0

    def lost():
        return {b.id for m in w.received["bodies"] for b in m.bodies if b.state == SmplBody.LOST}

    w.show_until(lambda: lost() == set(names) and not w.received["bodies"][-1].bodies)
    spin_until(w.executor, lambda: w.received["/humans/bodies/tracked"][-1].ids == [])
    for topic, received in w.received.items():
        for message in received:
            try:
                json.dumps(as_json(message), allow_nan=False)
            except ValueError as err:
                raise AssertionError(f"{topic}: {message}") from err
