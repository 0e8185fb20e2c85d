# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hmr_ros.recording.directory import check_free, free_directory, prepare, written_files


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_each_run_has_a_directory_of_its_own(tmp_path):
    assert free_directory("clip", tmp_path) == tmp_path / "clip"
    touch(tmp_path / "clip" / "bodies.jsonl")
    assert free_directory("clip", tmp_path) == tmp_path / "clip-2"
    touch(tmp_path / "clip-2" / "overlay" / "a.png")
    assert free_directory("clip", tmp_path) == tmp_path / "clip-3"


def test_a_directory_without_files_of_a_run_is_free(tmp_path):
    touch(tmp_path / "photo.jpg")
    touch(tmp_path / "meshes" / "readme.txt")
    check_free(tmp_path)
    assert free_directory(tmp_path.name, tmp_path.parent) == tmp_path


def test_a_used_directory_is_refused_with_the_remedy(tmp_path):
    touch(tmp_path / "meshes" / "a.glb")
    with pytest.raises(FileExistsError, match="--overwrite"):
        check_free(tmp_path)


def test_a_file_in_place_of_the_directory_is_named(tmp_path):
    with pytest.raises(NotADirectoryError, match="out is a file"):
        check_free(touch(tmp_path / "out"))


def test_preparing_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    kept = [touch(tmp_path / name) for name in ("photo.png", "overlay/notes.txt", "meshes/scene.blend", "my.jsonl")]
    for name in ("bodies.jsonl", "bodies.npz", "overlay.mp4", "overlay/a.png", "meshes/a.glb", "meshes/a.obj"):
        touch(tmp_path / name)
    prepare(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    assert list(written_files(tmp_path)) == []


def test_preparing_makes_the_directory(tmp_path):
    prepare(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_directory_that_cannot_be_made_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(OSError, match=rf"^file/out cannot be made in {tmp_path} \(Not a .*\): choose another --out"):
        prepare(Path("file/out"))
    with pytest.raises(OSError, match=r"^/dev/null/out cannot be made \(Not a directory\)"):
        prepare(Path("/dev/null/out"))
