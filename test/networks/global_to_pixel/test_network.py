# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch

from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS
from hmr_ros.networks.global_to_pixel import (
    GlobalToPixel,
    GlobalToPixelConfig,
    MatchingTargets,
    MeanPose,
    Stages,
    matching_loss,
)
from hmr_ros.networks.global_to_pixel.matching import match

SMALL = GlobalToPixelConfig(
    global_width=32, width=32, lifting_width=16, lifting_blocks=1, layers=2, heads=4, points=2, pixel_width=16
)


def build(body, config: GlobalToPixelConfig = SMALL) -> GlobalToPixel:
    torch.manual_seed(0)
    return GlobalToPixel(config, body, MeanPose.rest())


def roughened(network: GlobalToPixel) -> GlobalToPixel:
    """As if trained: what starts near zero would hide mistakes."""
    torch.manual_seed(1)
    for parameter in network.parameters():
        if parameter.abs().max() < 0.05:
            torch.nn.init.normal_(parameter, std=0.05)
    return network


@pytest.fixture(scope="module")
def network(body) -> GlobalToPixel:
    return roughened(build(body)).eval()


@pytest.fixture
def targets() -> MatchingTargets:
    generator = torch.Generator().manual_seed(3)
    places = 1.2 * torch.rand(2, 24, 2, generator=generator) - 0.1
    return MatchingTargets(places, torch.rand(2, 24, generator=generator) > 0.1)


def total(stages: Stages, targets: MatchingTargets) -> torch.Tensor:
    """Some loss that reaches everything."""
    terms = [x.square().mean() for x in (*stages.fine, *stages.coarse, stages.joint_error)]
    if stages.pixels is not None:
        terms += matching_loss(stages.pixels, stages.positives, targets)
    return sum(terms)


@torch.no_grad()
def test_outputs(network):
    inputs = network.example_inputs(3)
    inputs[1][2] = 0
    rotations, betas, crop_cam, joint_error, used = network(*inputs)
    torch.testing.assert_close(used[:2], inputs[1][:2])
    torch.testing.assert_close(used[2], network.features(inputs[0]).keypoints[2])
    assert (betas.shape, crop_cam.shape, joint_error.shape) == ((3, 10), (3, 3), (3, 24))
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(3, 24, 3, 3), atol=1e-5, rtol=0)
    assert (joint_error > 0).all()


def started(body, keypoints: torch.Tensor, **changes: str) -> tuple[GlobalToPixel, Stages, torch.Tensor]:
    """A network whose global stage changes nothing, its estimates, and two cameras; its backbone sees ``keypoints``."""
    network = roughened(build(body, dataclasses.replace(SMALL, start="keypoints", **changes)))
    torch.nn.init.zeros_(network.global_stage.head[-1].weight)
    torch.nn.init.zeros_(network.global_stage.head[-1].bias)
    image, given, camera = network.example_inputs(2)
    features = network.features(image)._replace(keypoints=keypoints)
    return network, network.stages_from_features(features, given, camera), camera


def own_keypoints() -> torch.Tensor:
    return torch.rand(2, 21, 3, generator=torch.Generator().manual_seed(5)) + torch.tensor([0, 0, 0.1])


@pytest.mark.parametrize("local", ["on", "off"])
def test_the_global_stage_starts_from_its_own_keypoints(body, local):
    network, stages, camera = started(body, own_keypoints(), local=local)
    mean = network.mean(camera)
    expected = network.corrected(network.decoder(mean, camera), own_keypoints(), camera).fine
    assert (expected.rot6d - mean.rot6d).abs().max() > 0.1
    torch.testing.assert_close(stages.coarse, expected)
    stages.coarse.joints.sum().backward()
    assert network.pixel_stage.heads.pose[0].weight.grad.abs().max() > 0


@torch.no_grad()
@pytest.mark.parametrize("local", ["on", "off"])
def test_the_global_stage_starts_from_given_keypoints_where_there_are_some(body, local):
    network = roughened(build(body, dataclasses.replace(SMALL, start="given", local=local)))
    torch.nn.init.zeros_(network.global_stage.head[-1].weight)
    torch.nn.init.zeros_(network.global_stage.head[-1].bias)
    image, given, camera = network.example_inputs(2)
    given[1] = 0
    own = own_keypoints()
    coarse = network.stages_from_features(network.features(image)._replace(keypoints=own), given, camera).coarse
    mean = network.decoder(network.mean(camera), camera)
    told = torch.stack([given[0], own[1]])
    torch.testing.assert_close(coarse, network.corrected(mean, told, camera).fine)


@torch.no_grad()
def test_of_a_corrected_start_the_local_stage_changes_only_what_pixels_show(body):
    network = build(body, dataclasses.replace(SMALL, start="given"))
    torch.nn.init.normal_(network.pixel_stage.heads.pose[-1].weight)
    inputs = network.example_inputs(2)
    blind = network.stages(*inputs)
    torch.testing.assert_close(blind.fine.rot6d, blind.coarse.rot6d)  # layers that read the image start at zero
    mean = network.decoder(network.mean(inputs[2]), inputs[2])
    torch.testing.assert_close(blind.joint_error, network.corrected(mean, *inputs[1:]).joint_error)
    seeing = roughened(network).stages(*inputs)
    assert (seeing.fine.rot6d - seeing.coarse.rot6d).abs().max() > 0.01


def test_what_reads_images_and_what_corrects_by_keypoints_are_the_whole_local_stage(body):
    network = build(body, dataclasses.replace(SMALL, start="given"))
    stage = network.pixel_stage
    parts = [*stage.reading_images(), stage.correcting()]
    shared = [weight for part in parts for weight in part.parameters()]
    assert {id(weight) for weight in shared} == {id(weight) for weight in stage.parameters()}
    assert len(shared) == len(list(stage.parameters()))
    _, given, camera = network.example_inputs(2)
    network.corrected(network.decoder(network.mean(camera), camera), given, camera).fine.joints.sum().backward()
    assert all(weight.grad is None for part in stage.reading_images() for weight in part.parameters())


@torch.no_grad()
def test_without_own_keypoints_the_global_stage_starts_at_the_mean(body):
    keypoints = own_keypoints()
    keypoints[0, MIN_KEYPOINTS - 1 :, 2] = 0
    network, stages, camera = started(body, keypoints)
    torch.testing.assert_close(stages.coarse.rot6d[0], network.mean(camera).rot6d[0])
    assert (stages.coarse.rot6d[1] - network.mean(camera).rot6d[1]).abs().max() > 0.1


@torch.no_grad()
def test_both_stages_start_at_the_mean(body):
    network = build(body).eval()
    image, keypoints, camera = network.example_inputs(2)
    stages = network.stages(image, keypoints, camera)
    mean = network.mean(camera)
    for estimate in (stages.coarse, stages.fine):
        for actual, expected in zip(estimate.state, mean, strict=True):
            torch.testing.assert_close(actual, expected, atol=0.1, rtol=0)


@torch.no_grad()
def test_people_do_not_mix(network):
    inputs = network.example_inputs(3)
    together, alone = network(*inputs), network(*(x[1:2] for x in inputs))
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[1:2], b, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_everything_that_is_fed_counts(network):
    image, keypoints, camera = network.example_inputs(1)
    before = network(image, keypoints, camera)
    for changed in (
        (255 - image, keypoints, camera),
        (image, keypoints.flip(1), camera),
        (image, keypoints, camera * 1.3),
    ):
        assert (network(*changed)[0] - before[0]).abs().max() > 1e-4


@torch.no_grad()
def test_places_of_missing_keypoints_do_not_count(network):
    image, keypoints, camera = network.example_inputs(2)
    keypoints[:, ::3, 2] = 0
    before = network(image, keypoints, camera)
    keypoints[:, ::3, :2] = 1e4
    for a, b in zip(network(image, keypoints, camera), before, strict=True):
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_without_keypoints_the_projection_anchors(network):
    image, keypoints, camera = network.example_inputs(2)
    stages = network.stages(image, torch.zeros_like(keypoints), camera)
    assert all(x.isfinite().all() for x in stages.fine)


ABLATIONS = {
    "full": {},
    "local off": {"local": "off"},
    "match fixed": {"match": "fixed"},
    "residual off": {"residual": "off"},
    "roi": {"sampler": "roi"},
    "dynamic k": {"dynamic_k": True},
    "person": {"match_unit": "person"},
    "person, dynamic k": {"match_unit": "person", "dynamic_k": True},
    "coco17": {"joint_set": "coco17"},
    "pooled": {"pooled_width": 8},
}


@pytest.mark.parametrize("change", ABLATIONS.values(), ids=ABLATIONS.keys())
def test_every_variant_trains_all_its_parameters(body, targets, change):
    network = roughened(build(body, dataclasses.replace(SMALL, **change)))
    total(network.stages(*network.example_inputs(2), targets), targets).backward()
    unused = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()}
    # The lifting's own expected error is Pose2Mesh's; the local stage alone reads the pyramid and lifted joints.
    allowed = ("lifting.network.features", "lifting.network.joint_error")
    if change.get("local") == "off":
        allowed += ("backbone.trunk.laterals", "backbone.trunk.last", "lifting.network.joints")
    assert not {name for name in unused if not name.startswith(allowed)}


def test_the_global_stage_may_read_less_of_the_crop(body):
    full, few = (build(body, dataclasses.replace(SMALL, pooled_width=width)).global_stage for width in (0, 8))
    assert few.context.in_features == 8 + full.context.in_features - full.norm.normalized_shape[0]


def test_targets_choose_the_pixels_in_training_only(body, network, targets):
    image, keypoints, camera = network.example_inputs(2)
    stages = network.stages(image, keypoints, camera, targets)
    assert (stages.positives == match(stages.pixels, targets, dynamic_k=False)).all()
    tested = network.stages(image, keypoints, camera)
    assert (tested.positives[..., 0] == tested.pixels.logits.argmax(-1)).all()
    assert (tested.positives != stages.positives).any()


def test_fixed_matching_goes_by_cells(body, targets):
    network = build(body, dataclasses.replace(SMALL, match="fixed"))
    stages = network.stages(*network.example_inputs(2), targets)
    distance = (stages.pixels.centres - targets.places[:, :, None]) / torch.tensor([1 / 24, 1 / 32])
    within = (distance.norm(dim=-1) <= 1.5).sum(-1)
    assert ((stages.positives >= 0).sum(-1) == within)[targets.inside].all()


@torch.no_grad()
def test_a_direct_prediction_does_not_start_from_the_coarse_one(body):
    changed = dataclasses.replace(SMALL, residual="off")
    network = build(body, changed).eval()
    network.global_stage.head[-1].bias.fill_(0.5)  # a coarse estimate far from the mean
    image, keypoints, camera = network.example_inputs(2)
    stages = network.stages(image, keypoints, camera)
    assert (stages.coarse.betas - network.mean(camera).betas).abs().min() > 1
    torch.testing.assert_close(stages.fine.betas, network.mean(camera).betas, atol=0.1, rtol=0)


@torch.no_grad()
def test_images_change_nothing_at_first(body):
    """A network that has learnt from keypoints alone loses nothing when it first sees images."""
    network = build(body).eval()
    image, keypoints, camera = network.example_inputs(2)
    seeing = network.stages(image, keypoints, camera)
    blind = network.corrected(seeing.coarse, keypoints, camera)
    torch.testing.assert_close(seeing.fine.rotations, blind.fine.rotations, atol=1e-5, rtol=1e-5)


def test_no_gradient_flows_from_the_local_stage_to_the_global_one(body):
    network = roughened(build(body))
    stages = network.stages(*network.example_inputs(2))
    stages.fine.joints.square().sum().backward()
    assert all(p.grad is None for p in network.global_stage.parameters())


@pytest.mark.slow
def test_autocast_keeps_geometry_exact(body, targets):
    network = build(body)
    with torch.autocast("cpu", torch.bfloat16):
        stages = network.stages(*network.example_inputs(2), targets)
        loss = total(stages, targets)
    assert {x.dtype for x in (*stages.fine, *stages.coarse, stages.joint_error, stages.pixels.logits)} == {
        torch.float32
    }
    loss.backward()


def test_the_mean_comes_with_a_checkpoint(body):
    mean = MeanPose(MeanPose.rest().rot6d + 0.1, np.ones(10))
    trained = GlobalToPixel(SMALL, body, mean)
    loaded = build(body)
    loaded.load_state_dict(trained.state_dict())
    torch.testing.assert_close(loaded.mean.betas, torch.ones(10))


def test_a_person_has_no_fixed_place(body):
    with pytest.raises(ValueError, match='expected "dynamic" for match_unit "person"'):
        build(body, dataclasses.replace(SMALL, match="fixed", match_unit="person"))
