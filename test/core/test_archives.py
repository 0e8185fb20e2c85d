# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.archives import open_archive


def archive_of(member: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.writestr("a.npy", member)
    return stream.getvalue()


def array_file(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)  # type: ignore[arg-type]
    return stream.getvalue()


def spoiled(data: bytes, at: int, content: bytes) -> bytes:
    return data[:at] + content + data[at + len(content) :]


WHOLE = archive_of(array_file(np.arange(4.0)))
HEADER = b"\x93NUMPY\x01\x00\x10\x00"

BROKEN = {
    "empty": b"",
    "cut off": WHOLE[:40],
    "no archive": b"PK\x03\x04",
    "one array": array_file(np.arange(4.0)),
    "pickled objects": archive_of(array_file(np.array([{}], dtype=object))),
    "a header that is no Python": archive_of(HEADER + b"\x00 not a dict(((\n"),
    "a header without end": archive_of(HEADER + b"{'descr': (      "),
    "an unknown compression": spoiled(WHOLE, WHOLE.index(b"PK\x01\x02") + 10, b"\x63\x00"),
    "damaged compression": spoiled(archive_of(array_file(np.zeros(500)), zipfile.ZIP_DEFLATED), 35, b"\xff" * 9),
    "a directory far away": spoiled(WHOLE, len(WHOLE) - 6, b"\x00\xff\xff\xff"),
    "a member before the file": spoiled(WHOLE, WHOLE.index(b"PK\x01\x02") + 42, b"\xff\xff\xff\x7f"),
    "of the wrong check sum": spoiled(WHOLE, 35 + 130, b"\xff"),
}


def total(path: Path) -> float:
    with open_archive(path) as archive:
        return float(archive["a"].sum())


def test_arrays_are_read(tmp_path: Path):
    path = tmp_path / "whole.npz"
    path.write_bytes(WHOLE)
    assert total(path) == 6


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_archive_is_refused_with_a_value_error(tmp_path: Path, name: str):
    path = tmp_path / "broken.npz"
    path.write_bytes(BROKEN[name])
    with pytest.raises(ValueError, match=r"."):
        total(path)


def test_a_text_is_not_taken_for_a_pickle(tmp_path: Path):
    path = tmp_path / "settings.npz"
    path.write_text("recipe = 'compact'")
    with pytest.raises(ValueError, match=r"it is not an \.npz archive$"), open_archive(path):
        pass


def test_what_the_reader_trips_over_is_a_value_error_too(tmp_path: Path):
    path = tmp_path / "whole.npz"
    path.write_bytes(WHOLE)
    with pytest.raises(ValueError, match=r"not a readable archive \(KeyError: .*absent"), open_archive(path) as archive:
        archive["absent"]


def test_a_file_that_cannot_be_opened_stays_an_os_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError), open_archive(tmp_path / "absent.npz"):
        pass
