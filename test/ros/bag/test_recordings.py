# SPDX-License-Identifier: Apache-2.0
"""Recordings as files: every message once and in order, also where others broke them."""

import sqlite3

import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")

from hmr_ros.ros.bag.opening import is_recording, open_recording
from hmr_ros.ros.bag.recording import RecordingError
from test.ros.bag.recordings import BEGAN_NS, INFO, Said, note, scene, transform, write_mcap, write_ros1, write_rosbag2

NOTES = [note(BEGAN_NS + k, "n" * k) for k in range(40)]


def read(path, topics=None):
    """Topics, messages and problems."""
    problems = []
    recording = open_recording(path, problems.append)
    try:
        said = [Said(r.topic, r.log_ns, bytes(r.data)) for r in recording.records(topics)]
        assert [Said(r.topic, r.log_ns, bytes(r.data)) for r in recording.records(topics)] == said, "read twice"
        return dict(recording.topics), said, problems
    finally:
        recording.close()


def written(kind, path, said):
    if kind in ("ZSTD", "LZ4", "NONE"):
        return write_mcap(path.with_suffix(".mcap"), said, kind)
    if kind == "plain":
        return write_mcap(path.with_suffix(".mcap"), said, use_chunking=False)
    if kind == "unindexed":
        return write_mcap(path.with_suffix(".mcap"), said, repeat_channels=False, use_statistics=False)
    if kind == "db3":
        return next(write_rosbag2(path, said).glob("*.db3"))
    storage, _, mode = kind.partition(" ")
    return write_rosbag2(path, said, storage, mode or None)


KINDS = ["ZSTD", "LZ4", "NONE", "plain", "unindexed", "db3", "SQLITE3", "MCAP", "SQLITE3 FILE", "SQLITE3 MESSAGE"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_is_read_in_order(tmp_path, kind):
    said = scene(3)
    path = written(kind, tmp_path / "bag", said)
    assert is_recording(path)
    topics, found, problems = read(path)
    assert found == said
    assert problems == []
    assert {topic.name: topic.type for topic in topics.values()} == {each.topic: each.type for each in said}
    _, notes, _ = read(path, {"/notes"})
    assert notes == [each for each in said if each.topic == "/notes"]


@pytest.mark.parametrize("kind", ["ZSTD", "db3"])
def test_messages_come_by_time_across_chunks(tmp_path, kind):
    late = [note(BEGAN_NS + 2 * k, "x" * 5000) for k in range(200)]
    early = [note(BEGAN_NS + 2 * k + 1, "y" * 5000, topic="/more/notes") for k in range(100)]
    _, found, _ = read(written(kind, tmp_path / "bag", late + early))
    assert [each.log_ns for each in found] == sorted(each.log_ns for each in late + early)
    assert len(found) == 300


def test_definitions_and_counts_are_kept(tmp_path):
    topics, _, _ = read(write_mcap(tmp_path / "a.mcap", scene(2)))
    assert topics[INFO].count == 2
    assert topics[INFO].schema.startswith("std_msgs/Header header\nuint32 height")
    topics, _, _ = read(write_rosbag2(tmp_path / "b", scene(2)))
    assert "uint32 height" in topics[INFO].schema


def test_a_bag_of_ros_1_has_the_messages_of_ros_2(tmp_path):
    said = [*scene(2), transform(BEGAN_NS + 10**9)]
    topics, found, problems = read(write_ros1(tmp_path / "old.bag", said))
    assert sorted(found, key=str) == sorted(said, key=str)
    assert topics[INFO].type == "sensor_msgs/msg/CameraInfo"
    assert problems == []


def test_a_damaged_bag_of_ros_1_is_read_as_far_as_it_goes(tmp_path):
    path = write_ros1(tmp_path / "old.bag", [note(BEGAN_NS + k, f"note {k:03d} " * 20) for k in range(50)])
    content = bytearray(path.read_bytes())
    at = content.index(b"note 030")
    content[at - 4 : at] = b"\xff\xff\xff\x7f"  # the length of the text
    path.write_bytes(content)
    _, found, problems = read(path)
    assert len(found) == 30
    assert "damaged" in problems[0]


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.98])
@pytest.mark.parametrize("kind", ["ZSTD", "plain"])
def test_a_file_that_was_cut_off_is_read_to_its_last_whole_chunk(tmp_path, part, kind):
    path = written(kind, tmp_path / "bag", scene(6))
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    topics, found, problems = read(path)
    expected = scene(6)
    assert found == expected[: len(found)]
    assert len(found) > (2 if kind == "plain" or part > 0.5 else 0)
    assert "ends early" in problems[0]
    assert set(topics) == {each.topic for each in found}


def test_a_recorder_that_was_killed_leaves_a_readable_file(tmp_path):
    path = write_mcap(tmp_path / "bag.mcap", scene(6), finished=False)
    _, found, problems = read(path)
    assert found == scene(6)[: len(found)] != []
    assert len(problems) == 1


def test_a_damaged_chunk_is_left_out_and_named(tmp_path):
    said = [note(BEGAN_NS + k * 10**8, chr(97 + k) * 60_000) for k in range(20)]
    path = write_mcap(tmp_path / "bag.mcap", said, "NONE", chunk_size=200_000)
    content = bytearray(path.read_bytes())
    at = content.index(b"k" * 1000) + 500
    content[at : at + 8] = b"damaged!"
    path.write_bytes(content)
    _, found, problems = read(path)
    assert [each for each in said if each not in found] == said[8:12]
    assert len(problems) == 1
    assert "damaged chunk" in problems[0]
    assert "0.8 s" in problems[0]


def test_garbage_within_a_file_ends_it(tmp_path):
    path = write_mcap(tmp_path / "bag.mcap", scene(6))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(5000))
    _, found, problems = read(path)
    assert found == scene(6)[: len(found)] != []
    assert "is damaged at byte" in problems[0]


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_database_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path, part):
    said = [note(BEGAN_NS + k * 10**8, "x" * 20_000) for k in range(100)]
    path = written("db3", tmp_path / "bag", said)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    _, found, problems = read(path)
    assert found == said[: len(found)]
    assert len(found) > 30 * part
    assert "damaged" in problems[0]
    assert len(problems) == 1


def test_a_directory_without_its_metadata_is_read(tmp_path):
    path = write_rosbag2(tmp_path / "bag", scene(2))
    (path / "metadata.yaml").unlink()
    assert is_recording(path)
    _, found, problems = read(path)
    assert found == scene(2)
    assert "metadata.yaml" in problems[0]


def test_files_of_a_split_recording_follow_one_another(tmp_path):
    write_mcap(tmp_path / "bag_1.mcap", NOTES[20:])
    write_mcap(tmp_path / "bag_0.mcap", NOTES[:20])
    (tmp_path / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n  relative_file_paths: [bag_0.mcap, bag_gone.mcap, bag_1.mcap]\n"
    )
    topics, found, problems = read(tmp_path)
    assert found == NOTES
    assert topics["/notes"].count == 40
    assert [problem.partition(":")[0].rpartition("/")[2] for problem in problems] == ["bag_gone.mcap"]


def test_a_broken_file_among_others_is_named_and_left_out(tmp_path):
    write_mcap(tmp_path / "a.mcap", NOTES[:20])
    (tmp_path / "b.mcap").write_text("not one")
    write_mcap(tmp_path / "c.mcap", NOTES[20:])
    _, found, problems = read(tmp_path)
    assert found == NOTES
    assert "b.mcap: not an MCAP file" in problems[1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mcap", b"", "not an MCAP file"),
        ("a.mcap", b"\x89MCAP1\r\n", "not an MCAP file"),
        ("a.db3", b"nothing", "not a recording of ROS 2 in sqlite3"),
        ("a.bag", b"#ROSBAG V1.2\n", "a.bag"),
        ("a.db3.zstd", b"nothing", "cannot be decompressed"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=words):
        read(tmp_path / name)


def test_another_database_and_a_missing_file_are_named(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db3") as connection:
        connection.execute("CREATE TABLE goods (id INTEGER)")
    connection.close()
    with pytest.raises(RecordingError, match=r"shop.db3: not a recording of ROS 2"):
        read(tmp_path / "shop.db3")
    with pytest.raises(RecordingError, match=r"gone.mcap: no such file or directory"):
        read(tmp_path / "gone.mcap")


def test_other_encodings_are_named(tmp_path):
    from mcap.writer import Writer

    with (tmp_path / "a.mcap").open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        channel = writer.register_channel(
            "/camera", "protobuf", writer.register_schema("foxglove.Image", "protobuf", b"")
        )
        writer.add_message(channel, 1, b"data", 1)
        channel = writer.register_channel("/bare", "cdr", 0)
        writer.add_message(channel, 1, b"data", 1)
        writer.finish()
    topics, found, problems = read(tmp_path / "a.mcap")
    assert (topics, found) == ({}, [])
    assert "'protobuf'" in problems[0]
    assert "/bare" in problems[1]


def test_directories_of_photos_are_no_recordings(tmp_path):
    (tmp_path / "photo.jpg").touch()
    assert not is_recording(tmp_path)
    assert not is_recording(tmp_path / "photo.jpg")
    assert not is_recording(tmp_path / "gone")
    assert is_recording(tmp_path / "gone.mcap")
