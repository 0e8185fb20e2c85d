# SPDX-License-Identifier: Apache-2.0
"""The node while an engine is built without end.

python -m test.ros.node.building_node DIRECTORY wait|serve [ROS arguments]
"""

import sys
from pathlib import Path

from hmr_ros.engines.cache.cache import Builder, EngineCache
from hmr_ros.engines.opening import LoggedProgress
from hmr_ros.engines.switching import SwitchingEngine
from hmr_ros.ros.node.node import main
from test.engines import fake_builder
from test.engines.test_switching import FakeEngine
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline


def obtain(directory, progress):
    cache = EngineCache(directory / "engines", Builder(fake_builder.build_forever, fake_builder.probe))
    cache.obtain(fake_builder.request(directory), progress)


def build(directory, mode):
    if mode == "wait":
        obtain(directory, LoggedProgress("network"))
    engine = SwitchingEngine(FakeEngine(1), lambda progress: obtain(directory, progress))
    return stub_pipeline(StubDetector(1), StubEstimator(), (engine,))


if __name__ == "__main__":
    _, name, mode, *arguments = sys.argv
    sys.exit(main(arguments, lambda config: build(Path(name), mode)))
