# SPDX-License-Identifier: Apache-2.0
import json

from hmr_ros.running.many.merging import merge, same_people


def body(body_id, x, state="TRACKED"):
    """A person of 100 px at ``x``, one of whose keypoints is not known."""
    return {"id": body_id, "state": state, "kp2d": [[x, 50], [x + 60, 130], [None, None]]}


def line(frame, *bodies, lost=()):
    return {"frame": frame, "stamp_s": 0.1 * frame, "lost": list(lost), "bodies": list(bodies)}


def write(directory, *lines):
    directory.mkdir()
    (directory / "bodies.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    return directory


def test_people_are_the_same_where_their_keypoints_agree():
    before = {k: [body(1, 0), body(2, 200)] for k in range(3)}
    now = {k: [body(7, 201), body(8, 3), body(9, 500)] for k in range(3)}
    assert same_people(before, now) == {7: 2, 8: 1}
    assert same_people(before, {}) == {}
    assert same_people({9: [body(1, 0)]}, now) == {}


def test_most_images_decide_and_each_id_has_one_partner():
    before = {0: [body(1, 0), body(2, 12)], 1: [body(1, 0), body(2, 100)], 2: [body(1, 0), body(2, 100)]}
    now = {0: [body(5, 4)], 1: [body(5, 101)], 2: [body(5, 102)]}
    assert same_people(before, now) == {5: 2}
    both = {k: [body(5, 0), body(6, 1)] for k in range(3)}
    assert sorted(same_people({k: [body(1, 0)] for k in range(3)}, both).values()) == [1]


def test_ids_go_on_new_people_get_new_ones_and_whom_the_next_chunk_has_not_is_lost(tmp_path):
    first = write(
        tmp_path / "0", line(0, body(1, 0)), line(1, body(1, 0), body(2, 200)), line(2, body(1, 0), body(2, 200))
    )
    second = write(
        tmp_path / "1",
        line(1, body(1, 200, "TENTATIVE")),
        line(2, body(1, 200)),
        line(3, body(1, 200), body(2, 700)),
        line(4, body(2, 700), lost=[1, 99]),
    )
    out = tmp_path / "out"
    out.mkdir()
    summary = merge([first, second], out)
    lines = [json.loads(text) for text in (out / "bodies.jsonl").read_text().splitlines()]
    assert [each["frame"] for each in lines] == [0, 1, 2, 3, 4]
    assert [[each["id"] for each in one["bodies"]] for one in lines] == [[1], [1, 2], [1, 2], [2, 3], [3]]
    assert [one["lost"] for one in lines] == [[], [], [], [1], [2]]
    assert (summary.images, summary.bodies, summary.people) == (5, 8, 3)


def test_each_camera_is_put_together_by_itself(tmp_path):
    chunks = []
    for k in range(2):
        chunk = tmp_path / str(k)
        chunk.mkdir()
        for name in ("front", "back"):
            write(chunk / name, line(2 * k, body(1, 0)), line(2 * k + 1, body(1, 0)))
        chunks.append(chunk)
    out = tmp_path / "out"
    out.mkdir()
    assert merge(chunks, out).images == 8
    assert len((out / "front/bodies.jsonl").read_text().splitlines()) == 4
