# SPDX-License-Identifier: Apache-2.0
import argparse
import collections
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from hmr_ros.commands import convert_smpl
from hmr_ros.conversion import smpl as smpl_conversion
from hmr_ros.core import restricted_pickle
from hmr_ros.core.body.body_model import SMPL_KEYS, load_body_model
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.restricted_pickle import UnsafePickleError, array, read_pickle

OPEN_BODY = models_dir() / "open_body.npz"


def chumpy_variable(monkeypatch: pytest.MonkeyPatch, values: np.ndarray) -> object:
    """An object that pickles as chumpy.ch.Ch does: chumpy itself does not install any more."""
    module = types.ModuleType("chumpy.ch")
    module.Ch = type("Ch", (), {"__module__": "chumpy.ch", "__getstate__": lambda self: dict(vars(self))})
    for name, content in {"chumpy": types.ModuleType("chumpy"), "chumpy.ch": module}.items():
        monkeypatch.setitem(sys.modules, name, content)
    variable = module.Ch()
    variable.x, variable._dirty_vars = values, {1}
    return variable


@pytest.fixture
def smpl(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The open body, built as SMPL is: a sparse regressor, more (chumpy) shapes than we use, other things."""
    with np.load(OPEN_BODY) as file:
        content = {key: file[key] for key in SMPL_KEYS}
    wide = np.concatenate([content["shapedirs"], np.zeros((6890, 3, 2), np.float32)], -1)
    return content | {
        "J_regressor": sparse.csc_matrix(content["J_regressor"]),
        "shapedirs": chumpy_variable(monkeypatch, wide),
        "bs_type": "lrotmin",
        "other": collections.OrderedDict(a=np.float64(1.0)),
    }


def saved(path: Path, content: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    convert_smpl.add_arguments(parser)
    return convert_smpl.run(parser.parse_args([str(a) for a in arguments]))


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_converted_model_is_the_model(tmp_path: Path, smpl: dict[str, object], protocol: int):
    source, out = saved(tmp_path / "SMPL_NEUTRAL.pkl", smpl, protocol), tmp_path / "smpl.npz"
    assert run(source, out, "--i-trust-this-file") == 0
    converted, expected = load_body_model(out), load_body_model(OPEN_BODY)
    for name in ("v_template", "faces", "shapedirs", "posedirs", "J_regressor", "weights"):
        assert_allclose(getattr(converted, name), getattr(expected, name))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["SMPL_NEUTRAL.pkl", "smpl.npz"]


def test_a_converted_hand_is_the_hand_with_its_mean_pose(tmp_path: Path, capsys):
    """The open hand, built as MANO is, with a mean pose that is not zero."""
    with np.load(models_dir() / "open_hand.npz") as file:
        content = {key: file[key] for key in (*SMPL_KEYS, "hands_components")}
    mean = np.arange(45.0)
    content |= {"hands_mean": mean, "J_regressor": sparse.csc_matrix(content["J_regressor"]), "hands_coeffs": mean}
    out = tmp_path / "mano.npz"
    assert run(saved(tmp_path / "MANO_RIGHT.pkl", content), out, "--i-trust-this-file") == 0
    assert "open_hand" in capsys.readouterr().out
    hand = load_hand_model(out)
    assert_allclose(hand.mean_pose.ravel(), mean)
    assert hand.side == "right"
    with np.load(out) as written:
        assert sorted(written) == sorted([*SMPL_KEYS, "hands_mean", "hands_components"])


def test_a_python_2_pickle_is_read():
    rebuilt = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    state = b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'%s'\ntb"
    numbers = "".join(f"\\x{b:02x}" for b in np.array([1.5, -2.0]).tobytes()).encode()
    content = read_pickle(b"(S'a'\n" + rebuilt + state % numbers + b"d.")
    assert_allclose(array(content["a"], "a"), [1.5, -2])


STATES = {
    "objects": (1, (1,), ("O8", "|"), False, b"12345678"),
    "a longer code": (1, (1,), ("f8,f8", "<"), False, bytes(16)),
    "another byte order": (1, (1,), ("f8", "x"), False, bytes(8)),
    "too few bytes": (1, (3,), ("f8", "<"), False, bytes(8)),
    "a negative shape": (1, (-3, 2), ("f8", "<"), False, bytes(48)),
    "a shape that is none": (1, "wide", ("f8", "<"), False, bytes(8)),
    "a list for bytes": (1, (1,), ("f8", "<"), False, [1.0]),
    "no state": None,
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_is_no_array_of_numbers_is_refused(name: str):
    """numpy takes some of these, and crashes."""
    held = restricted_pickle._Array()
    if STATES[name] is not None:
        version, shape, (code, order), is_fortran, content = STATES[name]
        dtype = restricted_pickle._Dtype(code)
        dtype.__setstate__((3, order))
        held.__setstate__((version, shape, dtype, is_fortran, content))
    with pytest.raises(ValueError, match=r"f is no array of numbers"):
        array(held, "f")


def test_a_small_pickle_takes_little_memory(tmp_path: Path):
    """Its memo of two thousand million entries would be 32 GB in C's unpickler."""
    with pytest.raises(ValueError, match=r"holds a int"):
        read_pickle(b"\x80\x02K\x01r\xff\xff\xff\x7f.")


@pytest.mark.parametrize("matrix", [sparse.csc_matrix, sparse.csr_matrix])
def test_sparse_matrices_become_dense(matrix: type):
    dense = np.arange(12.0).reshape(3, 4) * (np.arange(12).reshape(3, 4) % 3 == 0)
    content = read_pickle(pickle.dumps({"a": matrix(dense)}))
    assert_allclose(array(content["a"], "a"), dense)


def test_keypoint_regressors_are_taken_in(tmp_path: Path, smpl: dict[str, object]):
    source, out = saved(tmp_path / "smpl.pkl", smpl), tmp_path / "smpl.npz"
    rows = np.eye(17, 6890, dtype=np.float32)
    np.save(tmp_path / "rows.npy", rows)
    smpl_conversion.convert(source, out, coco17=tmp_path / "rows.npy")
    assert_allclose(load_body_model(out).regressor("coco17"), rows)
    np.save(tmp_path / "rows.npy", rows[:14])
    with pytest.raises(ValueError, match=r"rows\.npy: expected an array of shape \(17, 6890\), got \(14, 6890\)"):
        smpl_conversion.convert(source, out, human36m=tmp_path / "rows.npy")


def test_the_leg_order_of_a_human36m_regressor_is_told_from_the_body(tmp_path: Path, smpl: dict[str, object], capsys):
    """SPIN's file has the left leg first. Taken as it is, its errors would be larger by the difference of the legs."""
    source, out = saved(tmp_path / "smpl.pkl", smpl), tmp_path / "smpl.npz"
    rows = load_body_model(OPEN_BODY).regressor("human36m")
    for given, said in ((rows, False), (rows[[0, 4, 5, 6, 1, 2, 3, *range(7, 17)]], True)):
        np.save(tmp_path / "rows.npy", given)
        assert run(source, out, "--i-trust-this-file", "--human36m", tmp_path / "rows.npy") == 0
        assert_allclose(load_body_model(out).regressor("human36m"), rows)
        assert ("has the left leg first" in capsys.readouterr().out) == said


def test_a_model_that_was_converted_with_swapped_legs_is_refused(tmp_path: Path):
    with np.load(OPEN_BODY) as file:
        arrays = dict(file)
    arrays["J_regressor_h36m17"] = arrays["J_regressor_h36m17"][[0, 4, 5, 6, 1, 2, 3, *range(7, 17)]]
    np.savez(tmp_path / "old.npz", **arrays)
    with pytest.raises(
        ValueError, match=r"J_regressor_h36m17 has the left leg before the right one, as SPIN's; convert"
    ):
        load_body_model(tmp_path / "old.npz")


class Malicious:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self):
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize("function", [os.system, eval, getattr, np.load, np.save, np.fromfile, __import__])
def test_code_is_refused_before_it_runs(tmp_path: Path, function, capsys):
    flag, out = tmp_path / "sprung", tmp_path / "smpl.npz"
    attack = Malicious(function, f"touch {flag}")
    for content in (attack, {"weights": attack}, {"f": np.zeros(3), "other": [attack]}):
        assert run(saved(tmp_path / "bad.pkl", content), out, "--i-trust-this-file") == 1
        assert "which no body model needs" in capsys.readouterr().err
    assert not flag.exists()
    assert not out.exists()


def test_arrays_of_objects_cannot_smuggle_code(tmp_path: Path):
    smuggled = np.array([Malicious(os.system, f"touch {tmp_path / 'sprung'}")], object)
    with pytest.raises(UnsafePickleError, match=r"posix\.system"):
        read_pickle(pickle.dumps({"f": smuggled}))
    assert not (tmp_path / "sprung").exists()


def test_nothing_is_read_without_the_users_word(tmp_path: Path, smpl: dict[str, object], capsys):
    source, out = saved(tmp_path / "smpl.pkl", smpl), tmp_path / "smpl.npz"
    assert run(source, out) == 2
    assert "--i-trust-this-file" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a pickle", "not a readable pickle"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({"f": 1}), "lacks .'v_template', 'shapedirs'"),
        (pickle.dumps(dict.fromkeys(SMPL_KEYS, 1)), "v_template is no array of numbers"),
        (pickle.dumps(dict.fromkeys(SMPL_KEYS, np.zeros((2, 2)))), "not a body model"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str):
    source, out = tmp_path / "other.pkl", tmp_path / "out.npz"
    source.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        smpl_conversion.convert(source, out)
    assert [p.name for p in tmp_path.iterdir()] == ["other.pkl"]


def test_wrong_paths_are_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"absent\.pkl"):
        smpl_conversion.convert(tmp_path / "absent.pkl", tmp_path / "out.npz")
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        smpl_conversion.convert(tmp_path / "absent.pkl", tmp_path / "out.pkl")
