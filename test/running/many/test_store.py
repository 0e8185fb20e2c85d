# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from hmr_ros.recording.tally import Summary
from hmr_ros.running.many.outcome import Outcome, Status
from hmr_ros.running.many.store import Store, open_store, result_name

ADDRESS = "0123456789abcdef"
OUTCOME = Outcome(
    Status.DONE,
    "c" * 64,
    f"clip-{ADDRESS}",
    summary=Summary(5, 1, 9, 2, interrupted=False, footage_s=0.4, person_s=0.8),
    problems=("a line",),
    cpu_s=1.5,
    wall_s=2.5,
)


def keep(store):
    with store.making(7) as partial:
        (partial / "bodies.jsonl").write_text("{}\n")
        store.keep(partial, ADDRESS, OUTCOME, Path("/in/clip.avi"))


def test_a_result_is_found_with_all_that_is_known_about_it(tmp_path):
    with open_store(tmp_path / "out") as store:
        assert (store.result(ADDRESS), store.results()) == ("", {})
        keep(store)
        assert store.result(ADDRESS) == OUTCOME.result
        assert store.results() == {ADDRESS: OUTCOME.result}
        found = store.outcome(OUTCOME.result)
    assert (found.status, found.summary, found.problems) == (Status.FOUND, OUTCOME.summary, ("a line",))
    assert (found.cpu_s, found.wall_s, found.content) == (1.5, 2.5, "c" * 64)
    assert json.loads((tmp_path / "out" / OUTCOME.result / "run.json").read_text())["input"] == "/in/clip.avi"


def test_a_result_that_is_not_kept_leaves_nothing(tmp_path):
    with open_store(tmp_path) as store:
        with store.making(1) as partial:
            (partial / "bodies.jsonl").write_text("{}\n")
        assert not partial.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".partial/3-host-1").mkdir(parents=True)
    with open_store(tmp_path):
        assert not (tmp_path / ".partial").exists()


def test_the_first_of_two_results_stays(tmp_path):
    with open_store(tmp_path) as store:
        keep(store)
        before = (tmp_path / OUTCOME.result / "bodies.jsonl").stat().st_ino
        keep(store)
    assert (tmp_path / OUTCOME.result / "bodies.jsonl").stat().st_ino == before
    assert not (tmp_path / ".partial").exists()


def test_a_directory_that_cannot_be_moved_is_an_error(tmp_path):
    with open_store(tmp_path) as store:
        (tmp_path / OUTCOME.result).write_text("a file")
        with pytest.raises(OSError, match=ADDRESS):
            keep(store)


def test_one_process_at_a_time(tmp_path):
    with open_store(tmp_path), pytest.raises(FileExistsError, match="another run is writing"), open_store(tmp_path):
        pass


def test_a_damaged_record_is_named_with_its_remedy(tmp_path):
    (tmp_path / OUTCOME.result).mkdir()
    for text in ("{", "[]", "{}", '{"summary": 1, "problems": [], "content": "", "cpu_s": 0, "wall_s": 0}'):
        (tmp_path / OUTCOME.result / "run.json").write_text(text)
        with pytest.raises(ValueError, match="remove clip-"):
            Store(tmp_path).outcome(OUTCOME.result)


def test_known_contents_survive_a_line_that_was_cut_off(tmp_path):
    store = Store(tmp_path)
    assert store.known_contents() == {}
    store.note_content("look", "d" * 64)
    with (tmp_path / ".inputs.jsonl").open("a") as stream:
        stream.write("other dddd")
    assert store.known_contents() == {"look": "d" * 64}


@pytest.mark.parametrize(
    ("source", "name"),
    [("/a/my bag.mcap", "my_bag"), ("/a/.x.avi", "x"), ("/a/" + "x" * 300, "x" * 80), ("/", "input")],
)
def test_names_of_results_are_those_of_the_inputs(source, name):
    assert result_name(Path(source), ADDRESS) == f"{name}-{ADDRESS}"
