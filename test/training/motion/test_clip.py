# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.training.motion.clip import Clip, cut_at_glitches, join, resample


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
