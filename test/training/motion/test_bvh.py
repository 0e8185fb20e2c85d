# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_ros.training.motion.bvh import read_bvh
from test.training.motion.bvh_files import write_bvh

PARENT = {"a": None, "b": "a", "c": "b"}
OFFSET = {"a": (0, 0, 0), "b": (0, 2, 0), "c": (1, 0, 0.5)}


def test_global_rotations_and_positions(tmp_path):
    angles = np.random.default_rng(0).uniform(-180, 180, (5, 3, 3))
    position = np.random.default_rng(1).normal(size=(5, 3))
    write_bvh(tmp_path / "x.bvh", angles, position, PARENT, OFFSET, fps=60)
    motion = read_bvh(tmp_path / "x.bvh")
    assert motion.names == ("a", "b", "c", "c_end")
    assert motion.fps == pytest.approx(60)
    np.testing.assert_allclose(motion.rest, [(0, 0, 0), (0, 2, 0), (1, 2, 0.5), (1, 2, 1.5)])
    for t in range(5):
        a, b, c = (Rotation.from_euler("ZYX", angles[t, j], degrees=True) for j in range(3))
        np.testing.assert_allclose(motion.rotations[t, 2], (a * b * c).as_matrix(), atol=1e-7)
        at_c = position[t] + a.apply(OFFSET["b"]) + (a * b).apply(OFFSET["c"])
        np.testing.assert_allclose(motion.positions[t, 2], at_c, atol=1e-7)
        np.testing.assert_allclose(motion.positions[t, 3], at_c + (a * b * c).apply((0, 0, 1)), atol=1e-7)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MOTION", "", r"x.bvh: not a BVH file"),
        ("OFFSET 1 0 0.5", "OFSET 1 0 0.5", r"x.bvh: line 12: cannot read 'OFSET"),
        ("OFFSET 1 0 0.5", "OFFSET 1 0 x", r"x.bvh: line 12: cannot read 'OFFSET 1 0 x'"),
        ("OFFSET 0 2 0", "}\n}\n}", r"x.bvh: line 10: cannot read '}'"),
        ("0.000000000 0.0", "zero 0.0", r"x.bvh: a frame holds something that is no number"),
        ("Frames: 5", "Frames: 6", r"x.bvh: expected 6 frames of 12 numbers \(72\), got 60"),
        ("Frames: 5", "Frames: many", r"x.bvh: line 22: expected 'Frames: N'"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, old, new, message):
    path = tmp_path / "x.bvh"
    write_bvh(path, np.zeros((5, 3, 3)), None, PARENT, OFFSET)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_bvh(path)


@pytest.mark.parametrize("seconds", ["0", "-0.1"])
def test_a_frame_takes_time(tmp_path, seconds):
    path = tmp_path / "x.bvh"
    write_bvh(path, np.zeros((5, 3, 3)), None, PARENT, OFFSET)
    path.write_text(path.read_text().replace("Frame Time: 0.008333333", f"Frame Time: {seconds}"))
    with pytest.raises(ValueError, match=r"x.bvh: line 23: expected a positive frame time"):
        read_bvh(path)


def test_channels_are_applied_in_the_order_of_the_file_and_positions_replace_offsets(tmp_path):
    path = tmp_path / "x.bvh"
    path.write_text(
        "HIERARCHY\nROOT a\n{\nOFFSET 1 2 3\nCHANNELS 2 Xrotation Yrotation\nJOINT b\n{\nOFFSET 0 1 0\n"
        "CHANNELS 4 Yposition zrotation Xposition Yrotation\nEnd Site\n{\nOFFSET 1 0 0\n}\n}\n"
        "JOINT c\n{\nOFFSET 0 0 5\nCHANNELS 0\n}\n}\n"
        "MOTION\nFrames: 1\nFrame Time: 0.5\n90 30 7 40 4 20\n"
    )
    motion = read_bvh(path)
    a = Rotation.from_euler("XY", [90, 30], degrees=True)
    b = a * Rotation.from_euler("ZY", [40, 20], degrees=True)
    np.testing.assert_allclose(motion.rotations[0], [r.as_matrix() for r in (a, b, b, a)], atol=1e-9)
    place = np.array([1.0, 2, 3]) + a.apply([4, 7, 0])
    expected = [(1, 2, 3), place, place + b.apply([1, 0, 0]), np.array([1.0, 2, 3]) + a.apply([0, 0, 5])]
    np.testing.assert_allclose(motion.positions[0], expected, atol=1e-9)
    np.testing.assert_allclose(motion.rest, [(0, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 5)])
    assert (motion.fps, motion.parents.tolist()) == (2, [-1, 0, 1, 0])
    assert (motion.first_child(0), motion.first_child(1), motion.first_child(3)) == (1, 2, None)
    assert motion.index == {"a": 0, "b": 1, "b_end": 2, "c": 3}
