# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT
from hmr_ros.core.photo_labels import read_coco
from hmr_ros.training.labelled_crops import labelled_crops

LABELS = Path(__file__).parent.parent / "data" / "photos" / "labels.json"


@pytest.fixture(scope="module")
def people():
    return labelled_crops(LABELS)


def test_all_people_with_a_torso_are_cut_about_their_box(people):
    photos = read_coco(LABELS, LABELS.parent)
    assert len(people) == sum(int(np.isfinite(photo.torso()).sum()) for photo in photos)
    assert people.image.shape == (len(people), 256, 192, 3)
    assert (people.image.std((1, 2, 3)) > 5).all()
    first = photos[0]
    width, height = first.boxes[0, 2:] - first.boxes[0, :2]
    side = BOX_SCALE * max(height, width / CROP_ASPECT)
    assert people.torso[0] == pytest.approx(first.torso()[0] / side)
    middle = first.boxes[0].reshape(2, 2).mean(0)
    expected = 0.5 + (first.kp2d[0] - middle) / (side * np.array([CROP_ASPECT, 1]))
    labelled = people.labelled[0]
    np.testing.assert_allclose(people.places[0][labelled], expected[labelled], atol=1e-9)


def test_joints_are_missed_from_a_fifth_of_the_torso_on(people):
    places = torch.from_numpy(people.places)
    down = torch.from_numpy(people.torso)[:, None, None] * torch.tensor([0.0, 1.0])
    across = torch.from_numpy(people.torso)[:, None, None] * torch.tensor([1 / CROP_ASPECT, 0.0])
    for step in (down, across):
        assert people.missed(places + 0.199 * step) == 0
        assert people.missed(places - 0.201 * step) == 100
    places[0, int(np.flatnonzero(people.labelled[0])[0])] = torch.nan
    assert people.missed(places) == pytest.approx(100 / people.labelled.sum())


def test_labels_that_cannot_be_used_are_named(tmp_path):
    content = json.loads(LABELS.read_text())
    (tmp_path / "labels.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"crops.labels: .*: not an image OpenCV can read; photos lie beside"):
        labelled_crops(tmp_path / "labels.json")
    for person in content["annotations"]:
        person["keypoints"] = [0] * 51
    (tmp_path / "labels.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"labels.json: expected people with a labelled torso, found none"):
        labelled_crops(tmp_path / "labels.json")
