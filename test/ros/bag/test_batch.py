# SPDX-License-Identifier: Apache-2.0
"""Recording in, bodies out: which images, with what belongs to them, and what the result holds."""

import json

import numpy as np
import pytest

pytest.importorskip("mcap")

from hmr_ros.ros.bag import replaying
from hmr_ros.ros.bag.recording import RecordingError
from hmr_ros.ros.wire.messages import person_name
from test.ros.bag.recordings import (
    BEGAN_NS,
    FRAME,
    IMAGE,
    PERIOD_NS,
    compressed,
    depth,
    image,
    info,
    note,
    scene,
    transform,
    write_mcap,
)
from test.ros.bag.runs import build, published, recorded, run


@pytest.fixture
def bag(tmp_path):
    """Call ``bag(said)`` for a recording of it; the result of its run is in ``out``."""
    return lambda said: write_mcap(tmp_path / "bag.mcap", said)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def lines(out):
    return [json.loads(line) for line in (out / "bodies.jsonl").read_text().splitlines()]


def test_every_image_has_its_bodies_under_its_stamp(bag, out):
    summary, problems = run(bag(scene(6)), out)
    assert (summary.images, summary.bodies, summary.people) == (6, 12, 2)
    assert problems == []
    bodies = published(out, "/bodies")
    stamps = [message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for _, _, message in bodies]
    expected = [BEGAN_NS + k * PERIOD_NS for k in range(6)]
    assert stamps == [*expected, expected[-1]]
    assert [log_ns for _, log_ns, _ in bodies] == stamps
    assert all(body.valid for body in bodies[0][2].bodies), "calibration comes before the image or soon after"
    assert [body.state for body in bodies[-1][2].bodies] == [3, 3], "all tracks end with the recording"
    assert [line["frame"] for line in lines(out)] == list(range(6))
    assert [line["stamp_s"] for line in lines(out)] == pytest.approx([0.1 * k for k in range(6)])
    assert [line["header_stamp_ns"] for line in lines(out)] == expected
    assert lines(out)[0]["camera"]["K"][0][0] == 500
    assert lines(out)[0]["bodies"][0]["id"] == 1


def test_the_result_has_the_nodes_topics_with_their_definitions(bag, out):
    run(bag(scene(3)), out, people=1, parameters=["planning.collision_objects:=true"])
    name = person_name(1)
    topics = {topic for topic, *_ in recorded(out)}
    of_person = {"joint_states", "position", "roi", "skeleton2d", "urdf", "velocity"}
    assert topics == {
        "/bodies",
        "/markers",
        "/mesh",
        "/mesh_points",
        "/people",
        "/collision_object",
        "/tf",
        "/diagnostics",
        "/humans/bodies/tracked",
        f"/bodies/{name}/joint_states",
        *(f"/humans/bodies/{name}/{topic}" for topic in of_person),
    }


def test_two_runs_are_the_same_to_the_byte(bag, tmp_path):
    path = bag(scene(8))
    for name in ("a", "b"):
        run(path, tmp_path / name)
    for file in ("bodies.mcap", "bodies.jsonl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_other_readers_read_the_result(bag, out):
    highlevel = pytest.importorskip("rosbags.highlevel")
    run(bag(scene(3)), out)
    with highlevel.AnyReader([out / "bodies.mcap"]) as reader:
        read = [reader.deserialize(raw, connection.msgtype) for connection, _, raw in reader.messages()]
        latched = [c for c in reader.connections if c.topic.endswith("/tracked")]
    assert len(read) == len(recorded(out))
    assert latched[0].ext.offered_qos_profiles[0].durability.value == 1


def test_compressed_images_are_read(bag, out):
    said = [each for k in range(3) for each in (info(BEGAN_NS + k * PERIOD_NS), compressed(BEGAN_NS + k * PERIOD_NS))]
    summary, problems = run(bag(said), out)
    assert (summary.images, problems) == (3, [])
    assert lines(out)[0]["image"] == "/camera/image_raw/compressed"


def test_raw_images_come_before_compressed_ones_of_the_same_camera(bag, out):
    said = [*scene(2), compressed(BEGAN_NS), compressed(BEGAN_NS + PERIOD_NS)]
    _, problems = run(bag(said), out)
    assert lines(out)[0]["image"] == "/camera/image_raw"
    assert "--image NAME for another (/camera/image_raw/compressed)" in problems[0]
    run(bag(said), out, images=["camera/image_raw/compressed"])
    assert lines(out)[0]["image"] == "/camera/image_raw/compressed"


def two_cameras(count=3):
    said = []
    for k in range(count):
        ns = BEGAN_NS + k * PERIOD_NS
        said += [info(ns, "/front/camera_info", 400), image(ns, "/front/image_raw")]
        said += [info(ns, "/back/camera_info", 600), image(ns + 1, "/back/image_raw", frame="back")]
    return said


def test_one_of_several_cameras_is_chosen_and_the_others_are_named(bag, out):
    summary, problems = run(bag(two_cameras()), out)
    assert summary.images == 3
    assert "reading /back/image_raw; --image NAME for another (/front/image_raw), --image all" in problems[0]


def test_every_camera_has_its_topics_files_and_ids(bag, out):
    summary, _ = run(bag(two_cameras()), out, images=["all"], people=1)
    assert (summary.images, summary.people) == (6, 2)
    assert {line["bodies"][0]["id"] for line in lines(out / "front-image_raw")} == {1}
    assert {line["bodies"][0]["id"] for line in lines(out / "back-image_raw")} == {2}
    assert lines(out / "front-image_raw")[0]["camera"]["K"][0][0] == 400
    topics = {topic for topic, *_ in recorded(out)}
    assert {"/front/bodies", "/back/bodies", "/front/markers", "/back/mesh", "/tf"} <= topics


def test_merged_results_hold_the_recording_too(bag, out):
    said = scene(4)
    run(bag(said), out, merges=True)
    assert [message.data for _, _, message in published(out, "/notes")] == [f"note {k}" for k in range(4)]
    found = recorded(out)
    assert [topic for topic, *_ in found].count("/camera/image_raw") == 4
    assert [topic for topic, *_ in found].count("/bodies") == 5


def test_a_result_that_is_merged_again_holds_bodies_once(bag, out, tmp_path):
    run(bag(scene(3)), tmp_path / "first", merges=True)
    summary, problems = run(tmp_path / "first" / "bodies.mcap", out, merges=True)
    assert summary.images == 3
    assert "bodies of an earlier run are left out of the result (2" in problems[0]
    topics = [topic for topic, *_ in recorded(out)]
    assert (topics.count("/bodies"), topics.count("/markers"), topics.count("/notes")) == (4, 4, 3)
    assert topics.count("/humans/bodies/tracked") == 5


def test_of_problems_of_one_kind_a_few_are_named(bag, out):
    said = scene(8)
    broken = [type(each)(each.topic, each.log_ns, each.data[:1000]) if each.topic == IMAGE else each for each in said]
    summary, problems = run(bag(broken), out)
    assert (summary.images, summary.unreadable) == (0, 8)
    assert [problem.partition(" is left out")[0] for problem in problems] == [f"{IMAGE}: image {k}" for k in range(3)]
    assert problems[-1].endswith("(and more of this kind)")


def test_depth_and_transforms_that_come_a_little_later_are_used(bag, out):
    pipelines = []
    said = []
    for k in range(3):
        ns = BEGAN_NS + k * PERIOD_NS
        said += [info(ns), image(ns), note(ns + 1, "")]
        said.append(depth(ns + 30_000_000))
        said += [transform(ns + 2_000_000)] if k == 0 else []
    seen = []

    def opened(config, parts):
        pipeline = build(1, pipelines)(config, parts)
        placing = pipeline._placing
        measured = placing.measured
        placing.measured = lambda *arguments: seen.append(arguments[3].depth) or measured(*arguments)
        return pipeline

    _, problems = run(bag(said), out, opened=opened, depth="/camera/depth", parameters=["target_frame:=odom"])
    assert problems == []
    assert [float(np.median(of.z)) for of in seen] == pytest.approx([2.5] * 3)
    frames = {message.markers[0].header.frame_id for _, _, message in published(out, "/markers") if message.markers}
    assert "odom" in frames


def test_the_camera_is_where_the_recording_has_it_in_the_world(bag, out):
    said, pipelines, poses = [], [], []
    for k in range(6):
        ns = BEGAN_NS + k * PERIOD_NS
        said += [info(ns), image(ns)]
        said += [transform(ns, x=0.1 * k if k < 4 else 9.0, topic="/tf")] if k != 1 else []

    def opened(config, parts):
        pipeline = build(1, pipelines)(config, parts)
        view = pipeline._view
        pipeline._view = lambda camera, pose: poses.append(pose) or view(camera, pose)
        return pipeline

    summary, problems = run(bag(said), out, opened=opened, parameters=["world_frame:=odom"])
    assert summary.images == 6
    assert [pose.world_from_optical.translation[0] for pose in poses] == pytest.approx([0, 0.1, 0.2, 0.3, 9, 9])
    assert len({pose.segment for pose in poses[:4]}) == 1
    assert len(problems) == 1
    assert "world_frame 'odom' jumped by 8.60 m" in problems[0]


def test_without_the_world_the_run_goes_on_and_says_so(bag, out):
    summary, problems = run(bag(scene(3)), out, parameters=["world_frame:=odom"])
    assert summary.images == 3
    assert "the camera counts as still: world_frame 'odom'" in problems[0]


def test_calibration_and_static_transforms_serve_the_images_before_them(bag, out):
    said = [image(BEGAN_NS + k * PERIOD_NS) for k in range(20)]
    said += [info(BEGAN_NS + 10 * PERIOD_NS), transform(BEGAN_NS + 11 * PERIOD_NS)]
    summary, problems = run(bag(said), out, parameters=["target_frame:=odom"])
    assert (summary.images, problems) == (20, [])
    assert all(body.valid for _, _, m in published(out, "/bodies")[:20] for body in m.bodies)


def test_without_calibration_a_field_of_view_is_assumed_and_reported(bag, out):
    summary, problems = run(bag([image(BEGAN_NS), image(BEGAN_NS + PERIOD_NS)]), out)
    assert summary.images == 2
    assert problems == [
        "no CameraInfo on /camera/camera_info: a field of view is assumed, distances are right only as far as it is. "
        "Give --fov"
    ]
    assert lines(out)[0]["camera"]["K"][0][0] == pytest.approx(320 / np.tan(np.pi / 6), rel=1e-2)
    _, problems = run(bag([info(BEGAN_NS, focal=0.0), image(BEGAN_NS)]), out)
    assert "K: expected a camera matrix" in problems[0]


def test_a_given_camera_takes_the_place_of_the_recorded_one(bag, out):
    _, problems = run(bag(scene(2)), out, fov=90.0)
    assert problems == []
    assert lines(out)[0]["camera"]["K"][0][0] == pytest.approx(320, rel=1e-2)


def test_images_without_a_stamp_have_the_time_of_recording(bag, out):
    said = [info(BEGAN_NS)] + [image(0, log_ns=BEGAN_NS + k * PERIOD_NS) for k in range(3)]
    run(bag(said), out)
    assert [line["header_stamp_ns"] for line in lines(out)] == [BEGAN_NS + k * PERIOD_NS for k in range(3)]


def test_stamps_that_jump_end_tracks_and_stamps_that_stand_still_are_named(bag, out):
    stamps = [BEGAN_NS, BEGAN_NS + PERIOD_NS, BEGAN_NS + PERIOD_NS, BEGAN_NS - 10**10, BEGAN_NS - 10**10 + PERIOD_NS]
    said = [info(BEGAN_NS)] + [image(ns, log_ns=BEGAN_NS + k * PERIOD_NS) for k, ns in enumerate(stamps)]
    summary, problems = run(bag(said), out, people=1)
    assert (summary.images, summary.unreadable) == (4, 1)
    assert "repeated_stamp" in problems[0]
    assert "time jumped back by 10.1 s: all tracks end" in problems[1]
    assert [line["bodies"][0]["id"] for line in lines(out)] == [1, 1, 2, 2]
    assert lines(out)[2]["lost"] == [1]


def test_images_that_cannot_be_read_are_named_and_left_out(bag, out):
    said = scene(3)
    broken = said[4]
    said[4] = type(broken)(broken.topic, broken.log_ns, broken.data[:1000])
    summary, problems = run(bag(said), out)
    assert (summary.images, summary.unreadable) == (2, 1)
    assert "/camera/image_raw: image 1 is left out" in problems[0]
    assert [line["frame"] for line in lines(out)] == [0, 2]


def test_a_part_of_a_recording_is_read(bag, out):
    run(bag(scene(10)), out, every=2, start_s=0.2, seconds=0.5)
    assert [line["frame"] for line in lines(out)] == [2, 4, 6]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"images": ["/gone"]},
            r"--image /gone: no such topic; it has /camera/camera_info \(sensor",
        ),
        ({"images": ["/notes"]}, "--image /notes: expected sensor_msgs/msg/Image"),
        ({"depth": "/gone"}, "--depth /gone: no such topic"),
        ({"merges": True, "saved": ("json",)}, "--merge"),
        ({"parameters": ["use_depth:=true"]}, "--depth TOPIC"),
    ],
)
def test_mistakes_are_named_before_any_network_is_opened(bag, out, asked, words):
    with pytest.raises(RecordingError, match=words):
        run(bag(scene(2)), out, opened=pytest.fail, **asked)


def test_recordings_without_images_or_messages_are_named(bag, out):
    with pytest.raises(RecordingError, match=r"no images in this recording: it has /notes \(std_msgs/msg/String\)"):
        run(bag([note(BEGAN_NS, "")]), out)
    with pytest.raises(RecordingError, match="no images in this recording: there are no topics"):
        run(bag([]), out)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mesh_faces=3", "expected NAME:=VALUE"),
        ("meshfaces:=3", "did you mean 'mesh_faces'"),
        ("max_people:=[", "value"),
    ],
)
def test_wrong_parameters_are_named(bag, out, text, words):
    with pytest.raises(ValueError, match=words):
        run(bag(scene(1)), out, parameters=[text])


def test_diagnostics_are_of_the_recordings_seconds(bag, out):
    run(bag(scene(25)), out)
    reports = [message.status[0] for _, _, message in published(out, "/diagnostics")]
    values = [{pair.key: pair.value for pair in status.values} for status in reports]
    assert [value["images processed"] for value in values] == ["11", "10", "4"]
    assert [value["people"] for value in values] == ["2"] * 3
    assert {(status.name, status.message, status.level) for status in reports} == {("hmr: bodies", "running", b"\0")}


def cut(said, size):
    return type(said)(said.topic, said.log_ns, said.data[:size])


def test_broken_calibration_transforms_and_depth_are_named(bag, out):
    said = [cut(info(BEGAN_NS), 40), cut(transform(BEGAN_NS), 30), image(BEGAN_NS)]
    said += [image(BEGAN_NS + PERIOD_NS), depth(BEGAN_NS + 4 * PERIOD_NS)]
    summary, problems = run(bag(said), out, depth="/camera/depth", parameters=["target_frame:=odom"])
    assert summary.images == 2
    words = [
        "unreadable TF message",
        "CameraInfo on /camera/camera_info cannot be read",
        "no CameraInfo on /camera/camera_info",
        "/camera/depth: an image without depth, as no depth image",
        "camera_optical_frame and odom are not connected in TF",
    ]
    for each in words:
        assert any(each in problem for problem in problems), (each, problems)


def test_calibration_of_another_frame_is_named(bag, out):
    _, problems = run(bag([info(BEGAN_NS, frame="other"), image(BEGAN_NS)]), out)
    assert "images are in frame 'camera_optical_frame', the CameraInfo on /camera/camera_info in 'other'" in problems[0]


def test_rectified_images_have_a_projection_of_their_own(bag, out):
    said = [info(BEGAN_NS), image(BEGAN_NS, "/camera/image_rect")]
    run(bag(said), out)
    assert lines(out)[0]["camera"]["K"][0][0] == pytest.approx(550)
    run(bag(said), out, parameters=["rectified:=never"])
    assert lines(out)[0]["camera"]["K"][0][0] == pytest.approx(500)


def test_images_in_another_frame_begin_again(bag, out):
    said = [info(BEGAN_NS)] + [image(BEGAN_NS + k * PERIOD_NS, frame=FRAME if k < 2 else "other") for k in range(4)]
    _, problems = run(bag(said), out, people=1)
    assert any("images changed to frame 'other': all tracks end" in problem for problem in problems)
    assert [line["bodies"][0]["id"] for line in lines(out)] == [1, 1, 2, 2]


def test_rates_of_images_are_measured_in_the_beginning():
    assert replaying._rate_hz([0, 10**8, 2 * 10**8]) == pytest.approx(10)
    assert replaying._rate_hz([5]) == replaying._rate_hz([5, 5]) == 10.0
