# SPDX-License-Identifier: Apache-2.0
"""A camera that pans before real people: windows of the sample clip, turned by exactly known rotations."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from hmr_ros import Camera, open_pipeline
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import State

SAMPLES = Path(__file__).parents[2] / "samples"
HZ = 10.0
FIRST, IMAGES = 100, 60
"""Of the clip: two people stand, and four walk across."""

SIZE, LOOKS_RAD = (512, 416), np.deg2rad(6.5)
"""Of the window, px, which keeps the pixels of the clip; its middle is to the right of the clip's."""

PAN_RAD, PAN_PERIOD_S = np.deg2rad(4.0), 2.0
"""To and fro by so much: at up to 13 degrees, or 250 px, per second."""

SAME_RAD = 0.012


@dataclass(frozen=True, eq=False)
class Sighting:
    """A person in one image: ``place`` (3,) m in the axes of the clip's camera."""

    image: int
    id: int
    place: np.ndarray

    @property
    def bearing_rad(self) -> float:
        return float(np.arctan2(self.place[0], self.place[2]))


def windows(angles):
    """The clip as a camera sees it that is turned by each of ``angles`` rad; with that camera and its rotation."""
    clip, camera = cv2.VideoCapture(str(SAMPLES / "crossing.mp4")), Camera.from_yaml(SAMPLES / "crossing.yaml")
    clip.set(cv2.CAP_PROP_POS_FRAMES, FIRST)
    window = Camera.pinhole(camera.K[0, 0], *SIZE)
    for angle in angles:
        rotation = rotvec_to_rotmat(np.array([0.0, LOOKS_RAD + angle, 0.0]))
        maps = cv2.initUndistortRectifyMap(camera.K, camera.D, rotation.T, window.K, SIZE, cv2.CV_32FC1)
        yield cv2.cvtColor(cv2.remap(clip.read()[1], *maps, cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB), window, rotation


def sightings(angles, *, world=True):
    """People who are TRACKED; ``world``: whether the pipeline is told how the camera turns."""
    found = []
    with open_pipeline(num_threads=1) as pipeline:
        for k, (image, camera, rotation) in enumerate(windows(angles)):
            pose = Transform(rotation, np.zeros(3))
            bodies = pipeline(image, camera, k / HZ, world=pose if world else None).bodies
            for row in np.flatnonzero(bodies.valid & (bodies.states == State.TRACKED)):
                found.append(Sighting(k, int(bodies.ids[row]), pose(bodies.cam_t[row].astype(np.float64))))
    return found


def ids_of_same(still, moving):
    """By the ids of ``still``, the ids of ``moving`` people in the same directions at the same times."""
    of_image = defaultdict(list)
    for person in still:
        of_image[person.image].append(person)
    found = defaultdict(Counter)
    for person in moving:
        near = [p for p in of_image[person.image] if abs(p.bearing_rad - person.bearing_rad) < SAME_RAD]
        if len(near) == 1:
            found[near[0].id][person.id] += 1
    return {track_id: counts for track_id, counts in found.items() if counts.total() >= 15}


def median_speed(people, track_id, over=20):
    """m/s over two seconds."""
    places = {p.image: p.place for p in people if p.id == track_id}
    ways = [np.linalg.norm(places[k + over] - place) for k, place in places.items() if k + over in places]
    return float(np.median(ways)) / over * HZ


@pytest.mark.slow
def test_people_keep_ids_and_places_before_a_camera_that_pans():
    still = sightings(np.zeros(IMAGES))
    pan = PAN_RAD * np.sin(2 * np.pi * np.arange(IMAGES) / HZ / PAN_PERIOD_S)
    panning, blind = sightings(pan), sightings(pan, world=False)
    same = ids_of_same(still, panning)
    assert len(same) >= 5
    kept = [counts.most_common(1)[0] for counts in same.values()]
    assert len({track_id for track_id, _ in kept}) == len(same)
    assert sum(count for _, count in kept) >= 0.9 * sum(counts.total() for counts in same.values())

    slowest = min(same, key=lambda track_id: median_speed(still, track_id))
    then, now = median_speed(still, slowest), median_speed(panning, same[slowest].most_common(1)[0][0])
    assert now < 1.2 * then + 0.05

    assert len({p.id for p in blind}) > 1.5 * len({p.id for p in panning}), "without the pan people get new ids"
    assert len(blind) < 0.75 * len(panning)
