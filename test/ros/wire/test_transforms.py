# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from rclpy.serialization import deserialize_message

from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotmat_to_quat
from hmr_ros.core.ros4hri.hands import HAND_JOINTS, HandAxes
from hmr_ros.core.ros4hri.joints import HUMAN_JOINTS
from hmr_ros.core.ros4hri.motion import HumanFollower
from hmr_ros.core.ros4hri.urdf import LINKS
from hmr_ros.core.skeleton import MANO, SMPL
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.interfaces import TF
from hmr_ros.ros.wire.messages import header
from hmr_ros.ros.wire.transforms import TransformWriter
from test.ros.stubs import HAND, some_bodies, with_hands
from test.ros.wire.reference import assert_same

if not TF.is_available:
    pytest.skip("needs tf2_msgs: make test", allow_module_level=True)

STAMP = Stamp(12, 34)


def humans(people, ids=None):
    return HumanFollower()(some_bodies(people, ids), 0.0)


def parsed(data):
    return deserialize_message(data, TF.message("TFMessage"))


def test_body_frames_are_between_the_hips_and_point_ahead():
    """The stub's bodies stand upright and face the camera."""
    bodies = some_bodies(1)
    (transform,) = parsed(TransformWriter().bodies(STAMP, "camera", humans(1), ["q_0"])).transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ("camera", "body_q_0")
    assert (transform.header.stamp.sec, transform.header.stamp.nanosec) == (12, 34)
    t, q = transform.transform.translation, transform.transform.rotation
    hips = bodies.joints[0, [SMPL.index("left_hip"), SMPL.index("right_hip")]]
    assert np.allclose([t.x, t.y, t.z], hips.mean(0))
    forward, left, up = quat_to_rotmat(np.array([q.x, q.y, q.z, q.w])).T
    assert np.allclose(forward, [0, 0, -1], atol=1e-6)  # towards the camera
    assert np.allclose(left, [1, 0, 0], atol=1e-6)  # the camera's right
    assert np.allclose(up, [0, -1, 0], atol=1e-6)


def test_the_tree_has_every_link_of_all_people_once():
    names = ["abcde", "q_1"]
    transforms = parsed(TransformWriter().trees(STAMP, "camera", humans(2, [4, 9]), names)).transforms
    assert {t.child_frame_id for t in transforms} == {f"{link}_{name}" for link in LINKS for name in names}
    parents = {t.child_frame_id: t.header.frame_id for t in transforms}
    expected = {f"{j.child}_{name}": f"{j.parent}_{name}" for j in HUMAN_JOINTS for name in names}
    assert parents == expected | {f"body_{name}": "camera" for name in names}


@pytest.mark.parametrize("people", [0, 1, 3])
def test_it_is_the_typed_message(people):
    """Whatever the lengths of names do to the alignment, and however often the layout is used again."""
    writer, group = TransformWriter(), humans(people)
    for frame in ("c", "camera", "camera_optical_frame"):
        names = [f"{frame}_{number}" for number in range(people)]
        writer.trees(Stamp(1, 2), frame, group, names)
        data = writer.trees(Stamp(3, 2**31), frame, group, names)
        expected = TF.message("TFMessage")(transforms=list(typed(Stamp(3, 2**31), frame, group, names)))
        assert_same(data, expected)


def test_a_new_name_of_the_same_person_is_a_new_frame():
    writer, group = TransformWriter(), humans(1)
    found = [parsed(writer.bodies(STAMP, "camera", group, [name])).transforms[0] for name in ("q_0", "q_1")]
    assert [t.child_frame_id for t in found] == ["body_q_0", "body_q_1"]


def typed(stamp, frame, group, names):
    """The slow way."""
    orientations = rotmat_to_quat(group.orientations)
    for row, name in enumerate(names):
        yield transform(stamp, frame, f"body_{name}", group.places[row], orientations[row])
        for k, joint in enumerate(HUMAN_JOINTS):
            origin, rotation = group.link_origins[row, k], group.link_rotations[row, k]
            yield transform(stamp, f"{joint.parent}_{name}", f"{joint.child}_{name}", origin, rotation)


def transform(stamp, parent, child, xyz, xyzw):
    message = TransformStamped(header=header(stamp, parent), child_frame_id=child)
    message.transform.translation = Vector3(**dict(zip("xyz", xyz.tolist(), strict=True)))
    message.transform.rotation = Quaternion(**dict(zip("xyzw", xyzw.tolist(), strict=True)))
    return message


def test_hands_that_are_known_are_below_their_wrists():
    """Wrist, palm and tips land on the points of the mesh; the layout follows as hands come and go."""
    writer, bodies, follow = TransformWriter(), some_bodies(2, [4, 9]), HumanFollower(HandAxes.of(HAND))
    for known in ([], [(1, 1)], [(0, 0), (1, 0), (1, 1)], [(1, 1)]):
        shown = with_hands(bodies, *known)
        transforms = parsed(writer.trees(STAMP, "camera", follow(shown, 0.0), ["a", "b"])).transforms
        names = {t.child_frame_id for t in transforms}
        wanted = {f"{'lr'[side]}_{joint.child}_{'ab'[row]}" for row, side in known for joint in HAND_JOINTS}
        assert len(transforms) == len(names)
        assert names - {f"{link}_{name}" for link in LINKS for name in "ab"} == wanted
        for row, side in known:
            for link, point in (("index_tip", "index4"), ("thumb_tip", "thumb4"), ("pinky_pip", "pinky2")):
                place = placed(transforms, f"{'lr'[side]}_{link}_{'ab'[row]}")
                apart = place - shown.hands.joints[row, side, MANO.index(point)]
                assert np.linalg.norm(apart) < 0.001


def placed(transforms, frame):
    """(3,) m: the origin of ``frame`` in the camera's frame."""
    edges = {t.child_frame_id: t for t in transforms}
    place = np.zeros(3)
    while frame in edges:
        t, q = edges[frame].transform.translation, edges[frame].transform.rotation
        place = quat_to_rotmat(np.array([q.x, q.y, q.z, q.w])) @ place + [t.x, t.y, t.z]
        frame = edges[frame].header.frame_id
    return place
