# SPDX-License-Identifier: Apache-2.0
"""What hides a person: the parts seen from the camera, before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Int32s, Int64s, Ints
from hmr_ros.core.geometry.crop import apply
from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH
from hmr_ros.training.synthetic.images.clothing.shading import Template
from hmr_ros.training.synthetic.images.rendering.framing import canvas_camera, canvas_from_image, project
from hmr_ros.training.synthetic.images.rendering.raster import NOTHING, Canvas
from hmr_ros.training.synthetic.images.scene.scene import Scene

_HEIGHT, _WIDTH = CROP_HEIGHT // 2, CROP_WIDTH // 2
_OPAQUE = 0.5
_INSIDE_M = 0.15
"""Keypoints lie inside the body; its surface this much nearer than one belongs to another part of it."""


@dataclass(frozen=True, eq=False)
class Survey:
    """``owner`` (H, W) which figure is in front, or NOTHING; ``depth`` (H, W) m of it; ``covered`` (H, W) by a thing;
    ``outline`` (H, W) the subject's silhouette inside the image, as if alone; ``affine`` (2, 3) from the full image.
    """

    owner: Int32s
    depth: Float32s
    covered: Bools
    outline: Bools
    affine: Float64s

    @property
    def occlusion(self) -> float:
        """Fraction of the subject's silhouette that other people and things hide."""
        seen = self.outline & (self.owner == 0) & ~self.covered
        return 1 - float(seen.sum() / max(1, self.outline.sum()))

    def hidden(self, pixels: Float64s, depth: Float64s) -> Bools:
        """Points (N, 2) px of the full image at ``depth`` (N,) m that a thing or another figure hides."""
        rows, columns = self._cells(pixels)
        other = (self.owner[rows, columns] > 0) & (self.depth[rows, columns] < depth)
        return np.asarray(other | self.covered[rows, columns])

    def self_hidden(self, pixels: Float64s, depth: Float64s) -> Bools:
        """Points that lie behind another part of the subject."""
        rows, columns = self._cells(pixels)
        return np.asarray((self.owner[rows, columns] == 0) & (self.depth[rows, columns] < depth - _INSIDE_M))

    def _cells(self, pixels: Float64s) -> tuple[Int64s, Int64s]:
        """Rows (N,) and columns (N,) of the survey that ``pixels`` (N, 2) of the full image lie in."""
        columns, rows = np.rint(apply(self.affine, pixels)).clip(0, (_WIDTH - 1, _HEIGHT - 1)).astype(np.int64).T
        return rows, columns


def survey(scene: Scene, template: Template) -> Survey:
    """Look at what the scene's ``stored`` part of the image shows."""
    affine = canvas_from_image(scene.stored, _HEIGHT, _WIDTH)
    points = project(scene.figures.vertices, canvas_camera(scene.K, affine))
    canvas = Canvas.blank(_HEIGHT, _WIDTH)
    canvas.draw(points[0], template.faces, 0)
    outline = (canvas.face != NOTHING) & _inside(affine, scene.image_size)
    for index in range(1, len(points)):
        canvas.draw(points[index], template.faces, index * len(template.faces))
    owner = np.where(canvas.face == NOTHING, NOTHING, canvas.face // len(template.faces))
    depth = np.reciprocal(np.maximum(canvas.inverse_depth, np.float32(1e-6)))
    covered = np.zeros(owner.shape, np.bool_) if scene.layer is None else scene.layer.alpha[::2, ::2] > _OPAQUE
    return Survey(owner, depth, covered, outline, affine)


def _inside(affine: Float64s, image_size: Ints) -> Bools:
    """(H, W) pixels of the survey that lie inside the image."""
    columns = (np.arange(_WIDTH) - affine[0, 2]) / affine[0, 0]
    rows = (np.arange(_HEIGHT) - affine[1, 2]) / affine[1, 1]
    across, down = (columns >= -0.5) & (columns < image_size[0]), (rows >= -0.5) & (rows < image_size[1])
    return np.asarray(down[:, None] & across)
