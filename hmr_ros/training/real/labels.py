# SPDX-License-Identifier: Apache-2.0
"""The records of training people of whom not everything is known."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.people import PeopleBatch


@dataclass(frozen=True, eq=False)
class LabelledPeople(PeopleBatch):
    """People of a data set. Of those that are not ``fitted`` (B,), rotations, betas, vertices and joints are at rest.

    ``targets`` (B, J, 3) m: joints of the sampler's joint set, from any origin; ``jointed`` (B,) where they are known.
    """

    targets: Float32s
    jointed: Bools
    fitted: Bools

    @property
    def known(self) -> Bools:
        """(B,) the fitted ones."""
        return self.fitted


@dataclass(frozen=True, eq=False)
class LabelledImages(ImageBatch):
    """The same with images; of those that are not ``fitted`` (B,) the keypoints alone are known."""

    fitted: Bools

    @property
    def known(self) -> Bools:
        """(B,) the fitted ones."""
        return self.fitted


def labelled(people: PeopleBatch, regressor: Float32s) -> LabelledPeople:
    """``people`` with labels: those of synthetic people are all known; ``regressor`` (J, S) reads their joints."""
    if isinstance(people, LabelledPeople):
        return people
    known = np.ones(len(people), np.bool_)
    columns = {f.name: getattr(people, f.name) for f in dataclasses.fields(people)}
    return LabelledPeople(**columns, targets=regressor @ people.vertices, jointed=known, fitted=known)


def labelled_images(images: ImageBatch) -> LabelledImages:
    """``images`` with labels: those of rendered people are all known."""
    if isinstance(images, LabelledImages):
        return images
    columns = {f.name: getattr(images, f.name) for f in dataclasses.fields(images)}
    return LabelledImages(**columns, fitted=np.ones(len(images), np.bool_))
