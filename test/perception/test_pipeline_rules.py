# SPDX-License-Identifier: Apache-2.0
"""What the pipeline does at the limits of time and size, and what it remembers of depth."""

import numpy as np
import pytest

from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.people import Camera
from hmr_ros.core.temporal.shedding import Shed
from test.core.temporal.standing import GROUND, mistaken, sizes_of, standing
from test.perception.test_pipeline import CAMERA, IMAGE, Flat, pipeline


@pytest.mark.parametrize(("pause_s", "resets"), [(0.0, 0), (1.0, 0), (1.01, 1)])
def test_the_detector_follows_through_a_pause_of_up_to_a_second(pause_s, resets):
    run = pipeline(1, 1)
    run(IMAGE, CAMERA, 1.0)
    run(IMAGE, CAMERA, 1.0 + pause_s)
    assert run.detector.resets == resets


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1280, 480)])
def test_a_camera_of_another_width_or_height_is_refused(width, height):
    with pytest.raises(ValueError, match=f"640 x 480 px, got one for {width} x {height}"):
        pipeline(1)(IMAGE, Camera.pinhole(600, width, height), 1.0)


def test_facts_of_a_pipeline_of_own_parts():
    facts = dict(pipeline().facts)
    assert facts == {"method": "flat", "body model": "open_body", "networks": "", "backend": "none"}
    assert pipeline().networks == ()


def test_depth_counts_whom_it_measured_and_their_sizes_are_forgotten_with_them():
    """A wall at 2.7 m through the bodies, who are said to stand 3 m ahead; afterwards their sizes are known."""

    class Ahead(Flat):
        def estimate(self, image, detections, camera, shed=Shed.NOTHING):
            known = super().estimate(image, detections, camera, shed)
            known.cam_t[:] = [[0.3 * k, 0, 3] for k in range(len(known))]
            known.global_orient[:, 0] = np.pi
            return known

    run = pipeline(2, 2, 2)
    run.estimator = Ahead()
    measured = run(IMAGE, CAMERA, 1.0, DepthImage(np.full((480, 640), 2.7)))
    assert measured.measured >= 1
    without = run(IMAGE, CAMERA, 1.1)
    assert without.measured == 0
    assert np.allclose(without.bodies.cam_t, measured.bodies.cam_t, rtol=0.01)
    assert without.bodies.cam_t[0, 2] < 2.95
    assert np.allclose(run(IMAGE, CAMERA, 0.5).bodies.cam_t[:, 2], 3), "time began again"


class Hovering(Flat):
    """People 4 m ahead whose feet are 30 cm above the floor of GROUND: nearer ones, taken for larger."""

    def estimate(self, image, detections, camera, shed=Shed.NOTHING):
        people = len(detections)
        return mistaken(standing([(0, 4)] * people, np.ones(people)), np.full(people, 0.9))


def hovering(*people):
    run = pipeline(*people)
    run.estimator = Hovering()
    return run


def test_people_stand_on_the_ground_of_the_image():
    run, without = hovering(1, 1), hovering(1, 1)
    for stamp_s in (1.0, 1.3):
        result, plain = run(IMAGE, CAMERA, stamp_s, ground=GROUND), without(IMAGE, CAMERA, stamp_s)
    assert (result.grounded, plain.grounded) == (1, 0)
    assert result.ground is GROUND
    assert plain.ground is None
    estimated = Hovering().estimate(IMAGE, [None], CAMERA)
    np.testing.assert_array_equal(plain.bodies.cam_t, estimated.cam_t)
    np.testing.assert_array_equal(plain.bodies.betas, estimated.betas)
    assert result.bodies.cam_t[0, 2] > 1.04 * plain.bodies.cam_t[0, 2]
    assert sizes_of(result.bodies)[0] > 1.04 * sizes_of(plain.bodies)[0]


def test_a_photo_has_a_ground_too():
    assert hovering(1).photo(IMAGE, CAMERA, ground=GROUND).grounded == 1


def test_the_ground_is_estimated_where_the_settings_ask_for_it():
    run = hovering(*[2] * 40)
    run.configure(PerceptionSettings(ground="estimate"))
    results = [run(IMAGE, CAMERA, 1 + 0.1 * image) for image in range(30)]
    assert results[0].ground is None
    assert results[-1].ground is not None
    assert results[-1].grounded == 2
    run.configure(PerceptionSettings())
    assert run(IMAGE, CAMERA, 4.1).ground is None
    run.configure(PerceptionSettings(ground="estimate"))
    assert run(IMAGE, CAMERA, 4.2).ground is None, "it begins again"
