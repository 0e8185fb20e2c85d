# SPDX-License-Identifier: Apache-2.0
"""Joint angles: played on the person's own URDF, hips, knees and ankles are where the body has them."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.motion.joints_file import JOINTS, ROOT, joint_motion, write_joints
from test.motion.motion import BETAS, jumping, track
from test.ros.stubs import BODY_MODEL

EXACT = ("hip", "knee")
"""What a URDF of revolute joints holds exactly; ankles only where knees bend about one axis, unlike here."""


def links(urdf, angles, base, root):
    """Link -> (4, 4) in the world: ``angles`` by joint, 0 for others; ``root`` of the link ``base``."""
    found, left = {base: root}, ET.fromstring(urdf).findall("joint")
    while left:
        joint = next(joint for joint in left if joint.find("parent").get("link") in found)
        left.remove(joint)
        local = np.eye(4)
        local[:3, 3] = [float(x) for x in joint.find("origin").get("xyz").split()]
        if joint.get("type") == "revolute":
            axis = np.array([float(x) for x in joint.find("axis").get("xyz").split()])
            local[:3, :3] = rotvec_to_rotmat(axis * angles.get(joint.get("name"), 0))
        found[joint.find("child").get("link")] = found[joint.find("parent").get("link")] @ local
    return found


def root_of(place, quat):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = quat_to_rotmat(np.asarray(quat)), place
    return matrix


def expected_joints(moving):
    posed = BODY_MODEL.posed_joints(moving.pose[:, 0], moving.pose[:, 1:], np.tile(BETAS, (len(moving), 1)))
    return posed + moving.pelvis[:, None]


def test_the_table_and_the_urdf_play_the_motion(tmp_path):
    write_joints(tmp_path / "7.csv", track(), joint_motion(track(), BODY_MODEL))
    names = (tmp_path / "7.csv").read_text().partition("\n")[0].split(",")
    assert names == ["time", *ROOT, *JOINTS]
    values = np.loadtxt(tmp_path / "7.csv", delimiter=",", skiprows=1)
    assert values[:, 0] == pytest.approx(track().times, abs=1e-6)
    urdf, joints = (tmp_path / "7.urdf").read_text(), expected_joints(track())
    for frame in (0, 9, 19):
        row = dict(zip(names, values[frame], strict=True))
        angles = {f"{joint}_7": row[joint] for joint in JOINTS}
        found = links(urdf, angles, "body_7", root_of([row[k] for k in "xyz"], [row[f"q{k}"] for k in "xyzw"]))
        for side in ("left", "right"):
            for part in EXACT:
                at = found[f"{side[0]}_{part}_7"][:3, 3]
                assert at == pytest.approx(joints[frame, SMPL.index(f"{side}_{part}")], abs=2e-3), (
                    frame,
                    side,
                    part,
                )


def test_angles_do_not_jump():
    motion = joint_motion(jumping(40), BODY_MODEL)
    bends = [k for k, joint in enumerate(JOINTS) if joint.endswith("knee") or joint == "waist"]
    assert np.abs(np.diff(motion.angles[:, bends], axis=0)).max() < 0.5


def test_the_recording_has_states_transforms_and_the_urdf(tmp_path):
    pytest.importorskip("mcap")
    from hmr_ros.motion.joints_recording import write_recording
    from hmr_ros.ros.bag.opening import open_recording
    from hmr_ros.ros.wire.decoding import deserialise
    from hmr_ros.ros.wire.types import JointState, String, message_class

    motion = joint_motion(track(), BODY_MODEL)
    write_recording(tmp_path / "7.mcap", track(), motion)
    recording = open_recording(tmp_path / "7.mcap", pytest.fail)
    kinds = {
        "/joint_states": JointState,
        "/robot_description": String,
        "/tf": message_class("tf2_msgs", "TFMessage"),
    }
    read = {name: [(r.log_ns, deserialise(r.data, kinds[name])) for r in recording.records({name})] for name in kinds}
    recording.close()
    assert [len(each) for each in read.values()] == [20, 1, 20]
    assert read["/robot_description"][0][1].data == motion.urdf
    frames = np.array([list(state.position) for _, state in read["/joint_states"]])
    np.testing.assert_allclose(frames, motion.angles)
    state = read["/joint_states"][0][1]
    in_urdf = {joint.get("name") for joint in ET.fromstring(motion.urdf).findall("joint")}
    assert set(state.name) <= in_urdf
    stamps = np.array([ns for ns, _ in read["/joint_states"]]) * 1e-9
    np.testing.assert_allclose(stamps - stamps[0], track().times, atol=1e-8)
    rates = np.array([list(state.velocity) for _, state in read["/joint_states"]])
    np.testing.assert_allclose(rates[5], (frames[6] - frames[4]) / (stamps[6] - stamps[4]), atol=1e-5)
    (transform,) = read["/tf"][3][1].transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ("world", "body_7")
    assert transform.transform.translation.z == pytest.approx(motion.places[3, 2])
