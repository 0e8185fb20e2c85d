# SPDX-License-Identifier: Apache-2.0
"""A camera, the node with a pipeline without networks, and subscribers, in one executor."""

from rclpy.node import Node
from rclpy.parameter import Parameter

from hmr_ros.ros.node.node import HmrNode
from test.ros.graph import FakeCamera, qos, spin_until
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline


def marker_id(name):
    """The id of a person's markers: the name as a number to the base of 26."""
    return sum((ord(letter) - ord("a")) * 26**k for k, letter in enumerate(name))


class World:
    """The node sees ``detector.people`` people; ``subscribe`` receives what it publishes."""

    def __init__(self, executor, people=1, **parameters):
        self.executor = executor
        self.detector, self.estimator = StubDetector(people), StubEstimator()
        # A busy machine is no reason to drop images, and every image is to have its mesh.
        parameters = {"max_frame_age_s": 0.0, "mesh_rate_hz": 0.0} | parameters
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = HmrNode(self.build, overrides)
        self.peer = Node("peer")
        executor.add_node(self.node)
        executor.add_node(self.peer)
        self.camera = FakeCamera(self.peer, compressed=parameters.get("image_transport") == "compressed")
        self.received = {}

    def build(self, config):
        """A pipeline of the stubs, with its settings."""
        pipeline = stub_pipeline(self.detector, self.estimator)
        pipeline.configure(config)
        return pipeline

    def subscribe(self, kind, topic):
        self.received[topic] = []
        self.peer.create_subscription(kind, topic, self.received[topic].append, qos(depth=50))

    def show_until(self, condition, info=True, **image):
        """Publish images, with calibration unless ``info`` is False, until ``condition()``."""

        def shown():
            if info:
                self.camera.publish_info()
            self.camera.publish_image(**image)
            return condition()

        spin_until(self.executor, shown)

    def show(self, until="bodies", count=1, **options):
        """Publish images until ``count`` messages came on ``until``; the last of them."""
        self.show_until(lambda: len(self.received[until]) >= count, **options)
        return self.received[until][-1]

    def show_calibrated(self, **options):
        """Images until their bodies have positions."""
        spin_until(self.executor, lambda: any(body.valid for body in self.show(**options).bodies))

    def reported(self, key):
        """The last value of ``key`` on /diagnostics, which must be subscribed; "" before the first."""
        statuses = [s for report in self.received["/diagnostics"] for s in report.status]
        return ([pair.value for s in statuses for pair in s.values if pair.key == key] or [""])[-1]

    def close(self):
        self.executor.remove_node(self.node)
        self.node.destroy_node()
