# SPDX-License-Identifier: Apache-2.0
"""Images of clothed people with exact labels, drawn at random: the same seed, the same images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Bools, Float64s, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.crop import apply, boxes_of_keypoints
from hmr_ros.core.settings import setting, validate
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.cameras import Views
from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH, ImageBatch
from hmr_ros.training.synthetic.images.clothing.drapes import clothes_template
from hmr_ros.training.synthetic.images.rendering.framing import canvas_from_image, jittered, network_box, stored_box
from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds
from hmr_ros.training.synthetic.images.scene.figures import Figures, dressed, gathered
from hmr_ros.training.synthetic.images.scene.occluders import Layer, sample_occluder
from hmr_ros.training.synthetic.images.scene.scene import Scene, paint
from hmr_ros.training.synthetic.images.scene.survey import survey
from hmr_ros.training.synthetic.people import PeopleBatch, PeopleMix, PeopleSampler
from hmr_ros.training.synthetic.visibility import OcclusionMix

_NO_OCCLUSION = OcclusionMix(0, 0, 0, 0, 0)
"""Of ``PeopleSampler``'s: in images it is the things drawn that hide keypoints."""
_NEAREST_POINT_M = 0.2
"""Points nearer to the camera's plane than this are in no image (as in ``PeopleSampler``)."""


@dataclass(frozen=True)
class ImageMix:
    """Everything that is random about the images. ``people.occlusion`` has no effect here."""

    people: PeopleMix = field(default_factory=PeopleMix)
    accompanied: float = setting(0.35, doc="fraction of images with one to three more people", low=0, high=1)
    occluded: float = setting(0.35, doc="fraction of images with a thing in front of the person", low=0, high=1)
    box_jitter: float = setting(
        0.03, doc="deviation of the edges of boxes, as a fraction of their size", low=0, high=0.2
    )
    backgrounds: str = setting("", doc="directory of images without people; empty: procedural backgrounds only")
    sensor: SensorMix = field(default_factory=SensorMix)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, eq=False)
class _Points:
    """J keypoints, then 24 joints, of each person: ``pixels`` (B, N, 2), ``depth`` (B, N) m, ``in_image`` (B, N)."""

    pixels: Float64s
    depth: Float64s
    in_image: Bools

    @classmethod
    def of(cls, points: Float64s, views: Views) -> _Points:
        """``points`` (B, N, 3) m in the optical frames of ``views``."""
        pixels = views.to_pixels(points)
        return cls(pixels, points[..., 2], views.inside(pixels) & (points[..., 2] > _NEAREST_POINT_M))


@dataclass(frozen=True, eq=False)
class _Shot:
    """``crop`` of the network's ``box`` (4,) px; ``visible`` and ``self_hidden`` (N,) points; ``occlusion``."""

    crop: NDArray[np.uint8]
    box: Float64s
    visible: Bools
    self_hidden: Bools
    occlusion: float


class ImageSampler:
    """Draws ``ImageBatch``es from a motion file and a body model."""

    def __init__(self, motion: Motion, body: BodyModel, joint_set: str, mix: ImageMix) -> None:
        """``body`` needs the open body's T-pose; ``joint_set`` names the keypoints of ``ImageBatch.pixels``."""
        self.mix = mix
        self._template = clothes_template(body)
        self._backgrounds = Backgrounds(mix.backgrounds or None)
        people = dataclasses.replace(mix.people, occlusion=_NO_OCCLUSION)
        self._people = PeopleSampler(motion, body, joint_set, people)

    def sample(self, rng: Generator, count: int) -> ImageBatch:
        """``count`` people, each in an image of their own."""
        people = self._people.sample(rng, count)
        figures = dressed(people.vertices.astype(np.float32, copy=False), self._template, rng)
        keypoints = np.asarray(self._people.regressor @ people.vertices, np.float64)
        points = _Points.of(np.concatenate([keypoints, people.joints], 1), people.views)
        shots = [self._shoot(people.views, figures, points, row, rng) for row in range(count)]
        return _labelled(people, points, shots)

    def _shoot(self, views: Views, figures: Figures, points: _Points, row: int, rng: Generator) -> _Shot:
        """Put person ``row`` into a scene, frame what a detector would, and paint it."""
        pixels, depth, in_image = points.pixels[row], points.depth[row], points.in_image[row]
        keypoints = slice(len(pixels) - 24)
        scene = self._scene(views, figures, pixels[keypoints][in_image[keypoints]], row, rng)
        found = survey(scene, self._template)
        visible = in_image & ~found.hidden(pixels, depth)
        if visible[keypoints].sum() < self.mix.people.min_visible:  # no detector would find this person
            scene = scene.alone()
            found = survey(scene, self._template)
            visible = in_image
        box = network_box(boxes_of_keypoints(pixels[keypoints], visible[keypoints], scene.image_size))
        box = jittered(box, self.mix.box_jitter, rng)
        crop = paint(scene, stored_box(box), self._template, self._backgrounds, self.mix.sensor, rng)
        return _Shot(crop, box, visible, in_image & found.self_hidden(pixels, depth), found.occlusion)

    def _scene(self, views: Views, figures: Figures, seen: Float64s, row: int, rng: Generator) -> Scene:
        """Person ``row``, of whom the image shows the keypoints ``seen`` (S, 2) px, with company and things."""
        box = boxes_of_keypoints(seen, np.ones(len(seen), np.bool_), views.image_size[row])
        stored = stored_box(network_box(box))
        companions = int(rng.integers(1, 4)) if rng.random() < self.mix.accompanied else 0
        return Scene(
            figures=gathered(figures, views, row, companions, rng),
            K=views.K[row],
            image_size=views.image_size[row],
            up=views.rotation[row][:, 1],
            floor=float(views.rotation[row][:, 1] @ views.translation[row]),
            stored=stored,
            layer=_thing(box, stored, rng) if rng.random() < self.mix.occluded else None,
        )


def _thing(box: Floats, stored: Float64s, rng: Generator) -> Layer:
    """Something in front of a person at ``box`` (4,) px, over a crop that shows ``stored`` (4,) px."""
    corners = apply(canvas_from_image(stored, CROP_HEIGHT, CROP_WIDTH), box.reshape(2, 2))
    return sample_occluder(rng, CROP_HEIGHT, CROP_WIDTH, corners.ravel())


def _labelled(people: PeopleBatch, points: _Points, shots: list[_Shot]) -> ImageBatch:
    visible = np.stack([shot.visible for shot in shots])
    keypoints, joints = slice(people.pixels.shape[1]), slice(people.pixels.shape[1], None)
    vertices = people.views.to_pixels(people.vertices)
    inside = people.views.inside(vertices) & (people.vertices[..., 2] > 0)
    return ImageBatch(
        crops=np.stack([shot.crop for shot in shots]),
        boxes=np.stack([shot.box for shot in shots]).astype(np.float32),
        K=people.views.K.astype(np.float32),
        image_size=people.views.image_size,
        rotations=people.rotations.astype(np.float32),
        betas=people.betas.astype(np.float32),
        joints=people.joints.astype(np.float32),
        pixels=points.pixels[:, keypoints].astype(np.float32),
        in_image=points.in_image[:, keypoints],
        visible=visible[:, keypoints],
        self_hidden=np.stack([shot.self_hidden[keypoints] for shot in shots]),
        joint_pixels=points.pixels[:, joints].astype(np.float32),
        joint_visible=visible[:, joints],
        occlusion=np.array([shot.occlusion for shot in shots], np.float32),
        truncation=1 - inside.mean(1, dtype=np.float32),
        kind=people.kind,
        clip=people.clip,
    )
