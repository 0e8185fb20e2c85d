# SPDX-License-Identifier: Apache-2.0
"""What MediaPipe's hand network says of rendered hands: data for training, and for scores end to end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from tqdm import tqdm

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.camera import Camera
from hmr_ros.core.geometry.camera import project, undistort_points
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.records import join_rows
from hmr_ros.engines.opening import open_engine
from hmr_ros.engines.runtime import Engine
from hmr_ros.media.images import write_image_file
from hmr_ros.perception.hand_overlay import draw_hands
from hmr_ros.perception.hand_regions import (
    LANDMARKS_SIZE,
    HandLandmarks,
    crops,
    decode_landmarks,
    hand_sizes,
    regions_of_landmarks,
)
from hmr_ros.perception.hands import Hands
from hmr_ros.training.datasets.seen_hands import SeenHands, chunk_path, write_chunk
from hmr_ros.training.synthetic.hands import HandMix, HandSampler
from hmr_ros.training.synthetic.images.hands import HandPainter
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds

CHUNK = 500
"""Hands per file."""

_PHOTOS = 0.6
"""Fraction of backgrounds that are images of the directory, if there is one."""

_SHEET_ROWS, _SHEET_COLUMNS = 4, 8

_SHIFT, _SCALE, _TURN = 0.08, 0.08, 0.15
"""Standard deviations of regions: of their side, as a logarithm, and in rad. So far they are off between images."""


@dataclass(frozen=True, eq=False)
class SeenImages:
    """The hands of a chunk with their images and cameras."""

    hands: SeenHands
    images: list[Image]
    cameras: list[Camera]


class HandEye:
    """Renders hands and looks at them; chunks are functions of their number."""

    def __init__(self, seed: int, network: str, backgrounds: Path | None) -> None:
        """``network``: "full" or "lite"; ``backgrounds``: directory of images without hands, or procedural ones."""
        hand = load_hand_model(models_dir() / "open_hand.npz")
        self._seed = seed
        self._sampler = HandSampler(hand, HandMix())
        behind = Backgrounds(str(backgrounds) if backgrounds else None, _PHOTOS)
        self._painter = HandPainter(hand, load_body_model(models_dir() / "open_body.npz"), behind)
        name = "hand_landmarks" if network == "full" else "hand_landmarks_lite"
        self._landmarks = open_engine(models_dir() / f"{name}.json", "onnxruntime", threads=1)

    def chunk(self, number: int, count: int = CHUNK) -> SeenImages:
        """The first ``count`` hands of chunk ``number``."""
        rng = default_rng([self._seed, number])
        draws = self._sampler.draw(rng, count)
        placed = self._sampler.placed(draws)
        images, cameras = self._painter.paint(rng, draws, placed)
        pixels = np.stack([_pixels(exact, camera) for exact, camera in zip(placed.exact, cameras, strict=True)])
        found = _seen(self._landmarks, images, _moved(rng, regions_of_landmarks(pixels)))
        seen = np.stack(
            [undistort_points(points, camera) for points, camera in zip(found.points, cameras, strict=True)]
        )
        parts = (draws.orient, draws.pose, draws.betas, draws.wrist, placed.exact, seen, found.world)
        arrays = (*parts, found.presence, found.right, hand_sizes(pixels))
        return SeenImages(SeenHands(*(np.asarray(array, np.float32) for array in arrays)), images, cameras)


def write_seen_hands(eye: HandEye, directory: Path, count: int) -> int:
    """Write the chunks that ``directory`` lacks, ``count`` hands in all (rounded up); the number of its chunks."""
    directory.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    chunks = -(-count // CHUNK)
    for number in tqdm(range(chunks), unit="chunk"):
        if not chunk_path(directory, number).is_file():
            write_chunk(eye.chunk(number).hands, chunk_path(directory, number))
    return chunks


def write_hand_sheet(eye: HandEye, path: Path) -> None:
    """Draw hands of chunk 0 with the points that are seen, ``path`` a .png."""
    if path.suffix != ".png":
        raise ValueError(f"--sheet {path}: expected a name that ends in .png")
    chunk = eye.chunk(0, _SHEET_ROWS * _SHEET_COLUMNS)
    tiles = [_labelled(chunk, row) for row in range(len(chunk.images))]
    rows = [np.concatenate(tiles[first : first + _SHEET_COLUMNS], 1) for first in range(0, len(tiles), _SHEET_COLUMNS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image_file(path, np.concatenate(rows))
    print(f"{path}: {len(tiles)} hands with what is seen of them, and the presence that the network gives them")


def _labelled(chunk: SeenImages, row: int) -> Image:
    """The image of a hand with the points that are seen, and its presence."""
    hands, camera = chunk.hands, chunk.cameras[row]
    alone = Hands.unseen(np.zeros(1, np.int64)).with_hands(
        np.array([[False, True]]),
        HandLandmarks(
            _pixels(hands.seen[row], camera)[None], hands.world[row][None], hands.presence[[row]], hands.right[[row]]
        ),
        np.ones(1),
    )
    image = draw_hands(chunk.images[row], alone)
    note = f"{hands.presence[row]:.2f}"
    cv2.putText(image, note, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1, cv2.LINE_AA)
    return image


def _seen(landmarks: Engine, images: list[Image], regions: Floats) -> HandLandmarks:
    """What the network sees in the ``regions`` (N, 2, 2) px of N ``images``."""
    found = [_look(landmarks, image, region[None]) for image, region in zip(images, regions, strict=True)]
    return join_rows(found)


def _look(landmarks: Engine, image: Image, regions: Floats) -> HandLandmarks:
    outputs = landmarks.run({"image": crops(image, regions, LANDMARKS_SIZE)})
    presence, right = outputs["presence"], outputs["handedness"]
    return decode_landmarks(outputs["landmarks"], outputs["world"], presence, right, regions)


def _moved(rng: Generator, regions: Floats) -> Floats:
    """``regions`` (N, 2, 2) px as those of another image would be."""
    count = len(regions)
    ahead = regions[:, 1] - regions[:, 0]
    side = np.linalg.norm(ahead, axis=1)[:, None]
    turn = rotvec_to_rotmat(np.array([0.0, 0.0, 1.0]) * rng.normal(0, _TURN, (count, 1)))[:, :2, :2]
    centre = regions[:, 0] + rng.normal(0, _SHIFT, (count, 2)) * side
    ahead = (turn @ ahead[..., None])[..., 0] * np.exp(rng.normal(0, _SCALE, (count, 1)))
    return np.stack([centre, centre + ahead], 1)


def _pixels(normalized: Floats, camera: Camera) -> Floats:
    """(N, 2) px of normalized image coordinates."""
    return project(np.concatenate([normalized, np.ones_like(normalized[:, :1])], -1), camera)
