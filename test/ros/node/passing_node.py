# SPDX-License-Identifier: Apache-2.0
"""The node with people who pass one after the other: python -m test.ros.node.passing_node [ROS arguments]."""

import sys

from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.tracker import TrackerOptions
from hmr_ros.ros.node.node import main
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline

VISIT, PAUSE = 24, 12
"""Number of images with a person, then without: at 30 Hz, 50 people a minute."""


class PassingDetector(StubDetector):
    def detect(self, image, shed=Shed.NOTHING):
        self.people = int(len(self.images) < VISIT)
        detections = super().detect(image, shed)
        if len(self.images) == VISIT + PAUSE:
            self.images.clear()
        return detections


def build(config):
    made = stub_pipeline(PassingDetector(), StubEstimator())
    made.tracker.options = TrackerOptions(hits_to_confirm=1, timeout_s=config.track_timeout_s)
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], build))
