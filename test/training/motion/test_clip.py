# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.training.motion.clip import MIN_FRAMES, Clip, cut_at_glitches, join, resample


def still_clip(frames, fps=30.0, name="a"):
    trans = np.tile(np.linspace(0, 1, frames, dtype=np.float32)[:, None], 3)
    return Clip(f"{name}_01", name, "walk", np.zeros((frames, 24, 3), np.float32), trans, fps)


@pytest.mark.parametrize("fps", [120.0, 100.0, 59.94, 25.0])
def test_resampled_frames_are_the_nearest_in_time(fps):
    clip = still_clip(300, fps)
    clip = dataclasses.replace(clip, trans=np.tile(np.arange(300, dtype=np.float32)[:, None] / fps, 3))
    out = resample(clip)
    assert out.fps == 30
    assert len(out) == round(300 / fps * 30)
    np.testing.assert_allclose(out.trans[:, 0], np.arange(len(out)) / 30, atol=0.51 / fps)


def test_a_glitch_cuts_and_short_pieces_are_dropped():
    clip = still_clip(100)
    clip.pose[40:, 5, 0] = 1.5  # one joint turns by 86 degrees between two frames
    clip.trans[90:] += 5  # the root flies; 10 frames are left
    assert [len(piece) for piece in cut_at_glitches(clip)] == [40, 50]
    np.testing.assert_array_equal(cut_at_glitches(clip)[1].pose, clip.pose[40:90])


def test_wrapping_rotation_vectors_are_no_glitch():
    clip = still_clip(30)
    clip.pose[:15, 0, 1], clip.pose[15:, 0, 1] = np.pi - 0.01, -np.pi + 0.01
    assert len(cut_at_glitches(clip)) == 1


def test_join_indexes_the_clips():
    motion = join([still_clip(20), still_clip(30, name="b")], {"a": "train", "b": "val"}, "notice")
    assert len(motion) == 50
    assert len(motion.select("val")) == 30
    with pytest.raises(ValueError, match="no usable clip"):
        join([], {}, "")


def test_nan_is_refused():
    clip = still_clip(20)
    with pytest.raises(ValueError, match="clip a_01: expected finite numbers"):
        dataclasses.replace(clip, trans=np.full_like(clip.trans, np.nan))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("fps", 0.0, "clip a_01: expected a positive frame rate, got 0"),
        ("fps", -1.0, "clip a_01: expected a positive frame rate"),
        ("pose", np.zeros((20, 23, 3), np.float32), r"clip a_01: expected pose \(T, 24, 3\)"),
        ("trans", np.zeros((19, 3), np.float32), r"clip a_01: expected pose .* got \(20, 24, 3\) and \(19, 3\)"),
        ("pose", np.full((20, 24, 3), np.inf, np.float32), "clip a_01: expected finite numbers"),
    ],
)
def test_a_clip_that_is_none_is_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(still_clip(20), **{field: value})


@pytest.mark.parametrize("fps", [30.0, 120.0])
@pytest.mark.parametrize(("degrees", "pieces"), [(59, 1), (61, 2)])
def test_a_joint_turns_by_60_degrees_in_a_thirtieth_of_a_second_at_most(fps, degrees, pieces):
    clip = still_clip(50, fps)
    clip.pose[25:, 7, 1] = np.deg2rad(degrees * 30 / fps)
    assert len(cut_at_glitches(clip)) == pieces


@pytest.mark.parametrize("fps", [30.0, 120.0])
@pytest.mark.parametrize(("speed", "pieces"), [(11.9, 1), (12.1, 2)])
def test_a_root_is_no_faster_than_a_sprinter(fps, speed, pieces):
    clip = dataclasses.replace(still_clip(50, fps), trans=np.zeros((50, 3), np.float32))
    clip.trans[25:, 0] = speed / fps
    assert len(cut_at_glitches(clip)) == pieces


@pytest.mark.parametrize(("frames", "kept"), [(MIN_FRAMES - 1, []), (MIN_FRAMES, [MIN_FRAMES])])
def test_a_piece_is_kept_from_its_smallest_length_on(frames, kept):
    assert [len(piece) for piece in cut_at_glitches(still_clip(frames, 120.0))] == kept


def test_a_clip_of_one_frame_stays_one():
    assert len(resample(still_clip(1, 120.0))) == 1
    assert len(resample(still_clip(7, 60.0), fps=10.0)) == 1


def test_joined_clips_keep_what_is_known_of_them():
    first = dataclasses.replace(still_clip(20), leg=0.8, category="dance")
    motion = join([first, still_clip(30, name="b")], {"a": "train", "b": "val"}, "thanks")
    assert motion.clip.tolist() == [0] * 20 + [1] * 30
    assert motion.clip_id.tolist() == ["a_01", "b_01"]
    assert motion.clip_category.tolist() == ["dance", "walk"]
    assert motion.clip_split.tolist() == ["train", "val"]
    np.testing.assert_array_equal(motion.clip_leg, np.array([0.8, np.nan], np.float32))
    assert (motion.fps, motion.notice) == (30.0, "thanks")
    with pytest.raises(ValueError, match=r"clips of one frame rate, got \[30.0, 60.0\]"):
        join([first, still_clip(20, 60.0)], {"a": "train"}, "")
