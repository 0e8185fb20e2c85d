# SPDX-License-Identifier: Apache-2.0
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.arrays import Array
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.geometry.virtual_camera import to_virtual_camera
from hmr_ros.core.manifest import Manifest, TensorSpec, models_dir
from hmr_ros.evaluation.hands.rendered import evaluate_rendered
from hmr_ros.training.datasets.seen_hands import SeenHands
from hmr_ros.training.synthetic.hands import HandMix, HandSampler

HAND = load_hand_model(models_dir() / "open_hand.npz")
SPEC = TensorSpec("x", "float32", ("N",))


def hands(count: int) -> SeenHands:
    """Hands of the mean shape whose points are 1 % of an image's focal length off, and whose 3D is right."""
    sampler, rng = HandSampler(HAND, HandMix()), np.random.default_rng(0)
    draws = sampler.draw(rng, count)
    draws = dataclasses.replace(draws, betas=np.zeros_like(draws.betas))
    placed, ones = sampler.placed(draws), np.ones(count)
    seen = placed.exact + 0.01
    parts = (draws.orient, draws.pose, draws.betas, draws.wrist, placed.exact, seen, placed.joints)
    return SeenHands(*(np.asarray(part, np.float32) for part in (*parts, ones, ones, 60 * ones)))


class Knowing:
    """A network that knows the hands if it is given their 3D, and else sees them at rest."""

    status = "stub"
    manifest = Manifest("stub", "hand_pose2mesh", "stub.onnx", "0" * 64, (SPEC,), (SPEC,), "none")

    def __init__(self, seen: SeenHands) -> None:
        self.posed = HAND.posed(seen.orient, seen.pose, seen.betas, np.zeros_like(seen.wrist))
        self.seen = seen

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        count = len(inputs["keypoints"])
        vertices, joints = self.posed.vertices, HAND.keypoints(self.posed)
        if not inputs["world"].any():
            still = HAND.posed(*(np.zeros((count, *shape)) for shape in ((3,), (15, 3), (10,), (3,))))
            vertices, joints = still.vertices, HAND.keypoints(still)
        view = to_virtual_camera(self.seen.seen.astype(float), np.ones((count, 21)), least_size=0)
        turned = (points @ view.optical_from_virtual for points in (vertices, joints))
        return dict(zip(("vertices", "joints"), turned, strict=True)) | {"joint_error": np.full((count, 21), 0.01)}

    def close(self) -> None:
        pass


def test_scores_tell_what_the_network_makes_of_points_and_3d():
    seen = hands(6)
    report = evaluate_rendered(seen, HAND, Knowing(seen))
    scores = {score.source: score for score in report.scores}
    own, angles = scores["the detector's own 3D"], scores["the open hand at its angles"]
    assert own.mpjpe == pytest.approx(0, abs=1e-3)
    assert own.f_5 is None
    assert angles.pa_mpjpe < 3 < scores["the open hand at rest"].pa_mpjpe
    assert scores["Pose2Mesh"].pa_mpvpe == pytest.approx(0, abs=1e-3)
    assert scores["Pose2Mesh"].f_5 == 1
    assert scores["Pose2Mesh, points only"].pa_mpjpe > 3
    assert report.count == 6
    assert 0.02 < report.pixel_error < 0.3
    assert "| Pose2Mesh | 0.0 | 0.0 | 0.0 | 1.000 | 1.000 |" in report.table()


def test_without_a_network_the_detector_is_scored_alone():
    assert [s.source for s in evaluate_rendered(hands(2), HAND, None).scores][-1] == "the open hand at rest"


def test_rendered_hands_are_seen_by_the_real_network(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    from hmr_ros.evaluation.hands.seeing import HandEye, write_hand_sheet

    eye = HandEye(0, "lite", None)
    first, second = (eye.chunk(3, 8).hands for _ in range(2))
    np.testing.assert_array_equal(first.seen, second.seen)
    usable = first.take(first.usable)
    off = np.linalg.norm(usable.seen - usable.exact, axis=-1).mean(1)
    size = np.linalg.norm(np.ptp(usable.exact, axis=1), axis=-1)
    assert len(usable) >= 4
    assert np.median(off / size) < 0.12
    with pytest.raises(ValueError, match=r"\.png"):
        write_hand_sheet(eye, tmp_path / "sheet.jpg")
