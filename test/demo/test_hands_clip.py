# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hmr_ros.demo import hands_clip


def test_hands_open_and_close():
    """The images differ where the hands are, and nowhere else but at the arms."""
    images = np.stack(list(hands_clip.clip(3)))
    assert images.shape == (3, 720, 960, 3)
    changed = (images[2].astype(int) != images[0]).any(-1)
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 300
    assert rows.max() < 400
    assert (np.abs(columns - 480) > 90).all()
