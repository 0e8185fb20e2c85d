# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel with a network that knows the answer: what remains is the geometry around it."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.config import DetectionsConfig, DetectorConfig, PerceptionSettings
from hmr_ros.core.geometry.camera import looking_at, project
from hmr_ros.core.geometry.crop_view import QUARTER_TURNS, translation_to_crop_cam
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import Manifest, ManifestError, TensorSpec, models_dir
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.skeleton import BLAZEPOSE, COCO_FEET
from hmr_ros.perception.crops import crop_views
from hmr_ros.perception.global_to_pixel import GlobalToPixel, GlobalToPixelOptions
from hmr_ros.perception.keypoints import KeypointOptions
from test.core.test_uncertainty import CALIBRATION

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
PINHOLE = Camera(K, 1280, 720)
BARREL = Camera(K, 1280, 720, "plumb_bob", np.array([-0.25, 0.06, 0.001, -0.001]))
FISHEYE = Camera(K, 1280, 720, "equidistant", np.array([0.02, -0.01, 0.0, 0.0]))
IMAGE = np.full((720, 1280, 3), 90, np.uint8)

JOINT_ERROR = 0.03

MANIFEST = Manifest(
    name="global_to_pixel",
    kind="global_to_pixel",
    file="global_to_pixel.onnx",
    sha256="0" * 64,
    inputs=(
        TensorSpec("image", "uint8", ("N", 256, 192, 3)),
        TensorSpec("keypoints", "float32", ("N", 21, 3)),
        TensorSpec("camera", "float32", ("N", 3)),
    ),
    outputs=(
        TensorSpec("rotations", "float32", ("N", 24, 3, 3)),
        TensorSpec("betas", "float32", ("N", 10)),
        TensorSpec("crop_cam", "float32", ("N", 3)),
        TensorSpec("joint_error", "float32", ("N", 24)),
    ),
    licence="Apache-2.0",
    joint_set="coco_feet",
)


@dataclasses.dataclass(frozen=True)
class GroundTruth:
    rotations: np.ndarray
    betas: np.ndarray
    cam_t: np.ndarray
    posed: object

    def take(self, rows):
        posed = dataclasses.replace(self.posed, vertices=self.posed.vertices[rows], joints=self.posed.joints[rows])
        return GroundTruth(self.rotations[rows], self.betas[rows], self.cam_t[rows], posed)


def people(count, seed=0):
    """People side by side, up to 30 degrees off the image's centre."""
    random = np.random.default_rng(seed)
    orient = np.tile([np.pi, 0, 0], (count, 1)) + random.normal(0, 0.2, (count, 3))
    pose = random.normal(0, 0.15, (count, 23, 3))
    normalized = np.stack([np.linspace(-0.55, 0.5, count), random.uniform(-0.1, 0.1, count), np.ones(count)], 1)
    cam_t = normalized * random.uniform(3, 6, (count, 1))
    betas = random.normal(0, 0.7, (count, 10))
    rotations = rotvec_to_rotmat(np.concatenate([orient[:, None], pose], 1))
    return GroundTruth(rotations, betas, cam_t, BODY_MODEL.posed(orient, pose, betas, cam_t))


def detections(ground_truth, camera=PINHOLE, score=0.9):
    """What a perfect detector says, in a joint set of more joints than the network's."""
    seen = project(BODY_MODEL.regressor("coco_feet") @ ground_truth.posed.vertices, camera)
    count = len(seen)
    kp2d, kp2d_score = np.zeros((count, BLAZEPOSE.size, 2)), np.zeros((count, BLAZEPOSE.size))
    for k, joint in enumerate(COCO_FEET.joints):
        kp2d[:, BLAZEPOSE.index(joint)] = seen[:, k]
        kp2d_score[:, BLAZEPOSE.index(joint)] = score
    boxes = np.concatenate([seen.min(1) - 10, seen.max(1) + 10], 1)
    return Detections(boxes, np.full(count, 0.9), kp2d, kp2d_score, "blazepose", np.arange(count) + 10)


class Oracle:
    """Returns the true bodies, in the crop camera that it is told of, to whoever stands nearest to its axis."""

    def __init__(self, ground_truth, manifest=MANIFEST):
        self.manifest = manifest
        self.asked = []
        self._ground_truth = ground_truth

    def run(self, inputs):
        self.asked.append(inputs)
        camera, rows = inputs["camera"].astype(np.float64), self.rows(inputs)
        crop_from_optical = looking_at(np.concatenate([camera[:, :2], np.ones((len(camera), 1))], 1))
        rotations = self._ground_truth.rotations[rows].copy()
        rotations[:, 0] = crop_from_optical @ rotations[:, 0]
        place = (crop_from_optical @ self._ground_truth.cam_t[rows, :, None])[..., 0]
        outputs = {
            "rotations": rotations,
            "betas": self._ground_truth.betas[rows],
            "crop_cam": translation_to_crop_cam(place, camera[:, 2]),
            "joint_error": np.full((len(rows), 24), JOINT_ERROR),
        }
        return {name: value.astype(np.float32) for name, value in outputs.items()}

    def rows(self, inputs):
        """Whom each crop shows."""
        normalized = self._ground_truth.cam_t[:, :2] / self._ground_truth.cam_t[:, 2:]
        return np.linalg.norm(normalized[None] - inputs["camera"][:, None, :2], axis=-1).argmin(1)

    def close(self):
        pass


def estimated(oracle, found, camera=PINHOLE, options=None, image=IMAGE):
    method = GlobalToPixel(oracle, BODY_MODEL)
    method.options = options or method.options
    return pose_bodies(found, method.estimate(image, found, camera), BODY_MODEL)


@pytest.mark.parametrize("camera", [PINHOLE, BARREL, FISHEYE])
@pytest.mark.parametrize("count", [1, 3, 9])
def test_bodies_come_back_where_they_stood(camera, count):
    ground_truth = people(count)
    oracle = Oracle(ground_truth)
    bodies = estimated(oracle, detections(ground_truth, camera), camera)
    assert bodies.valid.all()
    assert bodies.ids.tolist() == list(range(10, 10 + count))
    assert np.abs(bodies.joints - ground_truth.posed.joints).max() < 2e-3
    assert np.abs(bodies.vertices - ground_truth.posed.vertices).max() < 3e-3
    assert np.allclose(bodies.betas, ground_truth.betas, atol=1e-4)
    assert np.allclose(bodies.joint_error, JOINT_ERROR)
    assert np.isnan(bodies.disagreement).all()
    assert len(oracle.asked) == 1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_network_sees_people_who_lie_upright(turns):
    upright = people(3)
    optical_from_turned = np.eye(3)
    optical_from_turned[:2, :2] = QUARTER_TURNS[turns].T
    rotations = upright.rotations.copy()
    rotations[:, 0] = optical_from_turned @ rotations[:, 0]
    rotvecs = rotmat_to_rotvec(rotations)
    cam_t = upright.cam_t @ optical_from_turned.T
    posed = BODY_MODEL.posed(rotvecs[:, 0], rotvecs[:, 1:], upright.betas, cam_t)
    lying = GroundTruth(rotations, upright.betas, cam_t, posed)
    network = Oracle(upright)  # it knows them before the turned camera
    bodies = estimated(network, detections(lying))
    assert np.abs(bodies.joints - posed.joints).max() < 2e-3
    seen = project(BODY_MODEL.regressor("coco_feet") @ posed.vertices, PINHOLE)
    told = network.asked[0]["keypoints"]
    nose, toe = COCO_FEET.index("nose"), COCO_FEET.index("left_toe")
    assert (told[:, nose, 1] < told[:, toe, 1]).all(), "heads are up"
    assert not (seen[:, nose, 1] < seen[:, toe, 1]).all(), "though they are not"


@pytest.mark.parametrize("camera", [PINHOLE, BARREL, FISHEYE])
def test_without_keypoints_people_stand_where_the_network_sees_them(camera):
    ground_truth = people(3)
    bodies = estimated(Oracle(ground_truth), detections(ground_truth, camera, score=0.1), camera)
    assert bodies.valid.all()
    assert np.abs(bodies.joints - ground_truth.posed.joints).max() < 1e-4


NEAR = 0.1
"""m from the ground truth: placement starts from the network's position, which is metres off."""


FINDING = dataclasses.replace(
    MANIFEST, outputs=(*MANIFEST.outputs, TensorSpec("used_keypoints", "float32", ("N", 21, 3)))
)


class Seeing(Oracle):
    """Starts from the keypoints that it is told, else from the true ones with ``score``; its position is wrong."""

    def __init__(self, ground_truth, camera, score=0.9):
        super().__init__(ground_truth, FINDING)
        self._boxes, self._camera, self._score = (
            crop_views(detections(ground_truth, camera).boxes, camera)[1],
            camera,
            score,
        )

    def run(self, inputs):
        outputs = super().run(inputs)
        seen = project(BODY_MODEL.regressor("coco_feet") @ self._ground_truth.posed.vertices, self._camera)
        own = np.concatenate([self._boxes.to_crop_units(seen), np.full((*seen.shape[:2], 1), self._score)], 2)
        outputs["crop_cam"][:, 0] *= 0.5
        told = inputs["keypoints"]
        used = np.where((told[..., 2:] > 0).any(1, keepdims=True), told, own[self.rows(inputs)])
        return outputs | {"used_keypoints": used.astype(np.float32)}


@pytest.mark.parametrize("camera", [PINHOLE, BARREL])
def test_without_keypoints_people_are_placed_by_those_that_the_network_finds(camera):
    ground_truth = people(3)
    bodies = estimated(Seeing(ground_truth, camera), detections(ground_truth, camera, score=0.1), camera)
    assert np.abs(bodies.joints - ground_truth.posed.joints).max() < NEAR
    assert np.isnan(bodies.root_covariance).all(), "they are calibrated for the detector's keypoints"
    unsure = estimated(Seeing(ground_truth, camera, 0.1), detections(ground_truth, camera, score=0.1), camera)
    assert (unsure.cam_t[:, 2] > 1.5 * ground_truth.cam_t[:, 2]).all(), "it is the network's own position"


@pytest.mark.parametrize("joint_set", ["blazepose", "coco_feet"])
def test_a_second_method_gets_the_keypoints_of_the_same_pass(joint_set):
    ground_truth = people(3)
    given = detections(ground_truth)
    if joint_set == "coco_feet":
        order = [BLAZEPOSE.index(joint) for joint in COCO_FEET.joints]
        given = dataclasses.replace(
            given, kp2d=given.kp2d[:, order], kp2d_score=given.kp2d_score[:, order], joint_set=joint_set
        )
    given.kp2d_score[1] = 0.1  # too few
    network = Seeing(ground_truth, PINHOLE, score=0.7)
    look = GlobalToPixel(network, BODY_MODEL).look(IMAGE, given, PINHOLE)
    assert len(network.asked) == 1
    assert look.detections.joint_set == "coco_feet"
    assert np.unique(look.detections.kp2d_score, axis=1).ravel() == pytest.approx([0.9, 0.7, 0.9])
    seen = project(BODY_MODEL.regressor("coco_feet") @ ground_truth.posed.vertices, PINHOLE)
    assert np.abs(look.detections.kp2d - seen).max() < 1e-2
    assert (given.kp2d_score[1] == 0.1).all(), "what was given is left alone"
    np.testing.assert_array_equal(look.detections.ids, given.ids)


def seeing_elsewhere(ground_truth):
    """A network whose own keypoints are of people 0.3 m farther to the right, down and away."""
    network = Seeing(ground_truth, PINHOLE)
    network._ground_truth = dataclasses.replace(
        ground_truth, posed=dataclasses.replace(ground_truth.posed, vertices=ground_truth.posed.vertices + 0.3)
    )
    return network


def test_given_keypoints_go_before_those_that_the_network_finds():
    ground_truth = people(3)
    expected = estimated(Oracle(ground_truth), detections(ground_truth))
    network = seeing_elsewhere(ground_truth)
    assert np.abs(estimated(network, detections(ground_truth)).joints - expected.joints).max() < NEAR
    assert network.asked[0]["keypoints"].any()


def test_bodies_are_fitted_to_the_given_keypoints_as_the_network_puts_them_right():
    class PuttingRight(Seeing):
        """Whatever it is told, it starts from where people are."""

        def run(self, inputs):
            outputs = super().run(inputs)
            own = super().run(inputs | {"keypoints": np.zeros_like(inputs["keypoints"])})["used_keypoints"]
            return outputs | {"used_keypoints": own}

    ground_truth = people(3)
    wrong = detections(ground_truth)
    wrong.kp2d[:, ::2] += 15
    look = GlobalToPixel(PuttingRight(ground_truth, PINHOLE), BODY_MODEL).look(IMAGE, wrong, PINHOLE)
    seen = project(BODY_MODEL.regressor("coco_feet") @ ground_truth.posed.vertices, PINHOLE)
    assert np.abs(look.detections.kp2d - seen).max() < 1e-2
    assert np.abs(look.estimates.cam_t - ground_truth.cam_t).max() < NEAR
    hidden = GlobalToPixel(PuttingRight(ground_truth, PINHOLE), BODY_MODEL)
    hidden.options = GlobalToPixelOptions(anchors="projection")
    found = hidden.look(IMAGE, wrong, PINHOLE).detections.kp2d
    assert np.abs(found - seen).max() > 10, "it was not told them, so it says nothing of them"


OWN = GlobalToPixelOptions(own=True)


def calibrated(network):
    """``network`` with calibrated covariances."""
    network.manifest = dataclasses.replace(FINDING, uncertainty=CALIBRATION)
    return network


def test_on_request_those_that_the_network_finds_go_before_the_given_ones():
    ground_truth = people(3)
    network = calibrated(seeing_elsewhere(ground_truth))
    bodies = estimated(network, detections(ground_truth), options=OWN)
    assert np.abs(bodies.joints - ground_truth.posed.joints - 0.3).max() < NEAR
    assert np.isfinite(bodies.root_covariance).all()
    assert not network.asked[0]["keypoints"].any(), "it lifts its own"
    method = GlobalToPixel(network, BODY_MODEL)
    method.options = OWN
    look = method.look(IMAGE, detections(ground_truth), PINHOLE)
    seen = project(BODY_MODEL.regressor("coco_feet") @ (ground_truth.posed.vertices + 0.3), PINHOLE)
    assert np.abs(look.detections.kp2d - seen).max() < 1e-2, "a second method gets them, too"


def test_given_keypoints_place_whom_the_network_finds_no_keypoints_of():
    ground_truth = people(3)
    network = calibrated(Seeing(ground_truth, PINHOLE, score=0.1))
    bodies = estimated(network, detections(ground_truth), options=OWN)
    assert np.abs(bodies.joints - ground_truth.posed.joints).max() < NEAR
    assert np.isfinite(bodies.root_covariance).all()
    assert [asked["keypoints"].any() for asked in network.asked] == [False, True], "told in a second pass"


def test_only_whom_the_network_finds_no_keypoints_of_pass_it_twice():
    class Blind(Seeing):
        """Finds no keypoints of the person in the middle, of whom it is unsure unless it is told some."""

        def run(self, inputs):
            outputs = super().run(inputs)
            middle = self.rows(inputs) == 1
            untold = ~inputs["keypoints"].any((1, 2))
            outputs["used_keypoints"][middle & untold, :, 2] = 0.1
            outputs["joint_error"][middle & untold] += 1
            return outputs

    ground_truth = people(3)
    network = calibrated(Blind(ground_truth, PINHOLE))
    method = GlobalToPixel(network, BODY_MODEL)
    method.options = OWN
    estimates = method.estimate(IMAGE, detections(ground_truth), PINHOLE)
    assert [len(asked["image"]) for asked in network.asked] == [3, 1]
    assert np.allclose(estimates.joint_error, JOINT_ERROR)
    assert np.abs(estimates.cam_t - ground_truth.cam_t).max() < 2 * NEAR


def test_a_network_that_reports_no_keypoints_starts_from_the_given_ones():
    ground_truth = people(3)
    oracle = Oracle(ground_truth)
    bodies = estimated(oracle, detections(ground_truth), options=OWN)
    assert np.abs(bodies.joints - ground_truth.posed.joints).max() < 2e-3
    assert oracle.asked[0]["keypoints"].any()


@pytest.mark.parametrize(
    ("asked", "preset", "source", "own"),
    [
        ("auto", "fast", "search", True),
        ("auto", "fast", "boxes", True),
        ("auto", "fast", "keypoints", False),
        ("auto", "fast", "humans", False),
        ("auto", "balanced", "search", False),
        ("auto", "accurate", "search", False),
        ("detector", "fast", "search", False),
        ("own", "balanced", "search", True),
        ("own", "fast", "keypoints", True),
    ],
)
def test_settings_choose_whose_keypoints_bodies_start_from(asked, preset, source, own):
    settings = PerceptionSettings(
        keypoint_source=asked, detector=DetectorConfig(preset=preset), detections=DetectionsConfig(source=source)
    )
    method = GlobalToPixel(Oracle(people(1)), BODY_MODEL)
    method.configure(settings)
    assert method.options.own is own


def test_the_network_sees_crops_keypoints_in_their_units_and_the_camera():
    ground_truth = people(1)
    found = detections(ground_truth)
    found.kp2d_score[0, BLAZEPOSE.index("left_wrist")] = 0.1
    image = IMAGE.copy()
    x, y = np.round(found.kp2d[0, BLAZEPOSE.index("nose")]).astype(int)
    image[y - 12 : y + 13, x - 12 : x + 13] = (250, 0, 0)
    oracle = Oracle(ground_truth)
    estimated(oracle, found, image=image)
    (asked,) = oracle.asked
    assert {name: (value.dtype.name, value.shape) for name, value in asked.items()} == {
        "image": ("uint8", (1, 256, 192, 3)),
        "keypoints": ("float32", (1, 21, 3)),
        "camera": ("float32", (1, 3)),
    }
    nose = asked["keypoints"][0, COCO_FEET.index("nose")]
    assert nose[2] == pytest.approx(0.9)
    column, row = np.floor(nose[:2] * (192, 256)).astype(int)
    assert asked["image"][0, row, column].tolist() == [250, 0, 0]
    assert not asked["keypoints"][0, COCO_FEET.index("left_wrist")].any()


def test_anchors_by_projection_hide_the_keypoints_from_the_network_alone():
    ground_truth = people(2)
    oracle = Oracle(ground_truth)
    bodies = estimated(oracle, detections(ground_truth), options=GlobalToPixelOptions(anchors="projection"))
    assert not oracle.asked[0]["keypoints"].any()
    assert np.abs(bodies.joints - ground_truth.posed.joints).max() < 2e-3
    with pytest.raises(ValueError, match="anchors: expected one of"):
        GlobalToPixelOptions(anchors="guess")


def test_few_keypoints_reach_the_network_but_give_no_translation():
    ground_truth = people(1)
    found = detections(ground_truth)
    found.kp2d_score[0, 14:] = 0.0  # face and upper body
    found.kp2d[0, :14] += 60.0  # and wrong
    oracle = Oracle(ground_truth)
    options = GlobalToPixelOptions(KeypointOptions(minimum=18))
    bodies = estimated(oracle, found, options=options)
    assert (oracle.asked[0]["keypoints"][0, :, 2] > 0).sum() == 8
    assert np.abs(bodies.joints - ground_truth.posed.joints).max() < 1e-4


def test_people_without_a_box_or_with_an_impossible_skeleton_stay_2d_alone():
    ground_truth = people(4)
    found = detections(ground_truth)
    found.boxes[1] = (1280, 720, 0, 0)
    found.kp2d[2, ::2] += 600.0
    bodies = estimated(Oracle(ground_truth), found)
    assert bodies.valid.tolist() == [True, False, False, True]
    assert np.isnan(bodies.vertices[1:3]).all()
    assert np.abs(bodies.joints - ground_truth.posed.joints)[[0, 3]].max() < 2e-3


def test_a_network_that_returns_nothing_finite_estimates_no_one():
    class Broken(Oracle):
        def run(self, inputs):
            return {name: value * np.nan for name, value in super().run(inputs).items()}

    ground_truth = people(2)
    for score in (0.9, 0.1):
        assert not estimated(Broken(ground_truth), detections(ground_truth, score=score)).valid.any()


def test_no_detections_give_no_estimates():
    oracle = Oracle(people(1))
    bodies = estimated(oracle, Detections.empty("blazepose"))
    assert len(bodies) == 0
    assert oracle.asked == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "pose2mesh"}, "expected kind global_to_pixel"),
        ({"joint_set": "octopus"}, "octopus"),
        ({"body_model": "other", "body_model_sha256": "1" * 64}, "another body model"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(changes, words):
    with pytest.raises(ManifestError, match=words):
        GlobalToPixel(Oracle(people(1), dataclasses.replace(MANIFEST, **changes)), BODY_MODEL)


def test_covariances_are_known_where_keypoints_give_the_translation():
    ground_truth = people(3)
    found = detections(ground_truth)
    found.kp2d_score[1] = 0
    oracle = Oracle(ground_truth)
    oracle.manifest = dataclasses.replace(MANIFEST, uncertainty=CALIBRATION)
    method = GlobalToPixel(oracle, BODY_MODEL)
    estimates = method.estimate(IMAGE, found, PINHOLE)
    assert method.calibration is CALIBRATION
    assert estimates.valid.all()
    for covariance in (estimates.root_covariance, estimates.joint_covariance):
        assert np.isfinite(covariance).reshape(3, -1).all(1).tolist() == [True, False, True]
    root, ray = estimates.root_covariance[2], ground_truth.cam_t[2] / np.linalg.norm(ground_truth.cam_t[2])
    assert np.abs(np.linalg.eigh(root)[1][:, -1] @ ray) > 0.999
