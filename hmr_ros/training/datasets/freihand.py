# SPDX-License-Identifier: Apache-2.0
"""FreiHAND (Zimmermann et al., ICCV 2019) in its official layout: images of single right hands with MANO's parameters.

``{training,evaluation}/rgb/%08d.jpg`` hold the images; ``{training,evaluation}_{K,xyz,mano,verts,scale}.json`` one
entry per sample. Each training sample comes in four versions with other backgrounds, version after version. Joints are
in the order of skeleton.MANO, in the camera's optical frame.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float32s, Floats, Strings
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.body.skinned_model import Posed
from hmr_ros.core.records import Record, check_shape
from hmr_ros.core.skeleton import MANO

SPLITS = ("training", "evaluation")

VERSIONS = ("gs", "hom", "sample", "auto")
"""Of the training images: before a green screen, and with the background replaced in three ways."""

ROOT = MANO.index("middle1")
"""The joint that MANO's parameters are placed by, at one end of the bone of known length."""

_MANO_ROW = 61
_PARAMETERS = {"orient": (3,), "pose": (15, 3), "betas": (10,), "root_uv": (2,), "scale": ()}


@dataclass(frozen=True, eq=False)
class FreiHand(Record):
    """N samples.

    ``image`` (N,) path below the data set's directory; ``K`` (N, 3, 3) px; ``keypoints`` (N, 21, 3) and ``vertices``
    (N, 778, 3) m, camera frame; ``bone_m`` (N,) m, length of the middle finger's first bone. Of MANO: ``orient`` (N,
    3), ``pose`` (N, 15, 3) about the model's mean pose, ``betas`` (N, 10); its root joint ``ROOT`` is seen at
    ``root_uv`` (N, 2) px, where a metre is ``scale`` (N,) px. What a split does not have is NaN; without vertices they
    are (N, 0, 3).
    """

    image: Strings
    K: Floats
    keypoints: Floats
    vertices: Floats
    bone_m: Floats
    orient: Floats
    pose: Floats
    betas: Floats
    root_uv: Floats
    scale: Floats

    def __post_init__(self) -> None:
        samples = len(self.image)
        check_shape(self, "K", (samples, 3, 3))
        check_shape(self, "keypoints", (samples, MANO.size, 3))
        check_shape(self, "vertices", (samples, None, 3))
        check_shape(self, "bone_m", (samples,))
        for name, shape in _PARAMETERS.items():
            check_shape(self, name, (samples, *shape))

    @property
    def pixels(self) -> Floats:
        """(N, 21, 2) px, the keypoints in the image."""
        seen = self.keypoints @ self.K.swapaxes(1, 2)
        return np.asarray(seen[..., :2] / seen[..., 2:])

    @property
    def root_position(self) -> Floats:
        """(N, 3) m, of the joint ``ROOT``, by its pixel and the scale."""
        focal = (self.K[:, 0, 0] + self.K[:, 1, 1]) / 2
        return np.concatenate([self.root_uv - self.K[:, :2, 2], focal[:, None]], 1) / self.scale[:, None]

    def posed(self, hand: HandModel) -> Posed:
        """The meshes of MANO's parameters, m in the camera frame; ``hand`` is the right hand that they belong to."""
        origin = np.zeros((len(self), 3))
        posed = hand.posed(self.orient, self.pose + hand.mean_pose, self.betas, origin)
        shift = (self.root_position - hand.keypoints(posed)[:, ROOT])[:, None]
        return Posed(posed.vertices + shift, posed.joints + shift)


def read_freihand(root: Path, split: str, versions: Sequence[str] = VERSIONS, with_vertices: bool = False) -> FreiHand:
    """Read a ``split`` below ``root``: of training every sample once for each of ``versions``.

    Vertices are a gigabyte of JSON for training, and are read only ``with_vertices``. Raises ValueError, which names
    the file.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {SPLITS}, got {split!r}")
    K = _array(root, split, "K", (3, 3), required=True)
    samples = len(K)
    mano = _array(root, split, "mano", (_MANO_ROW,), samples)
    vertices = _array(root, split, "verts", (778, 3), samples) if with_vertices else np.zeros((samples, 0, 3))
    once = FreiHand(
        image=_images(split, samples, 0),
        K=K,
        keypoints=_array(root, split, "xyz", (MANO.size, 3), samples),
        vertices=vertices,
        bone_m=_array(root, split, "scale", (), samples),
        orient=mano[:, :3],
        pose=mano[:, 3:48].reshape(samples, 15, 3),
        betas=mano[:, 48:58],
        root_uv=mano[:, 58:60],
        scale=mano[:, 60],
    )
    return _repeated(once, versions) if split == "training" else once


def _images(split: str, samples: int, version: int) -> Strings:
    numbers = range(version * samples, (version + 1) * samples)
    return np.array([f"{split}/rgb/{number:08d}.jpg" for number in numbers], np.str_)


def _repeated(once: FreiHand, versions: Sequence[str]) -> FreiHand:
    """The training samples in each of ``versions``, which share their annotations."""
    if unknown := [version for version in versions if version not in VERSIONS]:
        raise ValueError(f"versions: expected of {VERSIONS}, got {unknown}")
    samples = len(once)
    every = once.take(np.tile(np.arange(samples), len(versions)))
    names = [_images("training", samples, VERSIONS.index(version)) for version in versions]
    columns = {name: getattr(every, name) for name in vars(every)}
    return FreiHand(**{**columns, "image": np.concatenate(names) if names else every.image})


def _array(
    root: Path, split: str, name: str, shape: tuple[int, ...], samples: int | None = None, required: bool = False
) -> Float32s:
    """(N, *shape) of ``<split>_<name>.json``; NaN where there is no such file and none is ``required``."""
    path = root / f"{split}_{name}.json"
    if not path.is_file() and not required:
        return np.full((samples or 0, *shape), np.nan, np.float32)
    try:
        values = np.array(json.loads(path.read_text(encoding="utf-8-sig")), np.float32)
        values = values.reshape(len(values), *shape)
    except (OSError, ValueError, TypeError, ArithmeticError, RecursionError) as err:
        raise ValueError(f"{path}: not a file of FreiHAND, expected an array (N, {str(shape)[1:]} ({err})") from err
    if samples is not None and len(values) != samples:
        raise ValueError(f"{path}: expected {samples} samples, as in {split}_K.json, got {len(values)}")
    return values
