# SPDX-License-Identifier: Apache-2.0
import logging
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from hmr_ros.msg import SmplBody, SmplBodyArray
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.output import outputs
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.wire import cdr
from test.ros.graph import PATIENCE_S, qos, spin_until
from test.ros.world import World, marker_id

SUCCESS = TransitionCallbackReturn.SUCCESS


@pytest.fixture
def world(executor, closing):
    def make(people=1, **parameters):
        w = closing(World, executor, people, **parameters)
        w.subscribe(SmplBodyArray, "bodies")
        return w

    return make


def test_everything_is_published_under_the_stamp_and_frame_of_the_image(world):
    w = world(people=2)
    for kind, topic in ((MarkerArray, "markers"), (Marker, "mesh"), (Image, "overlay"), (TFMessage, "/tf")):
        w.subscribe(kind, topic)
    assert w.node.start()
    w.show_calibrated()
    for topic in ("markers", "mesh", "overlay", "/tf"):
        w.show(until=topic, count=3)

    message = w.received["bodies"][-1]
    assert [body.state for body in message.bodies] == [SmplBody.TRACKED] * 2
    assert (message.method, message.body_model, message.joint_set) == ("stub", "open_body", "coco17")
    transforms = w.received["/tf"][-1].transforms
    roots = {t.child_frame_id for t in transforms if t.header.frame_id == "camera_optical_frame"}
    assert roots == {f"body_{body.id}" for body in message.bodies}
    assert {m.ns for m in w.received["mesh"]} == {"mesh"}
    assert {m.id for m in w.received["mesh"]} == {marker_id(body.id) for body in message.bodies}
    overlay = w.received["overlay"][-1]
    assert np.ptp(np.array(overlay.data)) > 50  # bodies on a grey image

    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in w.received["bodies"]}
    headers = [overlay.header, transforms[0].header, w.received["mesh"][-1].header]
    headers += [m.header for m in w.received["markers"][-1].markers]
    assert {h.frame_id for h in headers} == {"camera_optical_frame"}
    assert {(h.stamp.sec, h.stamp.nanosec) for h in headers} <= stamps


def test_tf_of_an_image_is_published_before_everything_else_about_it(world, monkeypatch):
    """Whoever receives a message looks its frames up at once, without waiting."""
    w = world(people=2)
    for kind, topic in ((MarkerArray, "markers"), (Marker, "mesh"), (TFMessage, "/tf")):
        w.subscribe(kind, topic)
    assert w.node.start()
    w.show_calibrated()
    for topic in ("markers", "mesh", "/tf"):
        w.show(until=topic)
    sent, publish = [], Publisher.publish

    def recorded(self, message):
        sent.append(self.topic_name)
        publish(self, message)

    monkeypatch.setattr(Publisher, "publish", recorded)
    w.show_until(lambda: sent.count("/mesh") > 4)
    ours = [topic for topic in sent if topic in ("/bodies", "/markers", "/mesh", "/tf", "/humans/bodies/tracked")]
    first = ours.index("/tf")
    one_image = ours[first : ours.index("/tf", first + 1)]
    assert one_image[:2] == ["/tf", "/bodies"]
    assert set(one_image) >= {"/markers", "/mesh"}


def test_joint_states_of_a_body_have_their_own_topic(world):
    w = world()
    assert w.node.start()
    w.show_calibrated()
    name = w.received["bodies"][-1].bodies[0].id
    w.subscribe(JointState, f"bodies/{name}/joint_states")
    state = w.show(until=f"bodies/{name}/joint_states")
    assert len(state.name) == 69
    topics = [topic for topic, _ in w.peer.get_topic_names_and_types()]
    assert "/joint_states" not in topics


def test_lost_people_are_deleted_everywhere(world):
    w = world(people=2, track_timeout_s=0.05)
    w.subscribe(MarkerArray, "markers")
    w.subscribe(Marker, "mesh")
    assert w.node.start()
    w.show_calibrated()
    w.show(until="mesh", count=2)
    w.show(until="markers")
    ids = [body.id for body in w.received["bodies"][-1].bodies]
    w.detector.people = 1

    def lost():
        w.show(count=len(w.received["bodies"]) + 1)
        return [b.id for m in w.received["bodies"] for b in m.bodies if b.state == SmplBody.LOST]

    spin_until(w.executor, lost)
    assert lost() == [ids[1]]

    def deleted():
        every = [m for a in w.received["markers"] for m in a.markers] + w.received["mesh"]
        return [m for m in every if m.action == Marker.DELETE]

    spin_until(w.executor, lambda: len(deleted()) == 4)  # bones, joints, forecast, mesh
    assert {(m.ns, m.id) for m in deleted()} == {
        (ns, marker_id(ids[1])) for ns in ("bones", "joints", "forecast", "mesh")
    }
    assert w.peer.count_publishers(f"bodies/{ids[0]}/joint_states") == 1
    spin_until(w.executor, lambda: w.peer.count_publishers(f"bodies/{ids[1]}/joint_states") == 0)


@pytest.mark.parametrize("info", [None, CameraInfo(width=640, height=480), CameraInfo(width=320, height=240)])
def test_without_a_valid_calibration_there_are_keypoints_but_no_positions(world, info):
    w = world(input_timeout_s=0.05)
    w.subscribe(Marker, "mesh")
    w.subscribe(TFMessage, "/tf")
    w.subscribe(DiagnosticArray, "/diagnostics")
    assert w.node.start()
    for _ in range(4):
        if info is not None:
            w.camera.publish_info(info)
        message = w.show(info=False, count=len(w.received["bodies"]) + 1)
    (body,) = message.bodies
    assert not body.valid
    assert (body.cam_t.x, body.cam_t.y, body.cam_t.z) == (0, 0, 0)
    assert [len(body.joints), len(body.body_pose), len(body.joint_covariance)] == [0, 0, 0]
    assert max(body.keypoint_scores) > 0.5
    assert w.received["mesh"] == w.received["/tf"] == []

    def warned():
        w.show(info=False, count=len(w.received["bodies"]) + 1)
        return [s for a in w.received["/diagnostics"] for s in a.status if "CameraInfo" in s.message]

    spin_until(w.executor, warned)
    assert warned()[-1].level == DiagnosticStatus.WARN


def test_broken_images_are_counted_and_the_next_good_one_is_processed(world):
    w = world()
    assert w.node.start()
    w.show()
    stamp = w.camera.now()
    good = cdr.write_image(stamp, "camera", np.zeros((4, 6, 3), np.uint8), "rgb8")
    broken = {
        "unknown_encoding": good.replace(b"rgb8\0", b"xyz9\0"),
        "bad_step": good.replace((18).to_bytes(4, "little"), (17).to_bytes(4, "little"), 1),
        "bad_size": good.replace((4).to_bytes(4, "little") + (6).to_bytes(4, "little"), bytes(8)),
    }
    for reason, data in broken.items():

        def counted(reason=reason, data=data):
            w.camera.images.publish(data)
            return w.node.monitor.drops().get(reason)

        spin_until(w.executor, counted)
    w.show(count=len(w.received["bodies"]) + 1)


def test_a_corrupt_jpeg_is_counted(world):
    w = world(image_transport="compressed")
    w.camera.images = w.peer.create_publisher(w.camera.images.msg_type, "image/compressed", qos())
    assert w.node.start()
    data = cdr.write_compressed_image(w.camera.now(), "camera", np.zeros(50, np.uint8), "jpeg")

    def counted():
        w.camera.images.publish(data)
        return w.node.monitor.drops().get("undecodable")

    spin_until(w.executor, counted)


def test_old_images_are_dropped(world):
    w = world(max_frame_age_s=0.5)
    assert w.node.start()
    ancient = cdr.Stamp(1_000_000_000, 0)

    def counted():
        w.camera.publish_image(stamp=ancient)
        return w.node.monitor.drops().get("too_old")

    spin_until(w.executor, counted)
    assert w.received["bodies"] == []


def test_parameters_take_effect_while_running(world):
    w = world()
    w.subscribe(MarkerArray, "markers")
    assert w.node.start()
    w.show_calibrated()
    w.show(until="markers")
    assert w.node.set_parameters([Parameter("publish_markers", value=False)])[0].successful
    set_at = w.camera.now()
    w.show(count=len(w.received["bodies"]) + 5)
    stamps = [m.header.stamp for array in w.received["markers"] for m in array.markers]
    assert max((s.sec, s.nanosec) for s in stamps) <= (set_at.sec, set_at.nanosec)


def test_what_is_looked_at_is_in_the_target_frame_or_missing(world):
    w = world(target_frame="odom", tf_timeout_s=0.0)
    for kind, topic in ((MarkerArray, "markers"), (Marker, "mesh"), (DiagnosticArray, "/diagnostics")):
        w.subscribe(kind, topic)
    assert w.node.start()
    w.show_calibrated()

    def problems():
        w.show(count=len(w.received["bodies"]) + 1)
        return [s for a in w.received["/diagnostics"] for s in a.status if "no people in RViz" in s.message]

    spin_until(w.executor, problems)
    assert problems()[-1].level == DiagnosticStatus.ERROR
    assert w.node.monitor.drops()["no_transform"] > 0
    assert w.received["mesh"] == []
    assert not [m for a in w.received["markers"] for m in a.markers]

    latched = qos(durability=DurabilityPolicy.TRANSIENT_LOCAL)
    transform = TransformStamped(child_frame_id="camera_optical_frame")
    transform.header.frame_id, transform.transform.translation.x = "odom", 100.0
    w.peer.create_publisher(TFMessage, "/tf_static", latched).publish(TFMessage(transforms=[transform]))
    marker = w.show(until="mesh")
    assert marker.header.frame_id == "odom"
    assert 98 < marker.points[0].x < 102
    spin_until(w.executor, lambda: w.show() and [m for a in w.received["markers"] for m in a.markers])
    assert {m.header.frame_id for a in w.received["markers"] for m in a.markers} == {"odom"}


@pytest.mark.parametrize(("kind", "topic"), [(MarkerArray, "markers"), (Marker, "mesh")])
def test_a_missing_transform_is_reported_for_each_topic_of_rviz(world, kind, topic):
    w = world(target_frame="odom", tf_timeout_s=0.0)
    w.subscribe(kind, topic)
    assert w.node.start()
    w.show_calibrated()
    w.show_until(lambda: w.node.monitor.drops().get("no_transform"))
    w.show_until(lambda: (last := w.node.monitor.last_processed()) and last.output_problem)
    assert w.node.monitor.last_processed().output_problem.startswith("no people in RViz: ")


def test_without_subscribers_a_missing_transform_is_no_problem(world):
    w = world(target_frame="odom", tf_timeout_s=0.0)
    assert w.node.start()
    w.show_calibrated(count=5)
    assert w.node.monitor.last_processed().output_problem == ""
    assert "no_transform" not in w.node.monitor.drops()


def test_the_ground_is_looked_up_and_reported(world):
    w = world(ground_frame="base_footprint", tf_timeout_s=0.0)
    w.subscribe(DiagnosticArray, "/diagnostics")
    assert w.node.start()
    w.show_until(lambda: w.reported("ground") == "not known")
    warnings = [s for a in w.received["/diagnostics"] for s in a.status if "no ground" in s.message]
    assert {s.level for s in warnings} == {DiagnosticStatus.WARN}

    latched = qos(durability=DurabilityPolicy.TRANSIENT_LOCAL)
    transform = TransformStamped(child_frame_id="camera_optical_frame")
    transform.header.frame_id, transform.transform.translation.z = "base_footprint", 1.25
    transform.transform.rotation.x, transform.transform.rotation.w = -(0.5**0.5), 0.5**0.5
    w.peer.create_publisher(TFMessage, "/tf_static", latched).publish(TFMessage(transforms=[transform]))
    w.show_until(lambda: w.reported("ground").startswith("1.25 m below the camera"))
    assert w.reported("people on the ground").isdigit()


def test_the_world_is_looked_up_and_its_absence_reported(world, monkeypatch):
    w, given = world(world_frame="odom", tf_timeout_s=0.0), []
    w.subscribe(DiagnosticArray, "/diagnostics")
    assert w.node.start()
    monkeypatch.setattr(
        type(w.node._pipeline), "_view", lambda self, camera, pose: given.append(pose)
    )  # whether the pipeline knows a pose

    def warned():
        return {s.level for a in w.received["/diagnostics"] for s in a.status if "world_frame 'odom'" in s.message}

    w.show_until(warned)
    assert warned() == {DiagnosticStatus.WARN}
    assert set(given) == {None}
    latched = qos(durability=DurabilityPolicy.TRANSIENT_LOCAL)
    transform = TransformStamped(child_frame_id="camera_optical_frame")
    transform.header.frame_id, transform.transform.translation.x, transform.transform.rotation.w = "odom", 2.0, 1.0
    w.peer.create_publisher(TFMessage, "/tf_static", latched).publish(TFMessage(transforms=[transform]))
    w.show_until(lambda: given[-1] is not None)
    assert given[-1].world_from_optical.translation.tolist() == [2.0, 0.0, 0.0]


def test_all_frames_are_looked_up_in_one_subscription_of_tf(world):
    w = world(ground_frame="base_footprint", target_frame="odom", world_frame="odom", **{"planning.frame": "map"})
    assert w.node.start()
    topics = [subscription.topic_name for subscription in w.node.subscriptions]
    assert (topics.count("/tf"), topics.count("/tf_static")) == (1, 1)


def test_meshes_get_coarser_while_running(world):
    w = world(mesh_faces=5000)
    w.subscribe(Marker, "mesh")
    assert w.node.start()
    w.show_calibrated()
    assert 3 * 4900 < len(w.show(until="mesh").points) <= 3 * 5000
    assert w.node.set_parameters([Parameter("mesh_faces", value=500)])[0].successful
    spin_until(w.executor, lambda: len(w.show(until="mesh").points) <= 3 * 500)


def test_the_mesh_is_not_decimated_again_for_another_parameter(world, monkeypatch):
    w = world(mesh_faces=500)
    w.subscribe(Marker, "mesh")
    assert w.node.start()
    monkeypatch.setattr(outputs, "coarse_faces", pytest.fail)
    assert w.node.set_parameters([Parameter("max_people", value=3)])[0].successful
    w.show_calibrated()
    w.show(until="mesh")


def test_a_bug_in_the_pipeline_is_reported_and_survived(world):
    w = world()
    assert w.node.start()
    w.show()
    original, w.detector.detect = w.detector.detect, lambda *args: 1 / 0

    def counted():
        w.camera.publish_image()
        return w.node.monitor.drops().get("internal_error")

    spin_until(w.executor, counted)
    w.detector.detect = original
    w.show(count=len(w.received["bodies"]) + 1)


def test_after_a_bug_tracking_begins_again_and_the_old_tracks_are_lost(world):
    w = world(people=2)
    assert w.node.start()
    w.show_calibrated()
    before = {body.id for body in w.received["bodies"][-1].bodies}
    topics = [f"bodies/{name}/joint_states" for name in before]
    spin_until(w.executor, lambda: all(w.peer.count_publishers(topic) for topic in topics))
    estimate, bugs = w.estimator.estimate, [ZeroDivisionError("a bug")]

    def crash_once(*args):
        if bugs:
            raise bugs.pop()
        return estimate(*args)

    w.estimator.estimate = crash_once
    w.show_until(lambda: w.node.monitor.drops().get("internal_error"))
    w.show_calibrated(count=len(w.received["bodies"]) + 2)
    assert w.node.monitor.drops()["internal_error"] == 1
    after = {body.id for body in w.received["bodies"][-1].bodies}
    assert len(after) == 2
    assert not before & after
    lost = {b.id for m in w.received["bodies"] for b in m.bodies if b.state == SmplBody.LOST}
    assert lost == before
    spin_until(w.executor, lambda: not any(w.peer.count_publishers(topic) for topic in topics))


def test_a_bug_in_the_outputs_is_survived_too(world, monkeypatch):
    w = world()
    assert w.node.start()
    w.show()

    def crash(*args):
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patch:
        for method in ("publish", "end"):
            patch.setattr(Outputs, method, crash)
        w.show_until(lambda: w.node.monitor.drops().get("internal_error"))
    w.show(count=len(w.received["bodies"]) + 1)


def test_the_lifecycle_can_be_walked_again_and_again(world):
    w = world()
    for _ in range(3):
        assert w.node.trigger_configure() == SUCCESS
        assert w.node.trigger_activate() == SUCCESS
        w.show(count=len(w.received["bodies"]) + 1)
        assert w.node.trigger_deactivate() == SUCCESS
        stamp = w.camera.publish_image()
        for _ in range(5):  # bodies that were on their way may still come
            w.executor.spin_once(timeout_sec=0.02)
        last = w.received["bodies"][-1].header.stamp
        assert (last.sec, last.nanosec) < (stamp.sec, stamp.nanosec)
        assert w.node.trigger_cleanup() == SUCCESS


def test_methods_that_disagree_are_a_warning(world):
    w = world(max_disagreement_m=0.1)
    w.subscribe(DiagnosticArray, "/diagnostics")
    assert w.node.start()

    def warned(words):
        w.show_calibrated(count=len(w.received["bodies"]) + 1)
        statuses = [s for a in w.received["/diagnostics"] for s in a.status if s.name.endswith("bodies")]
        return [s for s in statuses[-1:] if words in s.message]

    spin_until(w.executor, lambda: warned("running"))
    w.estimator.disagreement = 0.3
    spin_until(w.executor, lambda: warned("the two methods disagree by 0.30 m"))
    assert warned("disagree")[0].level == DiagnosticStatus.WARN
    assert list(w.received["bodies"][-1].bodies[0].disagreement) == pytest.approx([0.3] * 24)


def test_what_the_networks_log_is_in_the_node_s_log(executor, capfd):
    def build(config):
        logging.getLogger("hmr_ros.perception.methods").warning("global_to_pixel.json is missing")
        raise ValueError("and that is the end of this test")

    node = HmrNode(build)
    executor.add_node(node)
    node.trigger_configure()
    node.trigger_configure()
    lines = [line for line in capfd.readouterr().err.splitlines() if "is missing" in line]
    assert len(lines) == 2
    assert all("[WARN]" in line and "[hmr]" in line for line in lines)


def test_a_failing_configuration_leaves_the_node_unconfigured(executor, capfd):
    def build(config):
        raise ValueError("models/pose2mesh.json: no such manifest")

    node = HmrNode(build)
    executor.add_node(node)
    assert not node.start()
    assert "no such manifest" in capfd.readouterr().err
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE  # still unconfigured: it may be tried again


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_ends_cleanly_when_asked_to(executor, signal_number):
    peer = Node("peer", namespace="/asked")
    executor.add_node(peer)
    reports = []
    peer.create_subscription(DiagnosticArray, "/diagnostics", reports.append, qos())
    command = [sys.executable, "-m", "hmr_ros.bench.stub_node", "--ros-args", "-r", "__ns:=/asked"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            spin_until(executor, lambda: [r for r in reports if r.status[0].hardware_id == "asked/hmr"])
            process.send_signal(signal_number)
            _, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_bad_parameter_ends_the_process_with_its_name():
    command = [sys.executable, "-m", "hmr_ros.bench.stub_node", "--ros-args", "-p", "max_people:=0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "max_people" in done.stderr
    assert "Traceback" not in done.stderr


NO_LOG = "Failed to create log directory '/dev/null/log': 20; set ROS_LOG_DIR to a directory that may be written"


@pytest.mark.parametrize(
    ("arguments", "environment", "reason"),
    [
        ([], {"ROS_LOG_DIR": "/dev/null/log"}, f"failed to initialize logging: {NO_LOG}"),
        (["--params-file", "no.yaml"], {}, "Couldn't parse params file: '--params-file no.yaml'. Error: "),
    ],
)
@pytest.mark.parametrize("module", ["hmr_ros.bench.stub_node", "hmr_ros.ros.player.player"])
def test_where_ros_does_not_start_one_line_says_why(module, arguments, environment, reason):
    command = [sys.executable, "-m", module, *(["clip.mp4"] if "player" in module else []), "--ros-args", *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("hmr_")
    assert reason in line
    assert not re.search(r"\.c(pp)?:\d", line), "where in its sources is of no use to who starts a node"


def test_another_node_that_publishes_bodies_is_named_in_diagnostics(world):
    w = world()
    assert w.node.start()
    w.subscribe(DiagnosticArray, "/diagnostics")
    w.peer.create_publisher(SmplBodyArray, "bodies", 1)

    def reported():
        statuses = [status for m in w.received["/diagnostics"] for status in m.status]
        return [s for s in statuses if "/bodies has 2 publishers (" in s.message and "/peer" in s.message]

    w.show_until(reported)
    assert reported()[0].level == DiagnosticStatus.WARN


def test_images_of_another_frame_end_all_tracks(world, capfd):
    w = world()
    assert w.node.start()
    w.show_until(lambda: any(b.state == SmplBody.TRACKED for m in w.received["bodies"][-1:] for b in m.bodies))
    before = {b.id for b in w.received["bodies"][-1].bodies}

    def lost():
        return {b.id for m in w.received["bodies"] for b in m.bodies if b.state == SmplBody.LOST}

    w.show_until(lambda: lost() >= before, frame_id="other_camera")
    w.show_until(lambda: w.received["bodies"][-1].header.frame_id == "other_camera", frame_id="other_camera")
    assert not before & {b.id for b in w.received["bodies"][-1].bodies if b.state == SmplBody.TRACKED}
    assert "images changed from frame 'camera_optical_frame' to 'other_camera'" in capfd.readouterr().err
