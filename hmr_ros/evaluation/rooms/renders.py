# SPDX-License-Identifier: Apache-2.0
"""Images of a room as its cameras see it, from which the robot's own detector finds the people.

In all images of a room each person wears the same clothes, and in all of a camera the room behind and the light are the
same; the light differs between cameras, as their exposures do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Float32s, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.evaluation.rooms.cameras import Said, in_order, shown_people
from hmr_ros.evaluation.rooms.scenes import Room
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.training.synthetic.images.clothing.drapes import clothes_template
from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix, expose
from hmr_ros.training.synthetic.images.scene.figures import dressed
from hmr_ros.training.synthetic.images.scene.scene import Scene, draw_figures
from hmr_ros.training.synthetic.images.scene.scenery import room as scenery

_SENSOR = SensorMix(low_light=0.0, grey=0.0, blurred=0.0, moving=0.0)
"""Cameras of a lit room that are in focus: blur is drawn for crops, and would be as wide as a person's arm here."""


class RoomPainter:
    """Paints what the cameras of ``room`` see; the same ``seed`` gives the same images."""

    def __init__(self, room: Room, body: BodyModel, seed: int) -> None:
        self._room = room
        self._body = body
        self._seed = seed
        self._template = clothes_template(body)
        sizes = [(camera.camera.height, camera.camera.width) for camera in room.cameras]
        self._walls = [scenery(default_rng((seed, number)), *size) for number, size in enumerate(sizes)]

    def __call__(self, number: int, time_s: float) -> Image:
        """(H, W, 3) RGB: what the camera ``number`` sees at ``time_s``."""
        camera, walls = self._room.cameras[number], self._walls[number]
        height, width = walls.shape[:2]
        up = camera.actual.rotation[2]
        optical = camera.actual.inverse()(self._vertices(time_s).astype(np.float64)).astype(np.float32)
        scene = Scene(
            # The clothes are drawn before anything of the bodies: the same seed gives the same ones.
            figures=dressed(optical, self._template, default_rng(self._seed)),
            K=camera.camera.K.astype(np.float64),
            image_size=np.array([width, height]),
            up=up,
            floor=-float(camera.actual.translation[2]),
            stored=np.array([0.0, 0, width, height]),
            layer=None,
        )
        image = np.array(walls)
        draw_figures(scene, scene.stored, self._template, image, default_rng((self._seed, number)))
        return np.ascontiguousarray(expose(image, _SENSOR, default_rng((self._seed, number))))

    def _vertices(self, time_s: float) -> Float32s:
        """(P, V, 3) m of all people in the room."""
        walkers = self._room.walkers
        poses, roots = walkers.poses_at(time_s), walkers.roots_at(time_s)
        at_origin = self._body.posed(poses[:, 0], poses[:, 1:], walkers.betas, np.zeros_like(roots))
        around = at_origin.vertices - at_origin.joints[:, :1]
        return np.asarray(around + roots[:, None], np.float32)


def said_of_images(room: Room, open_pipeline: Callable[[], Pipeline], painter: RoomPainter) -> list[Said]:
    """What all cameras say of the images that ``painter`` paints, in the order in which these are taken."""
    return in_order(
        each for number in range(len(room.cameras)) for each in _said(number, room, open_pipeline(), painter)
    )


def _said(number: int, room: Room, pipeline: Pipeline, painter: RoomPainter) -> list[Said]:
    camera, out = room.cameras[number], []
    shown = shown_people(camera, room)
    with pipeline:
        for k, time_s in enumerate(camera.times.tolist()):
            stamp_s = time_s + camera.late_s
            bodies = pipeline(painter(number, time_s), camera.camera, stamp_s).bodies
            out.append(Said(number, time_s, stamp_s, bodies, shown[k], pipeline.looks(bodies.ids)))
    return out
